#pragma once
// A partition whose code in both VTLs is random: hypercalls, MSRs, registers of other VTLs, page tables, random bytes.
#include <array>
#include <string>
#include <vector>

#include "abi/hv/hypercalls.h"
#include "sim/cpu/unicorn_cpu.h"
#include "sim/support/prng.h"
#include "tests/unit/vtl/world.h"

namespace soak {

/// GPAs of the partition; its memory is mapped onto itself, for CPL 3 too.
enum PartitionPlace : uint64_t {
  page_maps = 0x30000,  ///< PML4, PDPT, page directory, then page tables
  tables = 0x41000,     ///< of VTL n at + n * 0x4000: GDT, IDT, TSS, handlers, 0x1000 each
  code = 0x50000,       ///< of VTL n at + n * 0x8000
  stacks = 0x68000,     ///< tops, of VTL n at + n * 0x4000
  cells =
      0x70000,  ///< of VTL n at + n * 64: where to go on after an exception, then SS, RSP, RFLAGS, CS
  slots = 0x80000,  ///< inputs of hypercalls
};

class PartitionWorld final : public cpu::AddressSpaceProvider, public cpu::MmioBus {
 public:
  PartitionWorld(cpu::Gear gear, uint64_t seed);

  /// Runs to an instant. False: nothing more will happen, and `ending` says why.
  bool run_until(uint64_t instant);
  [[nodiscard]] support::StateHash state();
  [[nodiscard]] uint64_t now() const { return world_.now.ticks; }
  void forget_translations() { processor_->restore(processor_->state()); }
  void observe(vtl::InstructionObserver* observer) { processor_->observe(observer); }
  [[nodiscard]] const mmu::Translator& translator() const { return world_.translator; }
  std::string ending;
  bool failed{};  ///< the engine or the hypervisor says that it cannot go on
  [[nodiscard]] uint64_t hypercalls() { return world_.hypervisor.statistics().hypercalls; }

  [[nodiscard]] mmu::AddressSpace address_space(const vtl::VirtualProcessor& vp) const override;
  uint64_t mmio_read(vtl::VirtualProcessor& vp, support::Instant now, mmu::Spa address,
                     uint8_t size) override;
  void mmio_write(vtl::VirtualProcessor& vp, support::Instant now, mmu::Spa address, uint8_t size,
                  uint64_t value) override;

 private:
  void build_tables();
  void build_descriptors(unsigned vtl);
  void enter(unsigned vtl);
  void write_program(unsigned vtl);
  bool apply(const vtl::Outcome& outcome, const vtl::Exit& exit);
  bool not_mine(const vtl::Exit& exit);
  bool end(std::string why, bool failure = false);

  template <class T>
  void poke(uint64_t gpa, T value) {
    world_.memory.write(mmu::Spa{gpa}, value);
  }
  void put(uint64_t gpa, const std::vector<uint8_t>& bytes);

  support::Prng random_;
  test::World world_;
  std::unique_ptr<cpu::Cpu> processor_;
  std::array<bool, 2> user_{};
};

/// A program of `steps` steps for one VTL: its bytes, to lie at `at`. `fill` writes parameters of hypercalls.
class PartitionProgram {
 public:
  PartitionProgram(support::Prng& random, unsigned vtl, uint64_t at);
  void step();
  void finish();
  [[nodiscard]] const std::vector<uint8_t>& bytes() const { return bytes_; }
  struct Block {
    uint64_t gpa;
    std::vector<uint8_t> bytes;
  };
  [[nodiscard]] const std::vector<Block>& blocks() const { return blocks_; }

 private:
  void emit(std::initializer_list<unsigned> bytes);
  void imm32(uint64_t value);
  void imm64(uint64_t value);
  void load(unsigned gpr, uint64_t value);
  void hypercall();
  void vtl_switch();
  void msr();
  void page_table();
  void control_register();
  void touch();
  void raw();
  uint64_t value();
  uint64_t address();
  uint64_t field_value(const abi::Field& field);

  support::Prng& random_;
  unsigned vtl_;
  uint64_t at_;
  uint64_t next_slot_;
  std::vector<uint8_t> bytes_;
  std::vector<Block> blocks_;
};

}  // namespace soak
