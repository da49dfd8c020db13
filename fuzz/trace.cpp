// The trace reader and all that shows what it reads. The first byte chooses how the rest is taken,
// because checksums would keep a fuzzer out of everything behind them:
//   0  a file as it is
//   1  a file whose checksums are made right first
//   2  the records of one chunk of a compact trace
//   3  the records of one chunk of a full trace
#include <cstdlib>
#include <cstring>

#include "sim/trace/call_tree.h"
#include "sim/trace/formatter.h"
#include "sim/trace/milestones.h"
#include "sim/trace/reader.h"
#include "sim/trace/trace_format.h"

namespace {

using trace::ChunkHeader;
using trace::FileHeader;

/// A few bytes can stand for millions of instructions.
constexpr size_t patience = 2000;

/// Everybody who listens to records.
class Audience {
 public:
  void on(const trace::Record& record) {
    text_.on(record);
    json_.on(record);
    if (const auto* event = std::get_if<trace::EventRecord>(&record)) {
      tree_.on(event->view());
      milestones_.on(event->view());
    }
  }

 private:
  static void line(std::string_view text) {
    if (text.find('\n') != std::string_view::npos) std::abort();
  }
  static void run_line(const trace::RunLine& shown) { line(trace::to_text(shown)); }

  loader::ImageCatalog text_images_, json_images_, milestone_images_;
  trace::Formatter text_{{.registers = true}, text_images_, line};
  trace::Formatter json_{{.json = true}, json_images_, line};
  trace::CallTreePrinter tree_{run_line, {.hypercalls = true}};
  trace::MilestonePrinter milestones_{run_line, milestone_images_, {true, true}};
};

template <class Header>
bool seal(std::vector<uint8_t>& file, size_t at, size_t covered, uint64_t Header::* sum) {
  auto header = loader::read_at<Header>(file, at);
  if (!header) return false;
  (*header).*sum = trace::checksum(trace::bytes_of(*header).first(covered));
  std::memcpy(file.data() + at, &*header, sizeof(Header));
  return true;
}

/// Makes all checksums match, so that the reader sees what the fuzzer wrote.
void repair(std::vector<uint8_t>& file) {
  if (!seal(file, 0, offsetof(FileHeader, checksum), &FileHeader::checksum)) return;
  for (size_t at = sizeof(FileHeader); at < file.size();) {
    auto header = loader::read_at<ChunkHeader>(file, at);
    if (!header) return;
    if (const auto payload = loader::part(file, at + sizeof *header, header->stored_size))
      header->payload_checksum = trace::checksum(*payload);
    std::memcpy(file.data() + at, &*header, sizeof *header);
    seal(file, at, offsetof(ChunkHeader, header_checksum), &ChunkHeader::header_checksum);
    at += sizeof *header + (size_t{header->stored_size} + 7) / 8 * 8;
  }
}

void read_file(const std::vector<uint8_t>& file) {
  auto reader = trace::Reader::over([&](uint64_t offset, std::span<uint8_t> out) -> size_t {
    if (offset >= file.size() || out.empty()) return 0;
    const size_t count = std::min<size_t>(out.size(), file.size() - static_cast<size_t>(offset));
    std::memcpy(out.data(), file.data() + offset, count);
    return count;
  });
  if (!reader) return;
  Audience audience;
  auto record = reader.value().read();
  for (size_t i = 0; i < patience && record.ok() && record.value() != nullptr; ++i) {
    audience.on(*record.value());
    record = reader.value().read();
  }
}

void read_records(trace::Detail detail, loader::Bytes chunk) {
  Audience audience;
  trace::RecordDecoder decoder{detail};
  decoder.start(chunk);
  for (size_t i = 0; i < patience; ++i) {
    const auto more = decoder.advance();
    if (!more || !more.value()) return;
    audience.on(decoder.current());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::vector<uint8_t> rest{data + 1, data + size};
  switch (data[0]) {
    case 0:
      read_file(rest);
      break;
    case 1:
      repair(rest);
      read_file(rest);
      break;
    case 2:
      read_records(trace::Detail::Control, rest);
      break;
    case 3:
      read_records(trace::Detail::Full, rest);
      break;
    default:
      break;
  }
  return 0;
}
