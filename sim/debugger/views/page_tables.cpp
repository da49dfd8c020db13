#include "sim/debugger/views/page_tables.h"

#include <fmt/format.h>

#include <cstring>

#include "abi/x64/paging.h"
#include "mmu/slat.h"

namespace debugger::views {
namespace {

namespace x64 = abi::x64;

class Finder {
 public:
  Finder(const Eye& eye, size_t root, size_t maximum, TablePages& pages)
      : eye_{eye}, memory_{eye.machine.translator().memory()}, root_{root}, maximum_{maximum}, pages_{pages} {}

  void table(uint64_t gpa, int level, bool kernel) {
    if (pages_.size() >= maximum_) return;
    const bool is_new = pages_.try_emplace(gpa / abi::page_size, TablePage{root_, static_cast<uint8_t>(level), kernel}).second;
    if (!is_new || level == x64::page_table_level) return;
    const uint8_t* entries = bytes_of(gpa);
    if (entries == nullptr) return;
    for (uint32_t i = 0; i < x64::entries_per_table; ++i) {
      uint64_t entry = 0;
      std::memcpy(&entry, entries + i * sizeof entry, sizeof entry);
      const bool leaf = level <= x64::directory_pointer_level && (entry & x64::pte::large_page) != 0;
      if ((entry & x64::pte::present) == 0 || leaf) continue;
      const bool upper = i >= x64::entries_per_table / 2;
      table(entry & x64::pte::address_mask, level - 1, is_top(level) ? upper : kernel);
    }
  }
  [[nodiscard]] int top() const {
    switch (mmu::paging_mode(eye_.space.stage1)) {
      case mmu::PagingMode::FourLevel: return x64::pml4_level;
      case mmu::PagingMode::FiveLevel: return x64::pml5_level;
      default: return 0;
    }
  }

 private:
  [[nodiscard]] bool is_top(int level) const { return level == top(); }
  /// A page as the hypervisor sees it, whatever the VTL may do there; null where there is none.
  [[nodiscard]] const uint8_t* bytes_of(uint64_t gpa) const {
    mmu::Spa spa{gpa};
    if (eye_.space.slat != nullptr) {
      const mmu::SlatMapping mapping = eye_.space.slat->lookup(mmu::Gpa{gpa});
      if (!mapping.mapped) return nullptr;
      spa = mapping.spa;
    }
    return memory_.contains(spa, abi::page_size) ? memory_.data() + spa.value() : nullptr;
  }

  const Eye& eye_;
  const mmu::PhysicalMemory& memory_;
  size_t root_, maximum_;
  TablePages& pages_;
};

}  // namespace

TablePages table_pages(const machine::Machine& machine, uint32_t vp, const std::vector<TableRoot>& roots, size_t maximum) {
  TablePages pages;
  for (size_t i = 0; i < roots.size(); ++i) {
    const Eye eye = views::eye(machine, vp, roots[i].vtl, roots[i].cr3);
    Finder finder{eye, i, maximum, pages};
    if (finder.top() != 0) finder.table(roots[i].cr3 & x64::pte::address_mask, finder.top(), false);
  }
  return pages;
}

std::string text_of(const TablePage& page, const std::vector<TableRoot>& roots) {
  constexpr std::string_view names[] = {"page table", "page directory", "page-directory-pointer table", "PML4 table", "PML5 table"};
  const TableRoot& root = roots[page.root];
  const std::string_view name = names[(page.level - 1u) % std::size(names)];
  if (page.kernel) return fmt::format("{} of VTL {}'s kernel", name, static_cast<unsigned>(root.vtl));
  return fmt::format("{} of {} in VTL {}", name, root.owner, static_cast<unsigned>(root.vtl));
}

}  // namespace debugger::views
