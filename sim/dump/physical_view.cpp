#include "sim/dump/physical_view.h"

#include <cstring>

#include "abi/x64/paging.h"
#include "mmu/slat.h"

namespace dump {
namespace {

using support::Error;
using support::Result;

constexpr uint64_t entries = 512;
constexpr uint64_t most_runs = 65'000;            // an ELF file numbers its segments with 16 bits
constexpr uint64_t most_pages = uint64_t{1} << 26;  // 256 GiB of addresses, looked at page by page

mmu::AddressSpace space_of(const machine::Machine& machine, uint32_t vp, vtl::Vtl vtl) {
  return machine.hypervisor().address_space(machine.processor(vp), vtl);
}

/// Walks the tables and collects runs.
class SpaceWalk {
 public:
  SpaceWalk(const PhysicalView& view, MappedSpace& out) : view_{view}, out_{out} {}

  void table(uint64_t page, int level, uint64_t base, bool writable, bool executable, bool user) {
    const uint8_t* bytes = view_.bytes(page, true);
    for (uint64_t i = 0; bytes != nullptr && i < entries && out_.whole; ++i) {
      uint64_t entry = 0;
      std::memcpy(&entry, bytes + i * sizeof entry, sizeof entry);
      if ((entry & abi::x64::pte::present) == 0) continue;
      uint64_t address = base | i << (3 + 9 * level);
      if (level == 4 && (i & 256) != 0) address |= ~uint64_t{0} << 48;
      const bool w = writable && (entry & abi::x64::pte::writable) != 0;
      const bool x = executable && (entry & abi::x64::pte::no_execute) == 0;
      const bool u = user && (entry & abi::x64::pte::user) != 0;
      const bool leaf = level == 1 || (level <= 3 && (entry & abi::x64::pte::large_page) != 0);
      const uint64_t frame = (entry & 0x000f'ffff'ffff'f000) / abi::page_size;
      if (!leaf) {
        table(frame, level - 1, address, w, x, u);
        continue;
      }
      const uint64_t count = uint64_t{1} << (9 * (level - 1));
      pages(address, frame & ~(count - 1), count, w, x, u);
    }
  }

  void pages(uint64_t address, uint64_t frame, uint64_t count, bool writable, bool executable, bool user) {
    for (uint64_t i = 0; i < count; ++i) {
      if (++looked_at_ > most_pages || out_.runs.size() > most_runs) {
        out_.whole = false;
        return;
      }
      const auto page = view_.system_page(frame + i);
      if (!page || view_.view(frame + i) != PageView::Readable) {
        ++out_.left_out;
        continue;
      }
      add({address + i * abi::page_size, *page, 1, writable, executable, user});
    }
  }

 private:
  void add(const MappedRun& one) {
    if (!out_.runs.empty()) {
      MappedRun& last = out_.runs.back();
      if (last.address + last.pages * abi::page_size == one.address && last.page + last.pages == one.page &&
          last.writable == one.writable && last.executable == one.executable && last.user == one.user) {
        ++last.pages;
        return;
      }
    }
    out_.runs.push_back(one);
  }

  const PhysicalView& view_;
  MappedSpace& out_;
  uint64_t looked_at_{};
};

}  // namespace

PhysicalView::PhysicalView(const machine::Machine& machine, uint32_t vp, vtl::Vtl vtl)
    : pages_{machine.config().memory_bytes / abi::page_size},
      memory_{machine.translator().memory()},
      space_{space_of(machine, vp, vtl)} {}

std::optional<uint64_t> PhysicalView::system_page(uint64_t page) const {
  uint64_t spa = page * abi::page_size;
  if (space_.slat != nullptr) {
    const mmu::SlatMapping mapping = space_.slat->lookup(mmu::Gpa{spa});
    if (!mapping.mapped) return std::nullopt;
    spa = mapping.spa.value();
  }
  if (!memory_.contains(mmu::Spa{spa}, abi::page_size)) return std::nullopt;
  return spa / abi::page_size;
}

PageView PhysicalView::view(uint64_t page) const {
  if (!system_page(page)) return PageView::Unmapped;
  if (space_.slat == nullptr) return PageView::Readable;
  return space_.slat->lookup(mmu::Gpa{page * abi::page_size}).rights.read ? PageView::Readable : PageView::Denied;
}

const uint8_t* PhysicalView::bytes(uint64_t page, bool privileged) const {
  const auto system = system_page(page);
  if (!system || (!privileged && view(page) != PageView::Readable)) return nullptr;
  return memory_.page_pointer(mmu::Spa{*system * abi::page_size});
}

Result<MappedSpace> map_space(const machine::Machine& machine, uint32_t vp, vtl::Vtl vtl) {
  const mmu::AddressSpace space = space_of(machine, vp, vtl);
  const PhysicalView view{machine, vp, vtl};
  MappedSpace out;
  SpaceWalk walk{view, out};
  switch (mmu::paging_mode(space.stage1)) {
    case mmu::PagingMode::None: walk.pages(0, 0, view.pages(), true, true, true); break;
    case mmu::PagingMode::FourLevel:
      walk.table((space.stage1.cr3 & 0x000f'ffff'ffff'f000) / abi::page_size, 4, 0, true, true, true);
      break;
    default:
      return Error{"only address spaces of four levels, or without paging, are written: not implemented for others"};
  }
  return out;
}

}  // namespace dump
