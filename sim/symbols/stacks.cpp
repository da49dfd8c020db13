// The stack of a processor of a machine.
#include "mmu/translator.h"
#include "sim/machine/machine.h"
#include "sim/symbols/library.h"
#include "sim/symbols/unwind.h"

namespace symbols {
namespace {

using vtl::Vtl;

mmu::AddressSpace space_of(const machine::Machine& machine, uint32_t vp, Vtl vtl, uint64_t cr3) {
  mmu::AddressSpace space = machine.hypervisor().address_space(machine.processor(vp), vtl);
  space.stage1.cr3 = cr3;
  space.stage1.alignment_check = true;  // SMAP is no concern of one who only looks
  return space;
}

/// Where `vtl` of a processor is, or where it will go on.
Frame innermost(const vtl::VirtualProcessor& vp, Vtl vtl) {
  const vtl::VtlContext& context = vp.contexts[vtl];
  Frame frame;
  frame.vtl = vtl;
  frame.ring = context.segments[vtl::Ss].attributes >> 5 & 3;
  frame.cr3 = context.cr3;
  frame.registers.gpr = vp.shared.gpr;
  frame.registers.gpr[vtl::Rsp] = context.rsp;
  frame.registers.rip = context.rip;
  frame.registers.gs_base = context.segments[vtl::Gs].base;
  frame.registers.kernel_gs_base = context.kernel_gs_base;
  // The general registers are those of the VTL that runs.
  if (vtl != vp.active) frame.registers.known = 1 << vtl::Rsp;
  return frame;
}

/// VTL 0 waits while VTL 1 works for it: behind VMCALL if it called, anywhere if it was interrupted.
std::optional<Frame> beyond(const vtl::VirtualProcessor& vp, Vtl vtl, const UnwindWorld& world) {
  if (vtl != Vtl::Vtl1 || vp.active != Vtl::Vtl1) return std::nullopt;
  Frame frame = innermost(vp, Vtl::Vtl0);
  std::array<uint8_t, 3> before{};
  const bool called = world.read(Vtl::Vtl0, frame.cr3, abi::Gva{frame.pc() - before.size()}, before) &&
                      before[0] == 0x0f && before[1] == 0x01 && (before[2] == 0xc1 || before[2] == 0xd9);
  frame.entered = called ? Entered::VtlCall : Entered::Interrupt;
  return frame;
}

}  // namespace

Stack stack_of(const machine::Machine& machine, uint32_t vp, Vtl vtl, const loader::ImageCatalog& images,
               const Library& library, size_t maximum) {
  const vtl::VirtualProcessor& processor = machine.processor(vp);
  UnwindWorld world;
  world.read = [&](Vtl of, uint64_t cr3, abi::Gva address, std::span<uint8_t> to) {
    return mmu::read_gva(machine.translator(), space_of(machine, vp, of, cr3), address, to) == to.size();
  };
  world.code = [&](Vtl, uint64_t cr3, uint64_t address) -> std::optional<UnwindWorld::Code> {
    const loader::LoadedImage* image = images.find(address, cr3);
    if (image == nullptr) return std::nullopt;
    return UnwindWorld::Code{image->base, &library.of(image->name).unwind};
  };
  world.beyond = [&](Vtl of) { return beyond(processor, of, world); };
  return unwind(innermost(processor, vtl), world, maximum);
}

}  // namespace symbols
