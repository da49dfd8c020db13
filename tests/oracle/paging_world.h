#pragma once
// Random page tables on the other machine and in our translator: does the access land, with which error code, and which A
// and D bits are written.
#include <array>
#include <map>
#include <string>

#include "mmu/translator.h"
#include "sim/support/prng.h"
#include "tests/oracle/kvm_machine.h"

namespace oracle {

class PagingWorld {
 public:
  static constexpr uint64_t ram_bytes = 16u << 20;
  PagingWorld(KvmMachine& kvm, uint64_t seed);

  /// New tables from the stream of the seed.
  void new_tables();
  /// One random access on both sides. Empty, or what differs.
  std::string compare_once();
  /// By kind of end: landed, or the error code of the page fault.
  [[nodiscard]] const std::map<std::string, uint64_t>& ends() const { return ends_; }
  /// Accesses after which the other side had set more A bits than ours: speculation, which is allowed.
  [[nodiscard]] uint64_t more_accessed() const { return more_accessed_; }

 private:
  struct Attempt {
    uint64_t address{};
    mmu::AccessKind kind{};
    bool user{};
    uint64_t cr0{}, cr4{}, efer{}, rflags{};
  };
  struct End {
    bool ran{};
    std::string why_not;
    bool page_fault{};
    uint32_t error_code{};
    uint64_t cr2{};
    bool outside_ram{};
    uint64_t value{};  ///< what a read gave
  };
  void lay_out();
  void find_features();
  uint64_t random_entry(uint64_t table);
  Attempt random_attempt();
  vtl::VirtualProcessor registers_for(const Attempt& attempt) const;
  End other_end(const Attempt& attempt);
  std::string compare_tables();

  template <class T>
  void poke(uint64_t address, T value);

  KvmMachine& kvm_;
  support::Prng random_;
  mmu::PhysicalMemory memory_{ram_bytes};
  mmu::Translator translator_{memory_, {.physical_address_bits = 48}};
  bool amd_{};               ///< the processor that walks is AMD's
  uint64_t optional_cr4_{};  ///< SMEP, SMAP, if the other machine has them
  std::map<std::string, uint64_t> ends_;
  uint64_t more_accessed_{};
};

}  // namespace oracle
