#pragma once
// HV_REGISTER_NAME: what HvCallGetVpRegisters and HvCallSetVpRegisters can name.
#include <stddef.h>
#include <stdint.h>

namespace abi::hv {

/// A guest may send any other value.
enum class RegisterName : uint32_t {
#define HV_REGISTER(name, number, scope, access, source) name = number,
#include "abi/hv/vp_registers.def"
};

enum class RegisterScope : uint8_t { Shared, Private, Partition, PartitionVtl };
enum class RegisterAccess : uint8_t { ReadWrite, ReadOnly, Unknown };

struct RegisterInfo {
  RegisterName number;
  const char* name;
  RegisterScope scope;
  RegisterAccess access;
  const char* source;
};

inline constexpr RegisterInfo vp_registers[] = {
#define HV_REGISTER(name, number, scope, access, source)                                           \
  {RegisterName::name, #name, RegisterScope::scope, RegisterAccess::access, source},
#include "abi/hv/vp_registers.def"
};
inline constexpr size_t vp_register_count = sizeof(vp_registers) / sizeof(vp_registers[0]);

consteval bool vp_registers_sorted_and_unique() {
  for (size_t i = 1; i < vp_register_count; ++i) {
    if (vp_registers[i - 1].number >= vp_registers[i].number) return false;
  }
  return true;
}
static_assert(vp_registers_sorted_and_unique(),
              "vp_registers.def must be sorted, without duplicates");

/// The row of a register, or null when the name is not listed.
constexpr const RegisterInfo* find_register(uint32_t name) {
  size_t low = 0, high = vp_register_count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    const auto number = static_cast<uint32_t>(vp_registers[middle].number);
    if (number == name) return &vp_registers[middle];
    if (number < name) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return nullptr;
}
static_assert(find_register(0x000D0005)->number == RegisterName::VsmVina &&
              find_register(3) == nullptr);

}  // namespace abi::hv
