#pragma once
// Records a run: every instruction with its bytes, in a full trace with registers and memory, and every event.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/support/events.h"
#include "sim/support/result.h"
#include "sim/trace/record_codec.h"
#include "vtl/instruction_observer.h"

namespace trace {

/// Reads the bytes at RIP without any effect on the machine (no A/D bits, no TLB change).
/// Implemented by the machine.
class CodeReader {
 public:
  virtual ~CodeReader() = default;
  /// Fills `out` from the instruction that `vp` is about to execute; how many bytes could be read.
  virtual size_t read_code(const vtl::VirtualProcessor& vp, std::span<uint8_t> out) = 0;
  /// The same for what the instruction reads, at a linear address. Nothing at devices.
  virtual size_t read_data(const vtl::VirtualProcessor& vp, uint64_t address,
                           std::span<uint8_t> out) = 0;
};

/// Facts about the run for a reader, in this order in the file; keys are single words. Never host
/// paths or times.
using Meta = std::vector<std::pair<std::string, std::string>>;

struct WriterOptions {
  bool instructions{true};  ///< false: events only
  Detail detail{Detail::Control};
  int compression{3};  ///< zstd level
};

/// After a write error it records nothing more, and the file is as OutputFile leaves it; the run
/// goes on. Ask status() now and then, and close() at the end.
class Writer final : public vtl::InstructionObserver, public support::EventSink {
 public:
  [[nodiscard]] static support::Result<std::unique_ptr<Writer>> create(const std::string& path,
                                                                       const Meta& meta,
                                                                       CodeReader* code,
                                                                       WriterOptions options = {});
  ~Writer() override;

  void before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) override;
  [[nodiscard]] bool needs_floating_point() const override { return false; }
  void on(const support::Event& event) override;

  /// The first error, if there was one.
  [[nodiscard]] support::Status status() const;
  /// Writes what is left and the end mark. Without it the file is readable but counts as
  /// interrupted.
  support::Status close();

  [[nodiscard]] uint64_t instructions() const;
  [[nodiscard]] uint64_t events() const;

 private:
  struct Impl;
  explicit Writer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace trace
