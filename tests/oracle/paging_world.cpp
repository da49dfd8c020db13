#include "tests/oracle/paging_world.h"

#include <fmt/format.h>

#include <cstring>

#include "abi/x64/paging.h"
#include "abi/x64/registers.h"
#include "mmu/explain.h"

namespace oracle {

namespace x64 = abi::x64;
namespace pte = abi::x64::pte;
using mmu::AccessKind;

namespace {

// Physical pages with a fixed use, seen at `kernel_base` by CPL 0 and at `user_base` by CPL 3.
// Both in the lower half: a KVM that emulates keeps the upper one for itself.
constexpr uint64_t kernel_base = 0x0180'0000'0000, user_base = 0x0100'0000'0000;
constexpr uint64_t gdt = 0x1000, idt = 0x2000, tss = 0x3000, handlers = 0x4000, code = 0x5000,
                   stack = 0x8000, fixed_tables = 0x10000;
// Random ones: tables, of which the first is the root; then data.
constexpr uint64_t table_base = 0x200000, table_pool = 24, data_base = 0x240000, data_pages = 40;
constexpr uint32_t indices[] = {0, 1, 255, 510, 511};
constexpr unsigned fixed_user = 2, fixed_kernel = 3;

/// Each is followed by HLT.
constexpr uint8_t read_code[] = {0x8b, 0x03};               // mov eax, [rbx]
constexpr uint8_t write_code[] = {0xf0, 0x80, 0x0b, 0x00};  // lock or byte [rbx], 0
constexpr uint8_t jump_code[] = {0xff, 0xe3};               // jmp rbx
constexpr uint64_t code_of[] = {code, code + 0x10, code + 0x20};

}  // namespace

template <class T>
void PagingWorld::poke(uint64_t address, T value) {
  memory_.write(mmu::Spa{address}, value);
}

PagingWorld::PagingWorld(KvmMachine& kvm, uint64_t seed)
    : kvm_{kvm}, random_{seed, "paging oracle"} {
  amd_ = kvm.kind().kernel_is_native && __builtin_cpu_is("amd") != 0;
  lay_out();
  find_features();
  new_tables();
}

void PagingWorld::lay_out() {
  constexpr uint64_t used = pte::present | pte::writable | pte::accessed | pte::dirty;
  const auto map_fixed = [&](unsigned slot, uint64_t tables, uint64_t user) {
    poke(table_base + 8 * slot, tables | used | user);
    poke(tables, (tables + 0x1000) | used | user);
    poke(tables + 0x1000, (tables + 0x2000) | used | user);
    for (uint64_t page = 0; page < 16; ++page)
      poke(tables + 0x2000 + 8 * page, page * 4096 | used | user);
  };
  map_fixed(fixed_user, fixed_tables, pte::user);
  map_fixed(fixed_kernel, fixed_tables + 0x4000, 0);
  const uint64_t descriptors[] = {
      0,
      0x00af9b000000ffff,
      0x00cf93000000ffff,
      0x00cffb000000ffff,
      0,
      0x00cff3000000ffff,
      0x00affb000000ffff,
      0,
      uint64_t{0x00008b0000000067} | (tss & 0xffff) << 16 | uint64_t{0} << 32,
      0x0180};
  for (size_t i = 0; i < std::size(descriptors); ++i)
    poke(gdt + 8 * i, descriptors[i]);
  poke(tss + 4, kernel_base + stack);
  for (unsigned vector = 0; vector < 32; ++vector) {
    const uint64_t handler = kernel_base + handlers + vector * 16;
    poke(idt + vector * 16, (handler & 0xffff) | uint64_t{8} << 16 | uint64_t{0x8e} << 40 |
                                (handler >> 16 & 0xffff) << 48);
    poke(idt + vector * 16 + 8, handler >> 32);
    poke<uint8_t>(handlers + vector * 16, 0xf4);
  }
  const std::span<const uint8_t> programs[] = {read_code, write_code, jump_code};
  for (unsigned i = 0; i < 3; ++i) {
    for (size_t at = 0; at < programs[i].size(); ++at)
      poke(code_of[i] + at, programs[i][at]);
    poke<uint8_t>(code_of[i] + programs[i].size(), 0xf4);
  }
  // HLT at each multiple of 4, and the number of the page.
  for (uint64_t page = 0; page < data_pages; ++page) {
    for (uint64_t at = 0; at < 4096; at += 4)
      poke(data_base + page * 4096 + at, static_cast<uint32_t>(0xf4 | page << 8));
  }
}

uint64_t PagingWorld::random_entry(uint64_t table) {
  uint64_t entry = random_.one_in(30) ? 0 : pte::present;
  if (!random_.one_in(8)) entry |= pte::writable;
  if (!random_.one_in(6)) entry |= pte::user;
  if (random_.one_in(15)) entry |= pte::no_execute;
  if (random_.one_in(2)) entry |= pte::accessed;
  if (random_.one_in(3)) entry |= pte::dirty;
  // Above the leaf AMD's processors reserve bit 8.
  if (!amd_ && random_.one_in(4)) entry |= pte::global;
  if (random_.one_in(60)) entry |= uint64_t{1} << random_.between(48, 62);
  if (table % 4 != 0 && random_.one_in(8)) {
    entry |= pte::large_page;
    if (random_.one_in(8)) return entry | random_.below(8) << 12;  // reserved bits, or PAT
    if (random_.one_in(3)) return entry;                           // fits 1 GiB too
    return entry | random_.below(8) << 21;
  }
  if (!random_.one_in(3)) {
    uint64_t next = 1 + random_.below(table_pool - 1);
    // Tables without large pages below the root, where those would have 1 GiB.
    if (table == 0 && !kvm_.kind().gib_pages) next &= ~uint64_t{3};
    return entry | (table_base + next * 4096);
  }
  return entry | (data_base + random_.below(data_pages) * 4096);
}

void PagingWorld::new_tables() {
  for (uint64_t table = 0; table < table_pool; ++table) {
    for (const uint32_t index : indices)
      poke(table_base + table * 4096 + 8 * index, random_entry(table));
  }
  std::memcpy(kvm_.ram().data(), memory_.data(), ram_bytes);
  kvm_.forget_translations();
}

/// Which of SMEP and SMAP KVM accepts.
void PagingWorld::find_features() {
  for (const uint64_t bit : {x64::cr4::smep, x64::cr4::smap}) {
    Attempt attempt;
    attempt.cr0 = 0x80010033;
    attempt.cr4 = 0xa0 | bit;
    attempt.efer = 0xd01;
    attempt.rflags = 2;
    if (kvm_.load(registers_for(attempt))) optional_cr4_ |= bit;
  }
}

PagingWorld::Attempt PagingWorld::random_attempt() {
  Attempt attempt;
  uint64_t address = random_.below(1024) * 4;
  for (int level = 1; level <= 4; ++level)
    address |= uint64_t{indices[random_.below(std::size(indices))]} << (12 + 9 * (level - 1));
  if ((address >> 47) % 2 == 1) address |= 0xffff'0000'0000'0000;
  attempt.address = address;
  attempt.kind = static_cast<AccessKind>(random_.below(3));
  attempt.user = random_.one_in(2);
  // A KVM that emulates keeps the upper half from CPL 3.
  if (attempt.user && !kvm_.kind().kernel_is_native) attempt.address &= (uint64_t{1} << 47) - 1;
  attempt.cr0 = 0x80000033 | (random_.one_in(2) ? x64::cr0::wp : 0);
  attempt.cr4 = 0x620 | (random_.one_in(2) ? x64::cr4::pge : 0);
  if (random_.one_in(2)) attempt.cr4 |= optional_cr4_ & x64::cr4::smep;
  if (random_.one_in(2)) attempt.cr4 |= optional_cr4_ & x64::cr4::smap;
  attempt.efer = 0x501 | (random_.one_in(4) ? 0 : x64::efer::nxe);
  attempt.rflags = 2;
  if ((attempt.cr4 & x64::cr4::smap) != 0 && random_.one_in(2)) attempt.rflags |= x64::rflags::ac;
  return attempt;
}

vtl::VirtualProcessor PagingWorld::registers_for(const Attempt& attempt) const {
  vtl::VirtualProcessor vp;
  vtl::VtlContext& c = vp.context();
  c.cr0 = attempt.cr0;
  c.cr3 = table_base;
  c.cr4 = attempt.cr4;
  c.efer = attempt.efer;
  c.rflags = attempt.rflags | (attempt.user ? x64::rflags::if_ : 0);
  const uint64_t base = attempt.user ? user_base : kernel_base;
  const uint16_t data = attempt.user ? 0x2b : 0x10;
  c.segments.fill({0, ~0u, data, static_cast<uint16_t>(attempt.user ? 0xc0f3 : 0xc093)});
  c.segments[vtl::Cs] = {0, ~0u, static_cast<uint16_t>(attempt.user ? 0x33 : 0x08),
                         static_cast<uint16_t>(attempt.user ? 0xa0fb : 0xa09b)};
  c.ldtr = {0, 0, 0, 2};
  c.gdtr = {kernel_base + gdt, 0x4f};
  c.idtr = {kernel_base + idt, 0x1ff};
  c.tr = {kernel_base + tss, 0x67, 0x40, 0x8b};
  c.rip = base + code_of[static_cast<unsigned>(attempt.kind)];
  c.rsp = base + stack + 0x1000;
  vp.shared.gpr[vtl::Rbx] = attempt.address;
  return vp;
}

PagingWorld::End PagingWorld::other_end(const Attempt& attempt) {
  End end;
  if (!kvm_.load(registers_for(attempt))) {
    end.why_not = "registers refused";
    return end;
  }
  const KvmStop stop = kvm_.run();
  if (stop == KvmStop::Memory) {
    end.ran = end.outside_ram = true;
    return end;
  }
  if (stop != KvmStop::Halt) {
    end.why_not = name_of(stop);
    return end;
  }
  vtl::VirtualProcessor vp;
  kvm_.store(vp);
  const uint64_t rip = vp.context().rip - 1;
  const uint64_t vector = (rip - kernel_base - handlers) / 16;
  end.ran = true;
  end.value = vp.shared.gpr[vtl::Rax] & 0xffffffff;
  if (vector >= 32) return end;  // CPL 0 came to an HLT
  if (vector == 13) return end;  // CPL 3 did
  if (vector != 14) {
    end.ran = false;
    end.why_not = fmt::format("vector {}", vector);
    return end;
  }
  end.page_fault = true;
  end.cr2 = vp.shared.cr2;
  std::memcpy(&end.error_code, kvm_.ram().data() + (vp.context().rsp - kernel_base), 4);
  return end;
}

std::string PagingWorld::compare_tables() {
  bool more = false;
  for (uint64_t table = 0; table < table_pool; ++table) {
    for (const uint32_t index : indices) {
      const uint64_t at = table_base + table * 4096 + 8 * index;
      const uint64_t ours = memory_.read<uint64_t>(mmu::Spa{at});
      uint64_t theirs;
      std::memcpy(&theirs, kvm_.ram().data() + at, 8);
      if (ours == theirs) continue;
      if ((theirs ^ ours) == pte::accessed && (theirs & pte::accessed) != 0) {
        more = true;
        poke(at, theirs);
        continue;
      }
      return fmt::format("entry {:x}: {:x}, other {:x}", at, ours, theirs);
    }
  }
  if (more) ++more_accessed_;
  return {};
}

std::string PagingWorld::compare_once() {
  const Attempt attempt = random_attempt();
  mmu::AddressSpace space;
  space.partition = 1;
  space.stage1.cr0 = attempt.cr0;
  space.stage1.cr3 = table_base;
  space.stage1.cr4 = attempt.cr4;
  space.stage1.efer = attempt.efer;
  space.stage1.alignment_check = (attempt.rflags & x64::rflags::ac) != 0;
  const mmu::Access access{mmu::Gva{attempt.address}, attempt.kind, attempt.user, false};
  translator_.invalidate_all(space, false);
  const mmu::WalkReport walk = mmu::explain(translator_, space, access);
  for (unsigned i = 0; i < walk.count && !kvm_.kind().gib_pages; ++i) {
    if (walk.list[i].level == 3 && walk.list[i].leaf) {
      ++ends_["not comparable: 1 GiB pages"];
      return {};
    }
  }
  const mmu::TranslationResult ours = translator_.translate(space, access);
  const bool lands = ours.ok;
  const uint64_t to = ours.translation.spa.value();
  const bool data = lands && to >= data_base && to < data_base + data_pages * 4096;
  // Executing a page of tables leads nowhere; what is not RAM answers differently by instruction.
  if (lands && attempt.kind == AccessKind::Execute && !data) {
    std::memcpy(kvm_.ram().data() + table_base, memory_.data() + table_base, table_pool * 4096);
    kvm_.forget_translations();
    ++ends_["not comparable: executes what is no code"];
    return {};
  }
  const End theirs = other_end(attempt);
  const auto where = [&](std::string what) {
    what += "\n" + mmu::to_text(mmu::explain(translator_, space, access), space, access);
    return fmt::format("{} {:x} {} cr0 {:x} cr4 {:x} efer {:x}: {}",
                       attempt.user ? "CPL 3" : "CPL 0", attempt.address,
                       static_cast<int>(attempt.kind), attempt.cr0, attempt.cr4, attempt.efer,
                       what);
  };
  if (!theirs.ran) return where("the other machine: " + theirs.why_not);
  if (lands == theirs.page_fault)
    return where(fmt::format("lands {}, error code {:x}; other faults {} {:x}", lands,
                             ours.fault.error_code, theirs.page_fault, theirs.error_code));
  if (!lands && ours.fault.error_code != theirs.error_code)
    return where(
        fmt::format("error code {:x}, other {:x}", ours.fault.error_code, theirs.error_code));
  if (!lands && theirs.cr2 != attempt.address) return where(fmt::format("CR2 {:x}", theirs.cr2));
  if (lands && attempt.kind == AccessKind::Read && data &&
      theirs.value != memory_.read<uint32_t>(ours.translation.spa))
    return where(fmt::format("lands at {:x}, other reads {:x}", to, theirs.value));
  ++ends_[lands ? "lands" : fmt::format("page fault {:02x}", theirs.error_code)];
  const std::string tables = compare_tables();
  return tables.empty() ? tables : where(tables);
}

}  // namespace oracle
