#pragma once
#include "sim/cpu/instruction.h"
#include "sim/timing/cost_table.h"

namespace timing {

/// The class of a decoded instruction. `memory`: it has an operand in memory that ModRM names.
[[nodiscard]] InstructionClass class_of(const cpu::Instruction& in, bool memory);

}  // namespace timing
