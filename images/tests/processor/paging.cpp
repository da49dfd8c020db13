// Stage 1: accessed and dirty bits, rights, SMEP and SMAP, invalidation, restartable instructions, changed code.
#include <string.h>

#include "abi/x64/paging.h"
#include "abi/x64/registers.h"
#include "tests.h"

using namespace kernel;
using namespace abi::x64;

namespace {

constexpr std::uint64_t rw = pte::present | pte::writable;

Caught read_of(std::uint64_t address) {
  return guarded([](void* p) { (void)*static_cast<volatile std::uint8_t*>(p); }, reinterpret_cast<void*>(address));
}
Caught write_to(std::uint64_t address) {
  return guarded([](void* p) { *static_cast<volatile std::uint8_t*>(p) = 1; }, reinterpret_cast<void*>(address));
}
Caught call_of(std::uint64_t address) {
  return guarded([](void* p) { reinterpret_cast<void (*)()>(p)(); }, reinterpret_cast<void*>(address));
}
// A page whose first byte is RET.
std::uint64_t page_with_return() {
  const std::uint64_t page = allocate_page();
  at<std::uint8_t>(page) = 0xC3;
  return page;
}

const char* accessed_and_dirty() {
  const std::uint64_t page = map_somewhere(allocate_page(), rw);
  EXPECT_EQUAL(leaf_entry(page) & (pte::accessed | pte::dirty), 0);
  (void)load<std::uint8_t>(page);
  EXPECT_EQUAL(leaf_entry(page) & (pte::accessed | pte::dirty), pte::accessed);
  at<std::uint8_t>(page) = 1;
  EXPECT_EQUAL(leaf_entry(page) & (pte::accessed | pte::dirty), pte::accessed | pte::dirty);
  return nullptr;
}

const char* refused_access_sets_nothing() {
  const std::uint64_t page = map_somewhere(allocate_page(), pte::present);
  EXPECT_EQUAL(write_to(page).error_code, 3);
  EXPECT_EQUAL(leaf_entry(page) & pte::dirty, 0);
  return nullptr;
}

const char* write_protect() {
  const std::uint64_t page = map_somewhere(allocate_page(), pte::present);
  const Caught refused = write_to(page);
  EXPECT_EQUAL(refused.vector, 14);
  EXPECT_EQUAL(refused.error_code, 3);
  EXPECT_EQUAL(refused.cr2, page);
  arch::write_cr0(arch::read_cr0() & ~cr0::wp);
  const Caught allowed = write_to(page);
  arch::write_cr0(arch::read_cr0() | cr0::wp);
  EXPECT_THAT(!allowed.happened);
  EXPECT_EQUAL(write_to(page).error_code, 3);  // also with the translation cached
  return nullptr;
}

const char* no_execute() {
  const std::uint64_t code = page_with_return();
  EXPECT_THAT(!call_of(map_somewhere(code, rw)).happened);
  const Caught c = call_of(map_somewhere(code, rw | pte::no_execute));
  EXPECT_EQUAL(c.vector, 14);
  EXPECT_EQUAL(c.error_code, 0x11);
  return nullptr;
}

const char* reserved_bits() {
  const std::uint64_t page = map_somewhere(allocate_page(), rw);
  leaf_entry(page) |= std::uint64_t{1} << 45;  // above MAXPHYADDR
  arch::invalidate_page(reinterpret_cast<void*>(page));
  EXPECT_EQUAL(read_of(page).error_code, 9);  // P, RSVD
  return nullptr;
}

const char* missing_page() {
  const std::uint64_t page = map_somewhere(allocate_page(), rw) + 4096;
  EXPECT_EQUAL(read_of(page).error_code, 0);
  EXPECT_EQUAL(write_to(page + 5).error_code, 2);
  EXPECT_EQUAL(write_to(page + 5).cr2, page + 5);
  EXPECT_EQUAL(call_of(page).error_code, 0x10);
  return nullptr;
}

const char* smep() {
  const std::uint64_t page = map_somewhere(page_with_return(), rw | pte::user);
  EXPECT_THAT(!call_of(page).happened);
  arch::write_cr4(arch::read_cr4() | cr4::smep);
  const Caught refused = call_of(page);
  arch::write_cr4(arch::read_cr4() & ~cr4::smep);
  EXPECT_EQUAL(refused.vector, 14);
  EXPECT_EQUAL(refused.error_code, 0x11);
  EXPECT_THAT(!call_of(page).happened);
  return nullptr;
}

const char* smap() {
  const std::uint64_t page = map_somewhere(allocate_page(), rw | pte::user);
  arch::write_cr4(arch::read_cr4() | cr4::smap);
  const Caught read = read_of(page), write = write_to(page);
  const Caught lifted = guarded([](void* p) {
    arch::stac();
    (void)*static_cast<volatile std::uint8_t*>(p);
    arch::clac();
  }, reinterpret_cast<void*>(page));
  const Caught again = read_of(page);
  arch::write_cr4(arch::read_cr4() & ~cr4::smap);
  EXPECT_EQUAL(read.error_code, 1);
  EXPECT_EQUAL(write.error_code, 3);
  EXPECT_THAT(!lifted.happened);
  EXPECT_EQUAL(again.error_code, 1);
  EXPECT_THAT(!read_of(page).happened);
  return nullptr;
}

const char* invalidation() {
  const std::uint64_t one = allocate_page(), two = allocate_page();
  at<std::uint64_t>(one) = 1;
  at<std::uint64_t>(two) = 2;
  const std::uint64_t page = map_somewhere(one, rw);
  EXPECT_EQUAL(at<std::uint64_t>(page), 1);
  leaf_entry(page) = two | rw;
  arch::invalidate_page(reinterpret_cast<void*>(page));
  EXPECT_EQUAL(at<std::uint64_t>(page), 2);
  leaf_entry(page) = one | rw;
  arch::write_cr3(arch::read_cr3());
  EXPECT_EQUAL(at<std::uint64_t>(page), 1);
  leaf_entry(page) = 0;
  arch::invalidate_page(reinterpret_cast<void*>(page));
  EXPECT_EQUAL(read_of(page).error_code, 0);
  return nullptr;
}

const char* global_pages_survive_a_new_cr3() {
  const std::uint64_t one = allocate_page(), two = allocate_page();
  at<std::uint64_t>(one) = 1;
  at<std::uint64_t>(two) = 2;
  const std::uint64_t page = map_somewhere(one, rw | pte::global);
  EXPECT_EQUAL(at<std::uint64_t>(page), 1);
  leaf_entry(page) = two | rw | pte::global;
  arch::write_cr4(arch::read_cr4() & ~cr4::pge);  // drops global ones too
  arch::write_cr4(arch::read_cr4() | cr4::pge);
  EXPECT_EQUAL(at<std::uint64_t>(page), 2);
  return nullptr;
}

const char* two_names_of_one_page() {
  const std::uint64_t physical = allocate_page();
  const std::uint64_t one = map_somewhere(physical, rw), two = map_somewhere(physical, rw);
  at<std::uint64_t>(one + 8) = 0x1122334455667788;
  EXPECT_EQUAL(at<std::uint64_t>(two + 8), 0x1122334455667788);
  EXPECT_EQUAL(at<std::uint64_t>(physical + 8), 0x1122334455667788);
  return nullptr;
}

const char* access_across_two_pages() {
  const std::uint64_t window = map_somewhere(allocate_page(), rw);
  leaf_entry(window + 4096) = allocate_page() | rw;
  at<std::uint64_t>(window + 4092) = 0x8877665544332211;
  EXPECT_EQUAL(at<std::uint32_t>(window + 4096), 0x88776655);
  leaf_entry(window + 4096) = 0;
  arch::invalidate_page(reinterpret_cast<void*>(window + 4096));
  const Caught c = guarded([](void* p) { *static_cast<volatile std::uint64_t*>(p) = 0; },
                           reinterpret_cast<void*>(window + 4092));
  EXPECT_EQUAL(c.vector, 14);
  EXPECT_EQUAL(c.cr2, window + 4096);
  EXPECT_EQUAL(at<std::uint32_t>(window + 4092), 0x44332211);  // nothing of it was written
  return nullptr;
}

const char* string_instruction_stops_where_it_faults() {
  static std::uint64_t target;
  static std::uint8_t source[32];
  memset(source, 0x77, sizeof source);
  const std::uint64_t window = map_somewhere(allocate_page(), rw);
  target = window + 4096 - 20;
  const Caught c = guarded([](void*) {
    std::uint64_t to = target, from = reinterpret_cast<std::uint64_t>(source), count = sizeof source;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
  });
  EXPECT_EQUAL(c.vector, 14);
  EXPECT_EQUAL(c.error_code, 2);
  EXPECT_EQUAL(c.cr2, window + 4096);
  EXPECT_EQUAL(last_trap().rcx, sizeof source - 20);
  EXPECT_EQUAL(last_trap().rdi, window + 4096);
  EXPECT_EQUAL(at<std::uint8_t>(window + 4095), 0x77);
  return nullptr;
}

const char* changed_code_runs_changed() {
  const std::uint64_t physical = allocate_page();
  const std::uint64_t code = map_somewhere(physical, rw), alias = map_somewhere(physical, rw);
  const std::uint8_t body[] = {0xB8, 1, 0, 0, 0, 0xC3};  // mov eax, 1; ret
  memcpy(reinterpret_cast<void*>(code), body, sizeof body);
  auto function = reinterpret_cast<std::uint32_t (*)()>(code);
  EXPECT_EQUAL(function(), 1);
  at<std::uint8_t>(code + 1) = 2;
  EXPECT_EQUAL(function(), 2);
  at<std::uint8_t>(alias + 1) = 3;  // by another name
  EXPECT_EQUAL(function(), 3);
  for (std::uint8_t i = 4; i < 40; ++i) {
    at<std::uint8_t>((i & 1) != 0 ? code + 1 : alias + 1) = i;
    EXPECT_EQUAL(function(), i);
  }
  return nullptr;
}

const char* code_that_changes_itself() {
  const std::uint64_t code = map_somewhere(allocate_page(), rw);
  // mov byte ptr [rip+1], 7; mov eax, 0; ret   - the store changes the immediate of the next instruction
  const std::uint8_t body[] = {0xC6, 0x05, 0x01, 0, 0, 0, 7, 0xB8, 0, 0, 0, 0, 0xC3};
  memcpy(reinterpret_cast<void*>(code), body, sizeof body);
  EXPECT_EQUAL(reinterpret_cast<std::uint32_t (*)()>(code)(), 7);
  return nullptr;
}

constexpr Test tests[] = {
    {"a read sets A, a write sets D", accessed_and_dirty},
    {"a refused write does not set D", refused_access_sets_nothing},
    {"CR0.WP decides whether the kernel may write read-only pages", write_protect},
    {"NX refuses fetches with error code 0x11", no_execute},
    {"reserved bits are reported as such", reserved_bits},
    {"missing pages are reported as such, with the exact address", missing_page},
    {"SMEP refuses user code in the kernel", smep},
    {"SMAP refuses user data in the kernel, STAC lifts it", smap},
    {"INVLPG and MOV CR3 make a changed entry visible", invalidation},
    {"toggling CR4.PGE drops global pages", global_pages_survive_a_new_cr3},
    {"two names of one page show the same bytes", two_names_of_one_page},
    {"an access across two pages writes both or nothing", access_across_two_pages},
    {"REP MOVSB stops at the byte that faults", string_instruction_stops_where_it_faults},
    {"changed code runs changed, by whatever name it was written", changed_code_runs_changed},
    {"an instruction may change the next one", code_that_changes_itself},
};

}  // namespace

std::span<const Test> paging_tests() { return tests; }
