#pragma once
// The secure kernel, called by a hostile NTOS: any service, any argument.
#include <array>
#include <cstring>

#include "abi/sk/call_frame.h"
#include "fuzz/engine/target.h"

namespace fuzzing {

/// Inputs: a byte, of which the low four bits are the number of calls less one; that many frames as they travel (RBX, then
/// XMM10..XMM15: abi::sk::SkCall, 0x68 bytes), zero where the input ends; all bytes behind them are the beginning of a page
/// of VTL 0 whose number is scratch_page(). A cookie of ~0 is that of the last answer.
class SecureCallTarget final : public Target {
 public:
  /// `guests`: the folder with the build's images and disk. `gear`: of the machine.
  explicit SecureCallTarget(std::string guests, loader::GearSetting gear = loader::GearSetting::Fast);

  [[nodiscard]] std::string_view name() const override { return "secure_call"; }
  [[nodiscard]] std::string_view description() const override { return "secure services, called by an NTOS that lies"; }
  [[nodiscard]] support::Result<std::unique_ptr<machine::Machine>> prepare(support::EventSink& events) override;
  void begin(machine::Machine& machine, std::span<const uint8_t> input) override;
  [[nodiscard]] Turn next(machine::Machine& machine) override;
  [[nodiscard]] bool answered(const machine::Machine& machine) const override;
  [[nodiscard]] std::vector<uint64_t> boundary() const override { return {call_ + call_bytes}; }
  [[nodiscard]] std::vector<std::string> describe(std::span<const uint8_t> input) const override;
  [[nodiscard]] std::vector<std::vector<uint8_t>> seeds() const override;
  [[nodiscard]] std::vector<std::vector<uint8_t>> dictionary() const override;
  [[nodiscard]] std::vector<uint8_t> mutate(std::span<const uint8_t> input, size_t maximum, uint64_t seed) const override;

  /// Page frame number; after prepare().
  [[nodiscard]] uint64_t scratch_page() const { return scratch_; }
  /// One call as an input.
  [[nodiscard]] static std::vector<uint8_t> input_of(const abi::sk::SkCall& call);

 private:
  static constexpr uint64_t call_bytes = 3;  // VMCALL
  struct Calls {
    size_t count{};
    std::span<const uint8_t> frames, page;
    [[nodiscard]] abi::sk::SkCall at(size_t position) const;
  };
  [[nodiscard]] static Calls parse(std::span<const uint8_t> input);
  [[nodiscard]] support::Result<std::unique_ptr<machine::Machine>> make(support::EventSink& events) const;

  std::string guests_;
  loader::GearSetting gear_;
  uint64_t call_{};     ///< linear address of the VMCALL
  uint64_t rax_{}, rcx_{};  ///< as the page of stubs loads them
  uint64_t scratch_{};
  Calls calls_;
  size_t next_{};
};

}  // namespace fuzzing
