#pragma once
// Follows code forwards to its end without doing what it does: the caller of a function that nothing describes.
#include <map>
#include <memory>
#include <optional>

#include "sim/symbols/unwind.h"
#include "sim/trace/disassembler.h"
#include "sim/trace/micro_op.h"

namespace symbols {

/// Reads up to 16 bytes of code at `address`: from memory, else from the image's file.
[[nodiscard]] std::vector<uint8_t> read_code(const Frame& frame, const UnwindWorld& world, uint64_t address);
/// 8 bytes of the frame's memory.
[[nodiscard]] std::optional<uint64_t> read_word(const Frame& frame, const UnwindWorld& world, uint64_t address);
/// IRET's frame at `sp`: RIP, CS, RFLAGS, RSP, SS. The outer frame, entered by what `frame` runs in.
[[nodiscard]] support::Result<Frame> pop_machine_frame(const Frame& frame, const UnwindWorld& world, uint64_t sp);

class Follower {
 public:
  explicit Follower(const UnwindWorld& world) : world_{world} {}

  /// From frame.pc() to RET, IRET or SYSRET. Branches are taken when what lies behind them leads nowhere; calls are
  /// passed over. Errors: it leads to no end.
  [[nodiscard]] support::Result<Frame> follow(const Frame& frame);

 private:
  /// What is known at one point.
  struct State {
    Frame frame;
    std::map<uint64_t, std::optional<uint64_t>> written;  ///< words that were stored on the way, by address / 8
  };
  enum class Next : uint8_t { On, End, Nowhere };

  [[nodiscard]] Next step(State& state);
  [[nodiscard]] Next step_special(State& state, loader::Bytes bytes, bool& special);
  [[nodiscard]] Next jump(State& state, const trace::MicroOp& op, uint64_t next);
  void execute(State& state, const trace::MicroOp& op);
  void arithmetic(State& state, const trace::MicroOp& op);
  void execute_unknown(State& state, const trace::MicroOp& op, loader::Bytes bytes);
  [[nodiscard]] std::optional<uint64_t> address(const State& state, const trace::MicroOp& op) const;
  [[nodiscard]] std::optional<uint64_t> load(const State& state, uint64_t address, uint8_t size) const;
  void store(State& state, std::optional<uint64_t> address, std::optional<uint64_t> value, uint8_t size);
  [[nodiscard]] std::optional<uint64_t> get(const State& state, const trace::MicroOp& op,
                                            const trace::Operand& from) const;
  void set(State& state, const trace::MicroOp& op, const trace::Operand& to, std::optional<uint64_t> value);
  static void set_register(State& state, uint8_t number, std::optional<uint64_t> value);
  bool pop(State& state, std::optional<uint64_t>& value);
  void push(State& state, std::optional<uint64_t> value);

  const UnwindWorld& world_;
  trace::Disassembler disassembler_;
  trace::MicroOpDecoder decoder_;
  std::vector<State> alternatives_;
  uint64_t rip_{};      ///< of the instruction under way
  std::string reason_;  ///< why the latest path led nowhere
};

}  // namespace symbols
