#pragma once
// What the kernels keep at an address: objects, stacks and memory of processes, each with its place and a sentence.
#include <cstdint>
#include <string>
#include <vector>

#include "vtl/virtual_processor.h"

namespace symbols {

/// [address, address + size) in one world.
struct KernelObject {
  uint64_t address{}, size{};
  vtl::Vtl vtl{};
  uint64_t cr3{};    ///< of the process that alone has it at this address; 0: the kernel's, in all address spaces
  std::string text;  ///< "SKPROCESS of lsaiso.exe", "kernel stack of thread 5 of System"
};

/// What a guest may claim is bounded: larger objects are none.
inline constexpr uint64_t largest_object = uint64_t{1} << 32;

/// Those that hold `address`, the smallest first. `cr3`: of who asks.
[[nodiscard]] std::vector<const KernelObject*> objects_at(const std::vector<KernelObject>& objects, vtl::Vtl vtl, uint64_t cr3,
                                                          uint64_t address);

}  // namespace symbols
