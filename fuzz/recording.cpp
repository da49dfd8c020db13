// The recording's reader and everything behind it. The first byte chooses how the rest is taken, because checksums would
// keep a fuzzer out of everything behind them:
//   0  a file as it is
//   1  a file whose checksums and evidence are made right first
//   2  the events of one chunk; the second byte is their number
//   3  the hashes of one chunk; likewise
//   4  the inputs of one chunk; likewise
//   5  the text of META
//   6  the disk whose files are listed
//   7  the stretch before a keyframe
//   8  inputs as text
#include <cstdlib>
#include <cstring>

#include "sim/replay/compare.h"
#include "sim/replay/disk_files.h"
#include "sim/replay/recording.h"
#include "sim/replay/replayer.h"

namespace {

using container::ChunkHeader;
using container::FileHeader;

template <class Header>
bool seal(std::vector<uint8_t>& file, size_t at, size_t covered, uint64_t Header::* sum) {
  auto header = loader::read_at<Header>(file, at);
  if (!header) return false;
  (*header).*sum = container::checksum(container::bytes_of(*header).first(covered));
  std::memcpy(file.data() + at, &*header, sizeof(Header));
  return true;
}

/// Makes all checksums match, and the digests of feet, so that the reader sees what the fuzzer wrote.
void repair(std::vector<uint8_t>& file) {
  if (!seal(file, 0, offsetof(FileHeader, checksum), &FileHeader::checksum)) return;
  loader::Sha256 digest = loader::sha256({loader::Bytes{file}.first(sizeof(FileHeader))});
  for (size_t at = sizeof(FileHeader); at < file.size();) {
    auto header = loader::read_at<ChunkHeader>(file, at);
    if (!header) return;
    const size_t payload_at = at + sizeof *header;
    if (header->kind == replay::kind_foot && header->stored_size == sizeof(replay::Foot) &&
        loader::contains(file, payload_at, sizeof(replay::Foot)))
      std::memcpy(file.data() + payload_at + offsetof(replay::Foot, digest), digest.data(), digest.size());
    if (const auto payload = loader::part(file, payload_at, header->stored_size))
      header->payload_checksum = container::checksum(*payload);
    std::memcpy(file.data() + at, &*header, sizeof *header);
    seal(file, at, offsetof(ChunkHeader, header_checksum), &ChunkHeader::header_checksum);
    const uint64_t size = sizeof *header + container::padded(header->stored_size);
    const auto piece = loader::part(file, at, size);
    if (!piece) return;
    digest = loader::sha256({digest, *piece});
    at += static_cast<size_t>(size);
  }
}

void read_file(const std::vector<uint8_t>& file) {
  auto opened = replay::Recording::over(container::over(file));
  if (!opened) return;
  const replay::Recording& recording = opened.value();
  if (recording.complete() != recording.ending_text().empty()) std::abort();
  replay::EventCursor cursor = recording.events_from({});
  uint64_t events = 0;
  for (auto next = cursor.next(); next.ok() && next.value(); next = cursor.next(), ++events)
    static_cast<void>(replay::to_text(next.value()->view()));
  if (events != recording.events()) std::abort();
  if (recording.facts().firmware.size < 65536 && (!recording.facts().disk || recording.facts().disk->size < (4u << 20)))
    static_cast<void>(recording.images().ok());
  if (recording.facts().config.memory_bytes <= (128u << 20) && recording.keyframes().size() < 4)
    for (const replay::Keyframe& keyframe : recording.keyframes()) static_cast<void>(recording.keyframe(keyframe.at).ok());
  const auto comparison = replay::compare(recording, recording, nullptr);
  if (!comparison.ok() || comparison.value().first_state || comparison.value().first_event) std::abort();
}

void read_events(loader::Bytes payload, uint32_t count) {
  auto decoder = replay::EventDecoder::open(payload, count);
  if (!decoder) return;
  while (!decoder.value().at_end()) {
    const auto record = decoder.value().next();
    if (!record) return;
    static_cast<void>(replay::to_text(record.value().view()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::vector<uint8_t> rest{data + 1, data + size};
  const loader::Bytes payload = loader::Bytes{rest}.subspan(1);
  switch (data[0]) {
    case 0: read_file(rest); break;
    case 1:
      repair(rest);
      read_file(rest);
      break;
    case 2: read_events(payload, rest[0]); break;
    case 3:
      if (const auto points = replay::decode_points(payload, rest[0])) static_cast<void>(replay::encode(points.value()));
      break;
    case 4:
      if (const auto inputs = replay::decode_inputs(payload, rest[0])) static_cast<void>(replay::encode(inputs.value()));
      break;
    case 5:
      if (const auto facts = replay::parse_meta(rest)) static_cast<void>(replay::mismatch(facts.value()));
      break;
    case 6: static_cast<void>(replay::files_on(rest)); break;
    case 7:
      if (const auto span = replay::decode_span(payload, {}, {rest[0]}); span.ok()) {
        const auto again = replay::decode_span(replay::encode(span.value()), {}, {rest[0]});
        if (!again.ok() || !(again.value() == span.value())) std::abort();
      }
      break;
    case 8:
      if (const auto inputs = replay::parse_inputs({reinterpret_cast<const char*>(rest.data()), rest.size()}))
        for (const replay::Input& input : inputs.value()) static_cast<void>(replay::to_text(input));
      break;
    default: break;
  }
  return 0;
}
