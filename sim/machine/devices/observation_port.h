#pragma once
#include <functional>
#include <string>

#include "abi/boot/debug_port.h"
#include "sim/machine/devices/io_device.h"

namespace machine {

/// Reads memory as the caller of an OUT sees it, without any effect on the machine. Returns the bytes that were readable from
/// the start; 0 when the first byte was not.
using GuestReader = std::function<size_t(const vtl::VirtualProcessor& vp, mmu::Gva from, std::span<uint8_t> to)>;

/// The port on which guests say what they do (abi/boot/debug_port.h). Observation only: nothing that a guest can read depends
/// on it, and a malformed record is reported as such and otherwise ignored. Records from ring 3 are refused by IOPL.
class ObservationPort : public IoDevice {
 public:
  ObservationPort(GuestReader reader, support::EventSink* events)
      : reader_{std::move(reader)}, events_{events} {}

  uint32_t io_read(const IoContext&, uint16_t, uint8_t size) override { return all_ones(size); }
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

 private:
  template <class Record>
  bool fetch(const IoContext& context, Record& record);
  void report(const IoContext& context, support::EventKind kind, std::string_view text, uint64_t a = 0,
              uint64_t b = 0, uint64_t c = 0);
  void text_record(const IoContext& context, support::EventKind kind);
  void image_record(const IoContext& context, support::EventKind kind);
  void process_record(const IoContext& context, support::EventKind kind);

  GuestReader reader_;
  support::EventSink* events_;
};

}  // namespace machine
