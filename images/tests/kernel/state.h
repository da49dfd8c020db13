#pragma once
// Between the parts of the micro-kernel.
#include "kernel.h"

namespace kernel {

void initialize_memory(std::uint64_t size);
void initialize_descriptors();
[[noreturn]] void fatal(std::string_view what, const TrapFrame& frame);

}  // namespace kernel
