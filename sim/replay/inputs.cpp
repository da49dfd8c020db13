#include "sim/replay/inputs.h"

#include <fmt/format.h>

#include "sim/container/varint.h"
#include "sim/replay/recording_format.h"

namespace replay {
namespace {

bool sound(const Input& input) {
  switch (input.kind) {
    case InputKind::ConsoleBytes: return input.target <= 0xffff && !input.bytes.empty();
    case InputKind::Interrupt: return input.bytes.size() == 2;
    case InputKind::MemoryPoke: return !input.bytes.empty();
    case InputKind::RegisterPoke: return input.bytes.size() == 13 || input.bytes.size() == 21;
  }
  return false;
}

}  // namespace

std::vector<uint8_t> encode(const std::vector<Input>& inputs) {
  std::vector<uint8_t> out;
  uint64_t last = 0;
  for (const Input& input : inputs) {
    container::put_varint(out, input.at.ticks - last);
    last = input.at.ticks;
    out.push_back(static_cast<uint8_t>(input.kind));
    container::put_varint(out, input.target);
    container::put_varint(out, input.bytes.size());
    out.insert(out.end(), input.bytes.begin(), input.bytes.end());
  }
  return out;
}

support::Result<std::vector<Input>> decode_inputs(loader::Bytes payload, uint32_t count) {
  container::ByteReader in{payload};
  std::vector<Input> inputs;
  uint64_t tick = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t step = in.varint();
    Input input;
    input.kind = static_cast<InputKind>(in.byte());
    input.target = in.varint();
    const uint64_t size = in.varint();
    const loader::Bytes bytes = in.take(size <= maximum_text ? size : ~uint64_t{0});
    input.bytes.assign(bytes.begin(), bytes.end());
    if (in.failed() || tick + step < tick || !sound(input))
      return support::Error{fmt::format("input {} of the chunk is malformed", i)};
    tick += step;
    input.at = {tick};
    inputs.push_back(std::move(input));
  }
  if (!in.at_end()) return support::Error{"bytes follow the last input of the chunk"};
  return inputs;
}

}  // namespace replay
