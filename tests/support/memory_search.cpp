#include "tests/support/memory_search.h"

#include <algorithm>
#include <cstring>

namespace test {
namespace {

constexpr uint64_t page = 4096;

void append(std::vector<uint8_t>& bytes, uint64_t value) {
  const auto* from = reinterpret_cast<const uint8_t*>(&value);
  bytes.insert(bytes.end(), from, from + sizeof value);
}

void search_page(std::span<const uint8_t> text, std::span<const uint8_t> pattern, uint64_t gpa,
                 std::vector<uint64_t>& found) {
  auto at = text.begin();
  while ((at = std::search(at, text.end(), pattern.begin(), pattern.end())) != text.end()) {
    found.push_back(gpa + static_cast<uint64_t>(at - text.begin()));
    ++at;
  }
}

}  // namespace

mmu::SlatMapping slat_lookup(const machine::Machine& machine, abi::hv::Vtl vtl, uint64_t gpa) {
  const mmu::AddressSpace space = machine.view(vtl);
  if (space.slat == nullptr) return {true, mmu::Spa{gpa}, mmu::all_rights, mmu::PageSize::Size4K};
  return space.slat->lookup(mmu::Gpa{gpa});
}

std::vector<uint64_t> find_in_memory(const machine::Machine& machine, abi::hv::Vtl vtl,
                                     std::span<const uint8_t> pattern, const Wanted& wanted) {
  const mmu::PhysicalMemory& memory = machine.translator().memory();
  std::vector<uint64_t> found;
  // The end of the page before, so that a pattern across the boundary is seen; with contiguous GPAs in front of it.
  std::vector<uint8_t> window;
  for (uint64_t gpa = 0; gpa < machine.config().memory_bytes; gpa += page) {
    const mmu::SlatMapping mapping = slat_lookup(machine, vtl, gpa);
    if (!mapping.mapped || !wanted(mapping.rights) || !memory.contains(mapping.spa, page)) {
      window.clear();
      continue;
    }
    const size_t carried = window.size();
    const uint8_t* bytes = memory.data() + mapping.spa.value();
    window.insert(window.end(), bytes, bytes + page);
    search_page(window, pattern, gpa - carried, found);
    const size_t keep = std::min<size_t>(pattern.size() - 1, window.size());
    window.erase(window.begin(), window.end() - static_cast<ptrdiff_t>(keep));
  }
  return found;
}

std::optional<uint64_t> stage1_target(const machine::Machine& machine, uint64_t cr3, uint64_t address) {
  const mmu::AddressSpace space = machine.view(abi::hv::Vtl::Vtl0, cr3);
  const mmu::Access access{mmu::Gva{address}, mmu::AccessKind::Read, false, false};
  const auto result = machine.translator().walk_only(space, access, nullptr);
  if (result.ok) return result.translation.gpa.value();
  if (result.fault.kind == mmu::FaultKind::SlatViolation && !result.fault.paging_structure) return result.fault.gpa.value();
  return std::nullopt;
}

std::vector<uint8_t> read_physical(const machine::Machine& machine, abi::hv::Vtl vtl, uint64_t gpa, size_t count) {
  std::vector<uint8_t> bytes(count);
  bytes.resize(mmu::read_gpa(machine.translator(), machine.view(vtl), mmu::Gpa{gpa}, bytes));
  return bytes;
}

std::vector<uint8_t> visible_registers(const vtl::VirtualProcessor& vp) {
  std::vector<uint8_t> bytes;
  for (const uint64_t value : vp.shared.gpr) append(bytes, value);
  for (const uint64_t value : vp.shared.dr) append(bytes, value);
  append(bytes, vp.shared.cr2);
  for (const vtl::Xmm& value : vp.shared.fp.xmm) {
    append(bytes, value.low);
    append(bytes, value.high);
  }
  for (const vtl::Xmm& value : vp.shared.fp.st) {
    append(bytes, value.low);
    append(bytes, value.high);
  }
  return bytes;
}

}  // namespace test
