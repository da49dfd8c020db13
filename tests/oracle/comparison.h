#pragma once
// One program on Airlock's processor and on the other one, from the same state: what differs in the end.
#include <string>
#include <vector>

#include "tests/oracle/kvm_machine.h"
#include "tests/oracle/program.h"
#include "tests/unit/cpu/world.h"

namespace oracle {

/// How a program ended, on either side.
enum class Ending : uint8_t { Halt, Port, Memory, Shutdown, TooLong, NotComparable, Hang, Failure };

struct Difference {
  std::string item;  ///< rax, rflags, xmm3, memory, ending ...
  uint64_t airlock{}, other{};
};

struct Result {
  static constexpr size_t no_op = ~size_t{0};
  bool compared{};  ///< false: one side could not run it to the end
  Ending ending{};
  bool event{};  ///< both ended in a handler
  unsigned vector{};  ///< of Airlock's, with `event`
  size_t faulting{no_op}, theirs{no_op};  ///< with `event`: for which instruction of the program the handlers were entered
  std::string why_not;
  std::vector<Difference> differences;
  uint64_t instructions{};
  [[nodiscard]] bool equal() const { return differences.empty(); }
};

/// Airlock's side: World with more kinds of pages, gates for 64-bit, 32-bit and 16-bit code, all A and D bits set.
class Arena : public cpu_test::World {
 public:
  explicit Arena(cpu::Gear gear);
  /// Registers and memory of a case. Equal seeds give equal states.
  void prepare(Mode mode, uint64_t seed, const Program& program);
  Ending run(uint64_t most);
  std::string failure;  ///< with Ending::Hang and Ending::Failure: what the engine says
  [[nodiscard]] uint64_t start() const { return start_; }
  [[nodiscard]] uint64_t code_base() const { return base_; }
  /// Pages that a program can reach without fault, or that the processor writes.
  [[nodiscard]] static std::vector<uint64_t> pages_of(Mode mode);
  [[nodiscard]] const std::vector<uint8_t>& pristine() const { return pristine_; }
  void restore_page(uint64_t page) { memory.restore_page(page, pristine_.data() + page * 4096); }

 private:
  void lay_out();
  void fill_registers(Mode mode, support::Prng& random);
  void fill_extremes(uint64_t seed);
  void enter(Mode mode, support::Prng& random);
  uint64_t start_{}, base_{};
  std::vector<uint8_t> pristine_;
};

class Comparison {
 public:
  Comparison(KvmMachine& kvm, cpu::Gear gear);
  Result run(const Program& program, uint64_t seed);
  /// Drops instructions while the difference stays.
  Program minimise(const Program& program, uint64_t seed, Result& result);
  [[nodiscard]] uint64_t start() const { return arena_.start(); }
  [[nodiscard]] Arena& arena() { return arena_; }

 private:
  void copy_memory(Mode mode);
  void restore_everything();
  void compare(const Program& program, Result& result);
  void compare_memory(const Program& program, uint16_t undefined, Result& result);
  [[nodiscard]] size_t op_at(const Program& program, uint64_t address) const;
  uint16_t undefined_at_end(const Program& program, uint64_t& flags_word, unsigned& width) const;

  KvmMachine& kvm_;
  Arena arena_;
  vtl::VirtualProcessor other_;
  bool synchronised_{};
};

/// The report of a failure: seed, mode, assembly, what differs.
std::string describe(const Program& program, uint64_t seed, uint64_t start, const Result& result);

}  // namespace oracle
