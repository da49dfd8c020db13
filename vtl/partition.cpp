#include "vtl/partition.h"

namespace vtl {
namespace {

constexpr Vtl all_vtls[] = {Vtl::Vtl0, Vtl::Vtl1, Vtl::Vtl2};

void add_to(support::StateHasher& hasher, const VtlState& state) {
  state.apic.add_to(hasher);
  hasher.add(state.synic.scontrol).add(state.synic.siefp).add(state.synic.simp);
  for (const uint64_t sint : state.synic.sint)
    hasher.add(sint);
  hasher.add(state.synic.message_page.value()).add(state.synic.event_page.value());
  hasher.add(state.vp_assist_page).add(state.assist_page.value()).add(state.vina.raw);
  for (const auto& config : state.secure_config.values)
    hasher.add(config.raw);
  hasher.add(state.cr_intercepts.raw);
}

}  // namespace

Vtl next_higher(const VpState& vp, Vtl from) {
  for (const Vtl vtl : all_vtls) {
    if (vtl > from && vp.enabled(vtl)) return vtl;
  }
  return from;
}

Vtl next_lower(const VpState& vp, Vtl from) {
  Vtl found = from;
  for (const Vtl vtl : all_vtls) {
    if (vtl < from && vp.enabled(vtl)) found = vtl;
  }
  return found;
}

Vtl highest(uint16_t enabled_vtls) {
  Vtl found = Vtl::Vtl0;
  for (const Vtl vtl : all_vtls) {
    if (((enabled_vtls >> static_cast<unsigned>(vtl)) & 1) != 0) found = vtl;
  }
  return found;
}

bool mbec_active(const VpState& vp, Vtl vtl) {
  for (const Vtl above : all_vtls) {
    if (above > vtl && vp.vtls[above].secure_config[vtl].mbec_enabled()) return true;
  }
  return false;
}

void add_to(support::StateHasher& hasher, const Partition& partition) {
  hasher.add(partition.id).add(partition.enabled_vtls).add(partition.mbec_enabled_vtls);
  for (const PartitionVtl& vtl : partition.vtls.values) {
    hasher.add(vtl.guest_os_id).add(vtl.hypercall).add(vtl.reference_tsc);
    hasher.add(vtl.reference_tsc_page.value()).add(vtl.config.raw);
  }
  hasher.add(partition.hypercall_page.value());
  for (const uint64_t parameter : partition.crash_parameters)
    hasher.add(parameter);
  for (const auto& vp : partition.vps) {
    hasher.add(vp->enabled_vtls);
    for (const VtlState& state : vp->vtls.values)
      add_to(hasher, state);
  }
  if (partition.memory != nullptr) partition.memory->add_to(hasher);
}

}  // namespace vtl
