// Finding the hypervisor and its hypercall page (TLFS 2.2, 3.13).
#include "hvl/hvl.h"

#include "abi/hv/cpuid.h"
#include "abi/hv/hypercalls.h"
#include "abi/hv/msrs.h"
#include "abi/hv/vp_registers.h"
#include "abi/hv/vsm_registers.h"
#include "mm/mm.h"

/// Address of the VTL-call stub; 0: there is no secure kernel, and every secure call answers
/// DEVICE_NOT_CONNECTED.
extern "C" {
uint64_t HvlpVsmVtlCallVa;
uint64_t HvlpHypercallPageVa;
uint64_t HvlpHypercall(uint64_t control, uint64_t input, uint64_t output);  // hvl/switch.S
}
uint32_t HvlpFlags;

namespace {

bool present;
PFN call_page;  // of hypercalls; whoever makes one has the kernel lock

bool detect() {
  using namespace abi::hv;
  if ((arch::cpuid(1).ecx & cpuid::hypervisor_present) == 0) return false;
  const arch::Cpuid vendor = arch::cpuid(cpuid::vendor_leaf);
  return vendor.ebx == cpuid::vendor_ebx && vendor.ecx == cpuid::vendor_ecx &&
         vendor.edx == cpuid::vendor_edx &&
         arch::cpuid(cpuid::interface_leaf).eax == cpuid::interface_eax;
}

// The secure kernel's first half, which ran in VTL 0, may have enabled the page already; then it
// stays where it is.
void map_hypercall_page() {
  constexpr uint64_t enable = 1;
  uint64_t value = arch::read_msr(abi::hv::msr::Hypercall);
  if ((value & enable) == 0) {
    if (arch::read_msr(abi::hv::msr::GuestOsId) == 0)
      arch::write_msr(abi::hv::msr::GuestOsId, abi::hv::GuestOsId{}
                                                   .with_vendor_id(1)
                                                   .with_os_id(4)
                                                   .with_major_version(10)
                                                   .with_build(10240)
                                                   .raw);
    value = MiAllocatePage() * PAGE_SIZE | enable;
    arch::write_msr(abi::hv::msr::Hypercall, value);
  }
  HvlpHypercallPageVa = MiReserveSystemPages(1);
  MiMapPage(MiSystemRoot, HvlpHypercallPageVa, page_of(value), 0);  // read and execute
}

// The stubs' places are a register's business, not a constant's (section 2.5).
bool read_code_page_offsets(abi::hv::VsmCodePageOffsets* offsets) {
  using namespace abi::hv;
  struct Input {
    GetVpRegisters header;
    RegisterNameElement name;
  };
  const PFN page = MiAllocatePage();
  auto input = MiPhysicalToVirtual<Input>(page * PAGE_SIZE);
  auto output = MiPhysicalToVirtual<RegisterValue>(page * PAGE_SIZE + PAGE_SIZE / 2);
  input->header.target_partition = partition_self;
  input->header.target_vp = vp_self;
  input->name.name = static_cast<uint32_t>(RegisterName::VsmCodePageOffsets);
  const HypercallResult result{HvlpHypercall(control_for(CallCode::GetVpRegisters, 1).raw,
                                             page * PAGE_SIZE, page * PAGE_SIZE + PAGE_SIZE / 2)};
  offsets->raw = output->low;
  MiFreePages(page, 1);
  return result.status() == 0;
}

}  // namespace

bool HvlQueryHypervisorPresent() {
  return present;
}

template <class Header>
static Header& input() {
  if (call_page == 0) call_page = MiAllocatePage();
  auto header = MiPhysicalToVirtual<Header>(call_page * PAGE_SIZE);
  *header = {};
  return *header;
}

static uint16_t issue(abi::hv::CallCode code, uint16_t reps = 0) {
  const abi::hv::HypercallResult result{
      HvlpHypercall(abi::hv::control_for(code, reps).raw, call_page * PAGE_SIZE, 0)};
  return result.status();
}

uint16_t HvlStartVirtualProcessor(uint32_t vp, const abi::hv::InitialVpContext& context) {
  auto& header = input<abi::hv::EnableVpVtl>();
  header.target_partition = abi::hv::partition_self;
  header.target_vp = vp;
  header.context = context;
  return issue(abi::hv::CallCode::StartVirtualProcessor);
}

void HvlFlushAllProcessors(uint64_t address) {
  struct Input {
    abi::hv::FlushVirtualAddressSpace header;
    abi::hv::GvaRange range;
  };
  auto& list = input<Input>();
  list.header.flags = abi::hv::flush::all_processors | abi::hv::flush::all_virtual_address_spaces;
  list.range = abi::hv::GvaRange{}.with_page(address / PAGE_SIZE);
  if (issue(abi::hv::CallCode::FlushVirtualAddressList, 1) != 0) KeBugCheckEx(0x5C);  // HAL_INITIALIZATION_FAILED
}

void HvlInitSystem() {
  present = detect();
  if (!present) return;
  map_hypercall_page();
  if ((KeLoaderBlock->flags & abi::boot::NtVsmActive) == 0) return;
  abi::hv::VsmCodePageOffsets offsets{};
  if (read_code_page_offsets(&offsets))
    HvlpVsmVtlCallVa = HvlpHypercallPageVa + offsets.vtl_call_offset();
}
