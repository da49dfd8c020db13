#include "sim/machine/devices/observation_port.h"

#include <algorithm>

namespace machine {
namespace {

/// The text that a record claims, cut to its field and with control characters made visible: it will be printed.
std::string clean(const char* text, size_t claimed, size_t capacity) {
  std::string result{text, std::min(claimed, capacity)};
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '.';
  }
  return result;
}

}  // namespace

void ObservationPort::report(const IoContext& context, support::EventKind kind, std::string_view text,
                             uint64_t a, uint64_t b, uint64_t c) {
  if (events_ == nullptr) return;
  events_->on({.at = context.now,
               .vp = context.vp.number,
               .vtl = context.vp.active,
               .kind = kind,
               .a = a,
               .b = b,
               .c = c,
               .rip = context.vp.context().rip,
               .text = text});
}

template <class Record>
bool ObservationPort::fetch(const IoContext& context, Record& record) {
  const mmu::Gva from{context.vp.shared.gpr[vtl::Rcx]};
  const std::span<uint8_t> to{reinterpret_cast<uint8_t*>(&record), sizeof(Record)};
  if (reader_(context.vp, from, to) == sizeof(Record)) return true;
  report(context, support::EventKind::DebugPrint, "[debug port: record is not readable]");
  return false;
}

void ObservationPort::text_record(const IoContext& context, support::EventKind kind) {
  abi::boot::DebugText record;
  if (!fetch(context, record)) return;
  std::string text{record.text, std::min<size_t>(record.length, sizeof(record.text))};
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  report(context, kind, clean(text.data(), text.size(), text.size()));
}

void ObservationPort::image_record(const IoContext& context, support::EventKind kind) {
  abi::boot::DebugImage record;
  if (!fetch(context, record)) return;
  const std::string name = clean(record.name, record.name_length, sizeof(record.name));
  report(context, kind, name, record.base, record.size, context.vp.context().cr3);
}

void ObservationPort::process_record(const IoContext& context, support::EventKind kind) {
  abi::boot::DebugProcess record;
  if (!fetch(context, record)) return;
  const std::string name = clean(record.name, record.name_length, sizeof(record.name));
  report(context, kind, name, record.pid, record.cr3, record.secure_handle);
}

void ObservationPort::io_write(const IoContext& context, uint16_t, uint8_t size, uint32_t value) {
  if (size != 4) return;
  using abi::boot::DebugEvent;
  switch (static_cast<DebugEvent>(value)) {
    case DebugEvent::ImageLoaded: return image_record(context, support::EventKind::ImageLoaded);
    case DebugEvent::ImageUnloaded: return image_record(context, support::EventKind::ImageUnloaded);
    case DebugEvent::Print: return text_record(context, support::EventKind::DebugPrint);
    case DebugEvent::Milestone: return text_record(context, support::EventKind::Milestone);
    case DebugEvent::ProcessCreated: return process_record(context, support::EventKind::ProcessCreated);
    case DebugEvent::ProcessExited: return process_record(context, support::EventKind::ProcessExited);
  }
  report(context, support::EventKind::DebugPrint, "[debug port: unknown kind of record]");
}

}  // namespace machine
