// The launch port, and what changes with the launch.
#include "abi/boot/launch_block.h"
#include "abi/hv/cpuid.h"
#include "tests.h"

using namespace kernel;
using namespace abi::boot;

namespace {

uint32_t launch(const LaunchBlock& block) {
  arch::out32(hypervisor_launch_port, launch_hypervisor, reinterpret_cast<uint64_t>(&block));
  return arch::in32(hypervisor_launch_port);
}
constexpr auto refused = static_cast<uint32_t>(LaunchResult::Refused);
alignas(16) LaunchBlock good{sizeof(LaunchBlock), 1, 0, {}};

const char* nothing_before() {
  EXPECT_EQUAL(guarded([](void*) { raw_hypercall(0, 0, 0); }).vector, 6);
  EXPECT_EQUAL(guarded([](void*) { (void)arch::read_msr(abi::hv::msr::GuestOsId); }).vector, 13);
  EXPECT_EQUAL(arch::cpuid(1).ecx & abi::hv::cpuid::hypervisor_present, 0);
  return nullptr;
}

const char* malformed_blocks() {
  EXPECT_EQUAL(launch({0x18, 1, 0, {}}), refused);
  EXPECT_EQUAL(launch({sizeof(LaunchBlock), 2, 0, {}}), refused);
  EXPECT_EQUAL(launch({sizeof(LaunchBlock), 1, 1ull << 63, {}}), refused);
  EXPECT_EQUAL(launch({sizeof(LaunchBlock), 1, 0, {0, 1}}), refused);
  arch::out32(hypervisor_launch_port, launch_hypervisor, memory_size());  // a block outside RAM
  EXPECT_EQUAL(arch::in32(hypervisor_launch_port), refused);
  arch::out32(hypervisor_launch_port, 2, reinterpret_cast<uint64_t>(&good));  // another command
  EXPECT_EQUAL(arch::in32(hypervisor_launch_port), refused);
  return nothing_before();
}

const char* launched_once() {
  EXPECT_EQUAL(launch(good), static_cast<uint32_t>(LaunchResult::Launched));
  EXPECT_EQUAL(launch(good), refused);
  EXPECT_EQUAL(launch(good), refused);
  return nullptr;
}

const char* identification() {
  using namespace abi::hv;
  EXPECT_THAT((arch::cpuid(1).ecx & abi::hv::cpuid::hypervisor_present) != 0);
  const arch::Cpuid vendor = arch::cpuid(abi::hv::cpuid::vendor_leaf);
  EXPECT_THAT(vendor.eax >= abi::hv::cpuid::limits_leaf);
  EXPECT_EQUAL(vendor.ebx, abi::hv::cpuid::vendor_ebx);
  EXPECT_EQUAL(vendor.ecx, abi::hv::cpuid::vendor_ecx);
  EXPECT_EQUAL(vendor.edx, abi::hv::cpuid::vendor_edx);
  EXPECT_EQUAL(arch::cpuid(abi::hv::cpuid::interface_leaf).eax, abi::hv::cpuid::interface_eax);
  const arch::Cpuid features = arch::cpuid(abi::hv::cpuid::features_leaf);
  const PrivilegeMask privileges{features.eax | uint64_t{features.ebx} << 32};
  EXPECT_THAT(privileges.access_hypercall_msrs() && privileges.access_vsm() && privileges.access_vp_registers());
  return nullptr;
}

const char* hypercall_page() {
  using namespace abi::hv;
  static uint64_t page;
  page = allocate_page();
  at<uint64_t>(page) = 0x1122334455667788;
  EXPECT_EQUAL(arch::read_msr(msr::GuestOsId), 0);
  arch::write_msr(msr::Hypercall, page | 1);
  EXPECT_EQUAL(arch::read_msr(msr::Hypercall) & 1, 0);  // not without an operating system
  arch::write_msr(msr::GuestOsId, 0x0001040000002800);
  arch::write_msr(msr::Hypercall, page | 1);
  EXPECT_EQUAL(arch::read_msr(msr::Hypercall), page | 1);
  EXPECT_EQUAL(at<uint32_t>(page), 0xC3C1010F);  // VMCALL, RET
  EXPECT_EQUAL(guarded([](void*) { at<uint8_t>(page) = 0; }).vector, 13);
  // The memory underneath is hidden, not lost.
  arch::write_msr(msr::Hypercall, 0);
  EXPECT_EQUAL(at<uint64_t>(page), 0x1122334455667788);
  arch::write_msr(msr::Hypercall, page | 1);
  return nullptr;
}

const char* only_ring_zero() {
  const uint8_t code[] = {0xB9, 0x11, 0, 0, 0, 0x31, 0xC0, 0x0F, 0x01, 0xC1, 0x0F, 0x05};  // mov ecx,11h; xor eax,eax; vmcall
  const UserResult r = run_in_user_mode(code, sizeof code);
  EXPECT_EQUAL(r.vector, 6);
  EXPECT_EQUAL(r.rip, user_code_page() + 7);
  return nullptr;
}

const char* reference_time() {
  const uint64_t before = arch::read_msr(abi::hv::msr::TimeRefCount);
  const uint64_t begin = arch::read_tsc();
  while (arch::read_tsc() - begin < 200'000) arch::pause();
  const uint64_t passed = arch::read_msr(abi::hv::msr::TimeRefCount) - before;
  if (passed < 999 || passed > 1010) return wrong("200,000 ticks of 2 GHz are {} units of 100 ns", passed);
  EXPECT_EQUAL(arch::read_msr(abi::hv::msr::TscFrequency), 2'000'000'000);
  EXPECT_EQUAL(arch::read_msr(abi::hv::msr::VpIndex), 0);
  EXPECT_EQUAL(guarded([](void*) { arch::write_msr(abi::hv::msr::VpIndex, 1); }).vector, 13);
  return nullptr;
}

constexpr Test tests[] = {
    {"before the launch there is no hypervisor", nothing_before},
    {"malformed launch blocks are refused and change nothing", malformed_blocks},
    {"the hypervisor launches once, and is refused twice after that", launched_once},
    {"CPUID names the hypervisor and its privileges", identification},
    {"the hypercall page needs a guest OS id, hides memory and is read-only", hypercall_page},
    {"VMCALL at CPL 3 is undefined", only_ring_zero},
    {"reference time runs with the time stamp counter", reference_time},
};

}  // namespace

std::span<const Test> launch_tests() { return tests; }
