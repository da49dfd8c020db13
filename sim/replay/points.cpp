#include "sim/replay/points.h"

#include <fmt/format.h>

#include "sim/container/varint.h"

namespace replay {

using container::put_signed_varint;
using container::put_varint;
using support::Error;
using support::Result;

namespace {

constexpr const char* register_names[trace::register_count] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",    "r8",      "r9",
    "r10", "r11", "r12", "r13", "r14", "r15", "rflags", "fs.base", "gs.base", "cr3"};

void put_word(std::vector<uint8_t>& out, uint64_t value) {
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

}  // namespace

Point point_of(machine::Machine& machine) {
  const trace::InstructionRecord record = trace::capture(machine.now(), machine.processor());
  Point point;
  point.at = machine.now();
  point.instructions = machine.now().ticks - machine.idle_ticks();
  point.state = machine.fingerprint();
  point.vp = record.vp;
  point.vtl = record.vtl;
  point.rip = record.rip;
  point.registers = record.registers;
  return point;
}

std::string place(const Point& point) {
  return fmt::format("VP {}, VTL {}, RIP {:#x}", point.vp, static_cast<unsigned>(point.vtl), point.rip);
}

std::string differences(const Point& found, const Point& expected) {
  std::string text;
  const auto add = [&](std::string_view name, uint64_t a, uint64_t b) {
    if (a != b) text += fmt::format("{}{} {:#x} instead of {:#x}", text.empty() ? "" : ", ", name, a, b);
  };
  add("instant", found.at.ticks, expected.at.ticks);
  add("instructions", found.instructions, expected.instructions);
  add("VP", found.vp, expected.vp);
  add("VTL", static_cast<uint64_t>(found.vtl), static_cast<uint64_t>(expected.vtl));
  add("rip", found.rip, expected.rip);
  for (size_t i = 0; i < found.registers.size(); ++i) add(register_names[i], found.registers[i], expected.registers[i]);
  if (text.empty() && found.state != expected.state)
    text = "the general registers are equal; memory, another register or a device differs";
  return text;
}

std::vector<uint8_t> encode(const std::vector<Point>& points) {
  std::vector<uint8_t> out;
  Point last;
  for (const Point& point : points) {
    put_varint(out, point.at.ticks - last.at.ticks);
    put_varint(out, point.instructions - last.instructions);
    put_word(out, point.state.low);
    put_word(out, point.state.high);
    put_varint(out, point.vp);
    out.push_back(static_cast<uint8_t>(point.vtl));
    put_signed_varint(out, point.rip - last.rip);
    for (size_t i = 0; i < point.registers.size(); ++i)
      put_signed_varint(out, point.registers[i] - last.registers[i]);
    last = point;
  }
  return out;
}

Result<std::vector<Point>> decode_points(loader::Bytes payload, uint32_t count) {
  container::ByteReader in{payload};
  std::vector<Point> points;
  Point point;
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t before = point.at.ticks;
    point.at.ticks += in.varint();
    point.instructions += in.varint();
    point.state.low = in.value<uint64_t>();
    point.state.high = in.value<uint64_t>();
    const uint64_t vp = in.varint();
    const uint8_t vtl = in.byte();
    point.vp = static_cast<uint32_t>(vp);
    point.vtl = static_cast<abi::hv::Vtl>(vtl);
    point.rip += in.signed_varint();
    for (uint64_t& value : point.registers) value += in.signed_varint();
    if (in.failed() || vp > ~uint32_t{0} || vtl >= abi::hv::implemented_vtls || point.at.ticks < before ||
        point.instructions > point.at.ticks)
      return Error{fmt::format("hash {} of the chunk is malformed", i)};
    points.push_back(point);
  }
  if (!in.at_end()) return Error{"bytes follow the last hash of the chunk"};
  return points;
}

}  // namespace replay
