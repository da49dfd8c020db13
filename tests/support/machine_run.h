#pragma once
// Boots a machine inside the test.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/machine_config.h"
#include "sim/machine/machine.h"
#include "tests/support/disk_variant.h"
#include "tests/support/recorder.h"

namespace test {

/// The three worlds of issue 2, all from the same disk.
[[nodiscard]] loader::MachineConfig bare_machine();
[[nodiscard]] loader::MachineConfig hypervisor_only();
[[nodiscard]] loader::MachineConfig with_vsm();

/// Ticks, idle ones included, after which a run counts as hanging.
inline constexpr uint64_t instruction_limit = 20'000'000'000;

class MachineRun {
 public:
  /// Without disk and firmware in `config`, those that the build made. `disk` of "none": an empty channel.
  explicit MachineRun(loader::MachineConfig config);

  [[nodiscard]] machine::Machine& machine() { return *machine_; }
  [[nodiscard]] const machine::Machine& machine() const { return *machine_; }
  [[nodiscard]] Recorder& seen() { return recorder_; }
  [[nodiscard]] const Recorder& seen() const { return recorder_; }

  /// Runs on to the end of the machine or the limit.
  machine::StopReason finish();
  /// Runs on until just after the next milestone that contains `text`. False if the machine ended before.
  [[nodiscard]] bool run_to_milestone(std::string_view text);
  [[nodiscard]] machine::StopReason stop() const { return stop_; }

  /// The CR3 of the latest process of this name; the test fails if there is none.
  [[nodiscard]] uint64_t process_cr3(std::string_view name) const;
  /// Where a driver or image was last loaded: base and size.
  struct Image {
    uint64_t base{}, size{};
    [[nodiscard]] bool contains(uint64_t address) const { return address - base < size; }
  };
  [[nodiscard]] Image image(std::string_view name) const;
  /// The name of the image that covers this kernel address, or empty.
  [[nodiscard]] std::string image_at(uint64_t address) const;
  /// Who called the hypercall page: the image of the return address on top of the stack of `vtl`. For watchers.
  [[nodiscard]] std::string caller_in(abi::hv::Vtl vtl) const;

 private:
  Recorder recorder_;
  std::unique_ptr<machine::Machine> machine_;
  machine::StopReason stop_{};
};

/// Counts instructions by level, privilege and image. Needs GearSetting::Exact.
class InstructionCount final : public vtl::InstructionObserver {
 public:
  /// Listens to `run`, and observes its machine from now on.
  explicit InstructionCount(MachineRun& run);

  void before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) override;

  [[nodiscard]] uint64_t in(abi::hv::Vtl vtl) const { return kernel_[vtl] + user_[vtl]; }
  [[nodiscard]] uint64_t user_mode_in(abi::hv::Vtl vtl) const { return user_[vtl]; }
  /// Instructions inside images of this name while they were loaded, in every level.
  [[nodiscard]] uint64_t in_image(std::string_view name) const;
  /// The instant of the first of them; support::never if there was none.
  [[nodiscard]] support::Instant first_in_image(std::string_view name) const;
  [[nodiscard]] uint64_t total() const;

 private:
  struct Loaded {
    std::string name;
    uint64_t base{}, size{}, cr3{};
    bool present{true};
    uint64_t executed{};
    support::Instant first{support::never};
    [[nodiscard]] bool covers(uint64_t rip, uint64_t in_cr3) const {
      return present && rip - base < size && (base >> 63 != 0 || cr3 == in_cr3);
    }
  };
  void on(const Seen& seen);
  [[nodiscard]] Loaded* image_at(uint64_t rip, uint64_t cr3);

  vtl::VtlArray<uint64_t> kernel_, user_;
  std::vector<Loaded> images_;
  size_t latest_{};
};

}  // namespace test
