#pragma once
// How the rights to a page changed.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mmu/slat.h"
#include "sim/debugger/session.h"

namespace debugger::views {

struct PageChange {
  support::Instant at;
  uint32_t vp{};
  abi::hv::Vtl by_vtl{};  ///< who asked for it
  abi::hv::Vtl vtl{};     ///< whose rights
  mmu::SlatMapping before, after;
  uint64_t rip{};
};

/// Finds them among the hypercalls that change protections, which it reads once, and asks the machine at each what the rights
/// were before and after: an event says which pages were asked for only as long as they follow each other.
class SlatHistory {
 public:
  /// `session` must outlive this.
  explicit SlatHistory(Session& session) : session_{session} {}

  struct Changes {
    std::vector<PageChange> list;  ///< the latest first
    bool more{};
  };
  /// Before `before`, at most `maximum`. The machine stands elsewhere afterwards.
  [[nodiscard]] Changes of(abi::Gpa gpa, uint32_t vp, support::Instant before, size_t maximum);

 private:
  /// A hypercall, or a part of one, that changed [first, first + count) or pages that are not all known.
  struct Protection {
    support::Instant at;
    uint32_t vp{};
    abi::hv::Vtl vtl{};
    uint64_t first{}, count{};
    uint64_t rip{};
  };
  void learn();
  [[nodiscard]] bool may_change(const Protection& one, uint64_t page) const;

  Session& session_;
  std::shared_ptr<const char> run_;
  support::Instant known_;  ///< all before it were read
  std::vector<Protection> list_;
};

/// "r w kx ux" as far as permitted, "-" for none, "unmapped".
[[nodiscard]] std::string rights_words(const mmu::SlatMapping& mapping);

}  // namespace debugger::views
