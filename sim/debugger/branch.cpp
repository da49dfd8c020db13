// What if: a run of its own from an instant of the recorded one.
#include "sim/debugger/session.h"

namespace debugger {

using support::Error;
using support::Result;

support::Status Session::begin_branch(std::string) { return Error{"not implemented"}; }
Result<Stop> Session::end_branch() { return Error{"not implemented"}; }
std::optional<std::string> Session::branch() const { return std::nullopt; }
support::Status Session::write_memory(const mmu::AddressSpace&, abi::Gva, std::span<const uint8_t>) {
  return Error{"not implemented"};
}
support::Status Session::write_physical(abi::Spa, std::span<const uint8_t>) { return Error{"not implemented"}; }
support::Status Session::write_register(RegisterId, uint32_t, Vtl, vtl::Xmm) { return Error{"not implemented"}; }

}  // namespace debugger
