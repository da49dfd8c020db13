#include "vtl/partition.h"

namespace vtl {
namespace {

constexpr uint16_t implemented = (1u << abi::hv::implemented_vtls) - 1;

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

VpState* Partition::find_vp(uint32_t index) const {
  if (index < vps.size() && vps[index]->registers->index == index) return vps[index];
  for (VpState* vp : vps) {
    if (vp->registers->index == index) return vp;
  }
  return nullptr;
}

const char* Partition::what_is_unsound() const {
  if (((enabled_vtls | mbec_enabled_vtls) & ~implemented) != 0 || !enabled(Vtl::Vtl0))
    return "a set of VTLs that cannot be enabled";
  std::vector<Spa> pages{hypercall_page};
  for (const PartitionVtl& vtl : vtls.values)
    pages.push_back(vtl.reference_tsc_page);
  for (const VpState* vp : vps) {
    if ((vp->enabled_vtls & ~enabled_vtls) != 0 || !vp->enabled(Vtl::Vtl0) || !vp->enabled(vp->registers->active))
      return "a virtual processor runs in a VTL that is not enabled";
    for (const VtlState& state : vp->vtls.values)
      pages.insert(pages.end(), {state.assist_page, state.synic.message_page, state.synic.event_page,
                                  state.synic.ring_page});
  }
  for (const Spa page : pages) {
    if (page != Spa{} && (memory == nullptr || !memory->owns(page)))
      return "a page of the hypervisor lies outside its memory";
  }
  if (memory == nullptr) return enabled_vtls == 1 ? "" : "a bare machine has no VTL above 0";
  const bool active = birth.phase == PartitionPhase::Active;
  if (!active && !vps.empty()) return "a partition without a SLAT has virtual processors";
  for (const Vtl vtl : all_vtls) {
    if (active && enabled(vtl) && !memory->exists(vtl)) return "an enabled VTL has no SLAT";
  }
  return memory->what_is_unsound();
}

}  // namespace vtl
