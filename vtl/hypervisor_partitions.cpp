// Several partitions: which there are, which VPs they have, who may name whom (TLFS chapters 4 and 5).
#include <algorithm>

#include "sim/support/check.h"
#include "vtl/hypervisor.h"

namespace vtl {

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

const Partition* Hypervisor::find_partition(uint64_t id) const {
  return id != 0 && id <= maximum_partitions ? partitions_[id - 1].get() : nullptr;
}

Partition* Hypervisor::target_partition(const CallContext& context, uint64_t id) {
  if (id == abi::hv::partition_self || id == context.partition.id) return &context.partition;
  if (!context.partition.is_root() || id == 0 || id > maximum_partitions) return nullptr;
  return partitions_[id - 1].get();
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
    if (const char* what = partition->what_is_unsound(); *what != '\0') return what;
  }
  return "";
}

}  // namespace vtl
