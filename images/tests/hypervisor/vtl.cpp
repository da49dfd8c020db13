// A round trip to VTL 1 and what each level keeps to itself (section 4.3).
#include <string.h>

#include "tests.h"

using namespace kernel;
using namespace abi::hv;

namespace {

constexpr uint32_t msr_gs_base = 0xC0000101, msr_lstar = 0xC0000082, msr_kernel_gs = 0xC0000102;
constexpr uint64_t upper_window = uint64_t{5} << 39;  // a PML4 slot that VTL 0 leaves empty

const char* first_entry() {
  const char* answer = upper::run([](upper::Saved* saved) -> const char* {
    EXPECT_EQUAL(vtl1_first_flags & ~0x10000ull, 2);  // RFLAGS of the context, not VTL 0's CF and DF
    EXPECT_EQUAL(saved->r15, 0x5151);                 // general registers are shared
    EXPECT_EQUAL(arch::read_cr3(), upper::initial_context().cr3);
    EXPECT_EQUAL(arch::read_msr(msr::GuestOsId), 0);  // the hypercall interface is per level
    EXPECT_EQUAL(arch::read_msr(msr::Hypercall), 0);
    RegisterValue value{};
    EXPECT_STATUS(call::get_register(RegisterName::VsmVpStatus, value), Success);
    EXPECT_EQUAL(VsmVpStatus{value.low}.active_vtl(), 1);
    saved->r15 = 0x6161;
    return nullptr;
  });
  if (answer != nullptr) return answer;
  EXPECT_EQUAL(border_rsp_after, border_rsp_before);
  EXPECT_THAT((border_flags & 0x401) == 0x401);  // CF and DF as they were
  EXPECT_EQUAL(border_r15, 0x6161);
  return nullptr;
}

const char* second_entry_goes_on() {
  static uint64_t entries;
  for (int i = 0; i < 3; ++i)
    if (const char* answer = upper::run([](upper::Saved*) -> const char* {
          ++entries;
          return nullptr;
        }))
      return answer;
  EXPECT_EQUAL(entries, 3);
  return nullptr;
}

const char* private_control_registers() {
  const uint64_t cr3 = arch::read_cr3(), cr4 = arch::read_cr4();
  arch::write_cr8(3);
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(arch::read_cr8(), 0);
    arch::write_cr8(9);
    arch::write_cr4(arch::read_cr4() | 1u << 20);  // SMEP
    arch::write_cr0(arch::read_cr0() | 1u << 18);  // AM
    return nullptr;
  });
  if (answer != nullptr) return answer;
  EXPECT_EQUAL(arch::read_cr8(), 3);
  EXPECT_EQUAL(arch::read_cr3(), cr3);
  EXPECT_EQUAL(arch::read_cr4(), cr4);
  EXPECT_EQUAL(arch::read_cr0() & 1u << 18, 0);
  arch::write_cr8(0);
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(arch::read_cr8(), 9);
    EXPECT_THAT((arch::read_cr4() & 1u << 20) != 0);
    arch::write_cr8(0);
    arch::write_cr4(arch::read_cr4() & ~(1ull << 20));
    return nullptr;
  });
}

const char* private_segments_and_tables() {
  arch::write_es(kernel_data);  // user mode left it empty
  arch::write_msr(msr_gs_base, 0x1000);
  arch::write_msr(msr_kernel_gs, 0x2000);
  const uint64_t lstar = arch::read_msr(msr_lstar);
  const arch::DescriptorTable idt = arch::store_idt();
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(arch::read_msr(msr_gs_base), 0);
    arch::write_msr(msr_gs_base, 0x7000);
    arch::write_msr(msr_kernel_gs, 0x8000);
    arch::write_msr(msr_lstar, 0x9000);
    arch::write_es(user_data | 3);
    arch::DescriptorTable own = arch::store_idt();
    own.limit = 0xFEF;
    arch::load_idt(own);
    return nullptr;
  });
  if (answer != nullptr) return answer;
  EXPECT_EQUAL(arch::read_msr(msr_gs_base), 0x1000);
  EXPECT_EQUAL(arch::read_msr(msr_kernel_gs), 0x2000);
  EXPECT_EQUAL(arch::read_msr(msr_lstar), lstar);
  EXPECT_EQUAL(arch::read_es(), kernel_data);
  EXPECT_EQUAL(arch::store_idt().limit, idt.limit);
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(arch::read_msr(msr_gs_base), 0x7000);
    EXPECT_EQUAL(arch::read_msr(msr_kernel_gs), 0x8000);
    EXPECT_EQUAL(arch::read_es(), user_data | 3);
    EXPECT_EQUAL(arch::store_idt().limit, 0xFEF);
    arch::DescriptorTable whole = arch::store_idt();
    whole.limit = 0xFFF;
    arch::load_idt(whole);
    return nullptr;
  });
}

const char* private_address_space() {
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    leaf_entry(upper_window) = allocate_page() | 3;
    at<uint64_t>(upper_window) = 0xABCD;
    EXPECT_EQUAL(at<uint64_t>(upper_window), 0xABCD);
    return nullptr;
  });
  if (answer != nullptr) return answer;
  const Caught c = guarded([](void*) { (void)load<uint64_t>(upper_window); });
  EXPECT_EQUAL(c.vector, 14);
  EXPECT_EQUAL(c.error_code, 0);
  return nullptr;
}

const char* shared_registers() {
  arch::write_cr2(0x1111);
  arch::write_dr0(0x2222);
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(arch::read_cr2(), 0x1111);
    EXPECT_EQUAL(arch::read_dr0(), 0x2222);
    arch::write_cr2(0x3333);
    arch::write_dr0(0x4444);
    return nullptr;
  });
  if (answer != nullptr) return answer;
  EXPECT_EQUAL(arch::read_cr2(), 0x3333);
  EXPECT_EQUAL(arch::read_dr0(), 0x4444);
  arch::write_dr0(0);
  return nullptr;
}

const char* private_apic() {
  at<uint32_t>(0xFEE000F0) = 0x1FF;
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(at<uint32_t>(0xFEE000F0) & 0x100, 0);  // as after reset
    arch::write_msr(0x1B, arch::read_msr(0x1B) & ~0x800ull);
    return nullptr;
  });
  if (answer != nullptr) return answer;
  EXPECT_THAT((arch::read_msr(0x1B) & 0x800) != 0);
  EXPECT_EQUAL(at<uint32_t>(0xFEE000F0), 0x1FF);
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(arch::read_msr(0x1B) & 0x800, 0);
    arch::write_msr(0x1B, arch::read_msr(0x1B) | 0x800);
    return nullptr;
  });
}

const char* slow_return_and_entry_reason() {
  if (const char* answer = upper::enable_pages()) return answer;
  const char* answer = upper::run_and_return_slowly([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(upper::assist_page()->vtl_control.entry_reason, VtlEntryReason::VtlCall);
    upper::assist_page()->vtl_control.vtl_return_x64_rax = 0x1234567890ABCDEF;
    upper::assist_page()->vtl_control.vtl_return_x64_rcx = 0xFEDCBA0987654321;
    return nullptr;
  });
  if (answer != nullptr) return answer;
  EXPECT_EQUAL(border_rax, 0x1234567890ABCDEF);
  EXPECT_EQUAL(border_rcx, 0xFEDCBA0987654321);
  // A fast return leaves them as VTL 1 had them at its VMCALL.
  if (const char* fast = upper::run([](upper::Saved*) -> const char* { return nullptr; })) return fast;
  EXPECT_EQUAL(border_rax, 1);
  EXPECT_EQUAL(border_rcx, 0x12);
  return nullptr;
}

const char* overlay_pages_are_private() {
  // VTL 1's assist page hides RAM in VTL 1 only.
  static volatile uint64_t* under;
  under = reinterpret_cast<volatile uint64_t*>(upper::assist_page());
  under[300] = 0x77;
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(under[300], 0);
    return nullptr;
  });
}

const char* bad_controls_are_undefined() {
  EXPECT_EQUAL(guarded([](void*) { asm volatile("vmcall" ::"a"(1), "c"(0x11) : "memory"); }).vector, 6);
  EXPECT_EQUAL(guarded([](void*) { asm volatile("vmcall" ::"a"(0), "c"(0x10011) : "memory"); }).vector, 6);
  EXPECT_EQUAL(guarded([](void*) { asm volatile("vmcall" ::"a"(0), "c"(0x12) : "memory"); }).vector, 6);  // nothing below
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(guarded([](void*) { asm volatile("vmcall" ::"a"(2), "c"(0x12) : "memory"); }).vector, 6);
    EXPECT_EQUAL(guarded([](void*) { asm volatile("vmcall" ::"a"(0), "c"(0x11) : "memory"); }).vector, 6);  // nothing above
    return nullptr;
  });
}

const char* registers_of_the_lower_level() {
  return upper::run([](upper::Saved*) -> const char* {
    RegisterValue value{};
    EXPECT_STATUS(call::get_register(RegisterName::Cr3, value, 0), Success);
    EXPECT_THAT(value.low != arch::read_cr3() && value.low != 0);
    EXPECT_STATUS(call::get_register(RegisterName::Cr3, value), AccessDenied);  // one's own
    EXPECT_STATUS(call::set_register(RegisterName::Lstar, {0x0000'9000'0000'0000, 0}, 0), InvalidRegisterValue);
    EXPECT_STATUS(call::get_register(RegisterName::VsmVina, value, 0), InvalidParameter);
    return nullptr;
  });
}

constexpr Test tests[] = {
    {"VTL 1 starts with its context, and general registers travel", first_entry},
    {"the next entry goes on behind VTL 1's return", second_entry_goes_on},
    {"CR0, CR3, CR4 and CR8 are private", private_control_registers},
    {"segments, GS bases, LSTAR and IDTR are private", private_segments_and_tables},
    {"each level has its own page tables", private_address_space},
    {"CR2 and DR0 are shared", shared_registers},
    {"each level has its own local APIC", private_apic},
    {"a return that is not fast takes RAX and RCX from the assist page", slow_return_and_entry_reason},
    {"an overlay page hides memory in its own level only", overlay_pages_are_private},
    {"VTL calls and returns with bad control are undefined", bad_controls_are_undefined},
    {"VTL 1 reads and writes registers of VTL 0, checked", registers_of_the_lower_level},
};

}  // namespace

std::span<const Test> vtl_tests() { return tests; }
