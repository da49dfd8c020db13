// Several partitions: which there are, which VPs they have, who may name whom (TLFS chapters 4 and 5).
#include <algorithm>

#include "sim/support/check.h"
#include "vtl/hypercall_page.h"
#include "vtl/hypervisor.h"
#include "vtl/processor_reset.h"

namespace vtl {

using namespace abi::hv;

std::unique_ptr<Partition> Hypervisor::make_partition(uint8_t id) const {
  auto partition = std::make_unique<Partition>();
  partition->id = id;
  partition->privileges = config_.privileges;
  return partition;
}

void Hypervisor::add_spare_virtual_processor(VirtualProcessor& vp) {
  CHECK(!launched());
  vp.number = static_cast<uint32_t>(processors_.size());
  vp.index = 0;
  vp.partition = 0;
  vp.startup_suspend = true;
  processors_.push_back({&vp, 0, 0, nullptr, true});
}

std::unique_ptr<GuestMemory> Hypervisor::make_memory(uint8_t id) const {
  if (id == root_partition_id)
    return std::make_unique<GuestMemory>(memory_, translator_, id, config_.guest_memory_bytes);
  return std::make_unique<GuestMemory>(memory_, translator_, id, root_->memory,
                                       config_.guest_memory_bytes);
}

const Partition* Hypervisor::find_partition(uint64_t id) const {
  const auto found = std::find_if(partitions_.begin(), partitions_.end(), [&](const auto& partition) {
    return partition != nullptr && partition->birth.partition_id == id;
  });
  return found != partitions_.end() ? found->get() : nullptr;
}

Partition* Hypervisor::target_partition(const CallContext& context, uint64_t id) {
  Partition& own = context.partition;
  if (id == partition_self || id == own.birth.partition_id) return &own;
  return own.is_root() ? const_cast<Partition*>(find_partition(id)) : nullptr;
}

const char* Hypervisor::attach_processors() {
  for (const auto& partition : partitions_) {
    if (partition != nullptr) partition->vps.clear();
  }
  for (const Processor& processor : processors_) {
    if ((processor.state != nullptr) != (processor.partition != 0))
      return "a virtual processor without partition, or a partition's without state";
    if (processor.partition > maximum_partitions)
      return "a virtual processor of a partition that cannot be";
    const bool root = processor.partition == root_partition_id;
    if (root == processor.spare || (root && processor.index != processor.registers->number))
      return "a virtual processor of the root partition is elsewhere, or another took its place";
    processor.registers->partition = processor.partition;
    processor.registers->index = processor.index;
    if (processor.state == nullptr) continue;
    Partition* const partition = partitions_[processor.partition - 1].get();
    if (partition == nullptr) return "a virtual processor of a partition that is not there";
    if (partition->find_vp(processor.index) != nullptr) return "two virtual processors with one index";
    processor.state->registers = processor.registers;
    processor.state->partition = partition;
    const auto before = std::find_if(
        partition->vps.begin(), partition->vps.end(),
        [&](const VpState* other) { return other->registers->index > processor.index; });
    partition->vps.insert(before, processor.state.get());
  }
  return "";
}

const char* Hypervisor::what_is_unsound() const {
  for (const auto& partition : partitions_) {
    if (partition == nullptr) continue;
    if (!partition->is_root() && root_->memory == nullptr) return "a bare machine has a child";
    if (!partition->is_root() && partition->memory == nullptr) return "a child without memory";
    if (const char* what = partition->what_is_unsound(); *what != '\0') return what;
    if (partition->birth.partition_id >= next_partition_id_)
      return "a partition with a number that was not given out";
    for (const auto& other : partitions_) {
      if (other != nullptr && other != partition &&
          other->birth.partition_id == partition->birth.partition_id)
        return "two partitions with one number";
    }
  }
  return "";
}

}  // namespace vtl
