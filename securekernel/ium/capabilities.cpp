#include "ium/capabilities.h"

#include "abi/sk/tables.h"
#include "abi/sk/trustlet_metadata.h"

namespace sk {

using abi::sk::Capability;
using abi::sk::CapabilityRule;
using abi::sk::SecureCall;
using abi::sk::TrustletId;

static constexpr Capability row(SecureCall call, CapabilityRule rule, TrustletId id = TrustletId::SecureKernel) {
  return {static_cast<uint32_t>(call), static_cast<uint32_t>(rule), static_cast<uint64_t>(id), {}};
}

// Hard-coded knowledge of trustlets, as in 2015: only storage checks (S73). Sorted by service; read-only.
extern "C" const Capability SkCapabilities[] = {
    row(SecureCall::IumGetIdk, CapabilityRule::AllowAll),
    row(SecureCall::IumSetTrustletInstance, CapabilityRule::AllowAll),
    row(SecureCall::IumPostMailbox, CapabilityRule::AllowAll),
    row(SecureCall::IumCrypto, CapabilityRule::AllowAll),
    row(SecureCall::IumStoragePut, CapabilityRule::CheckByTrustletId, TrustletId::VtpmProvisioning),
    row(SecureCall::IumStorageGet, CapabilityRule::CheckByTrustletId, TrustletId::Vmsp),
};

bool SkIsCapable(const SkProcess& process, uint32_t service) {
  for (const Capability& capability : SkCapabilities) {
    if (capability.service != service) continue;
    switch (static_cast<CapabilityRule>(capability.rule)) {
      case CapabilityRule::AllowAll: return true;
      case CapabilityRule::CheckByTrustletId: return process.trustlet_id == capability.trustlet_id;
      case CapabilityRule::CheckByTrustletInstanceGuid: return process.instance == capability.instance;
    }
  }
  return false;
}

}  // namespace sk
