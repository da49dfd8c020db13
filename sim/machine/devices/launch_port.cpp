#include "sim/machine/devices/launch_port.h"

namespace machine {
namespace {

bool well_formed(const abi::boot::LaunchBlock& block) {
  constexpr uint64_t known = abi::boot::LaunchIommuPolicy | abi::boot::LaunchMmioNxPolicy |
                             abi::boot::LaunchMsrFilterPolicy;
  return block.size == sizeof(block) && block.version == 1 && (block.flags & ~known) == 0 &&
         block.reserved[0] == 0 && block.reserved[1] == 0;
}

}  // namespace

uint32_t LaunchPort::io_read(const IoContext&, uint16_t, uint8_t size) {
  return size == 4 ? static_cast<uint32_t>(result_) : all_ones(size);
}

void LaunchPort::io_write(const IoContext& context, uint16_t, uint8_t size, uint32_t value) {
  result_ = abi::boot::LaunchResult::Refused;
  if (size != 4 || value != abi::boot::launch_hypervisor || context.vp.cpl() != 0) return;
  abi::boot::LaunchBlock block;
  const mmu::Gpa address{context.vp.shared.gpr[vtl::Rcx]};
  if (!memory_.dma_read(address, {reinterpret_cast<uint8_t*>(&block), sizeof(block)})) return;
  if (well_formed(block) && launch_(context.vp)) result_ = abi::boot::LaunchResult::Launched;
}

}  // namespace machine
