#include "sim/debugger/views/eye.h"

#include "sim/support/check.h"

namespace debugger::views {

Eye eye(const machine::Machine& machine, uint32_t vp, abi::hv::Vtl vtl, std::optional<uint64_t> cr3) {
  CHECK(vp < machine.processor_count());
  const vtl::VirtualProcessor& processor = machine.processor(vp);
  Eye out{machine, processor, vtl, machine.hypervisor().address_space(processor, vtl)};
  if (cr3) out.space.stage1.cr3 = *cr3;
  return out;
}

}  // namespace debugger::views
