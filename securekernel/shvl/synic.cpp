#include "shvl/synic.h"

#include "abi/hv/msrs.h"
#include "abi/hv/synic.h"
#include "rt/arch.h"
#include "skmm/boot_memory.h"

namespace sk {

using namespace abi::hv;

// x2APIC registers as MSRs (SDM vol. 3, 10.12): no device page has to be mapped.
static constexpr uint32_t msr_apic_base = 0x1B, msr_x2apic_spurious = 0x80F;
static constexpr uint64_t apic_base_x2apic = 1u << 10, apic_base_enable = 1u << 11, spurious_enable = 1u << 8;

static void enable_page(uint32_t msr, uint64_t physical) {
  arch::write_msr(msr, OverlayRegister{}.with_page(physical / page_size).with_enable(true).raw);
}

void ShvlInitSynic(HypervisorData& data, uint64_t assist_page, uint64_t message_page) {
  enable_page(msr::VpAssistPage, assist_page);
  enable_page(msr::Simp, message_page);
  arch::write_msr(msr::Scontrol, Scontrol{}.with_enable(true).raw);
  arch::write_msr(msr::Sint0, Sint{}.with_vector(intercept_vector).raw);
  data.assist = SkmmFromPhysical<VpAssistPage>(assist_page);
  data.messages = SkmmFromPhysical<Message>(message_page);

  // The controller of this VTL is its own (section 6); it starts disabled like any local APIC after reset.
  arch::write_msr(msr_apic_base, arch::read_msr(msr_apic_base) | apic_base_enable | apic_base_x2apic);
  arch::write_msr(msr_x2apic_spurious, spurious_enable | apic_spurious_vector);
}

}  // namespace sk
