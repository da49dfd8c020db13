#pragma once
// Random page tables in the library's own MMU and in our translator: does the access land, where, with which error code,
// and which A and D bits are written. Airlock never uses that MMU: its virtual TLB replaces it.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mmu/translator.h"
#include "sim/support/prng.h"

struct uc_struct;
struct uc_context;

namespace oracle {

class UnicornPagingWorld {
 public:
  static constexpr uint64_t ram_bytes = 16u << 20;
  UnicornPagingWorld(mmu::PagingMode mode, uint64_t seed);
  ~UnicornPagingWorld();
  UnicornPagingWorld(const UnicornPagingWorld&) = delete;
  UnicornPagingWorld& operator=(const UnicornPagingWorld&) = delete;

  /// Empty, or why this library cannot be asked.
  [[nodiscard]] const std::string& why_not() const { return why_not_; }
  /// New tables from the stream of the seed.
  void new_tables();
  /// One random access on both sides. Empty, or what differs.
  std::string compare_once();
  /// By kind of end: landed, outside RAM, or the vector and error code of the fault.
  [[nodiscard]] const std::map<std::string, uint64_t>& ends() const { return ends_; }
  /// Accesses after which the library had set more A bits than ours.
  [[nodiscard]] uint64_t more_accessed() const { return more_accessed_; }
  /// Bits of CR4 that the library's processor has, of those that translation looks at.
  [[nodiscard]] uint64_t features() const { return features_; }

 private:
  struct Attempt {
    uint64_t address{};
    mmu::AccessKind kind{};
    bool user{}, alignment_check{};
    uint64_t cr0{}, cr4{}, efer{};
  };
  struct End {
    bool ran{};
    std::string why_not;
    int vector{-1};  ///< of the exception, or -1
    uint32_t error_code{};
    uint64_t cr2{};
    bool outside_ram{};
    uint64_t value{};  ///< what a read gave, or a byte of the code that was jumped to
  };
  bool open_library();
  bool long_mode() const { return mode_ == mmu::PagingMode::FourLevel || mode_ == mmu::PagingMode::FiveLevel; }
  unsigned entry_bytes() const { return mode_ == mmu::PagingMode::Bits32 ? 4 : 8; }
  int levels() const;
  void lay_out();
  uint64_t random_entry();
  Attempt random_attempt();
  uint64_t random_address();
  mmu::AddressSpace space_for(const Attempt& attempt) const;
  End library_end(const Attempt& attempt);
  bool load_registers(const Attempt& attempt);
  std::string judge(const Attempt& attempt, const mmu::TranslationResult& ours, const End& theirs);
  std::string compare_memory(const mmu::TranslationResult& ours, const Attempt& attempt);
  void poke_entry(uint64_t table, uint32_t index, uint64_t value);

  mmu::PagingMode mode_;
  support::Prng random_;
  mmu::PhysicalMemory memory_{ram_bytes};
  mmu::Translator translator_;
  std::vector<uint8_t> ram_;  ///< the library's
  uc_struct* engine_{};
  uc_context* pristine_{};  ///< ring 0, no exception before: a second one would be reported as a double fault
  std::string why_not_;
  uint64_t features_{};
  std::map<std::string, uint64_t> ends_;
  uint64_t more_accessed_{};
};

}  // namespace oracle
