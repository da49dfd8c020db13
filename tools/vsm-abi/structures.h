#pragma once
// Every ABI_FIELDS of the contract, as the compiler laid it out.
#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "abi/layout/fields.h"

namespace vsm_abi {

struct StructureLayout {
  size_t size{};  ///< bytes
  std::span<const abi::Field> fields;
};

/// By qualified name, such as "abi::hv::Message".
const std::map<std::string, StructureLayout>& structures();

}  // namespace vsm_abi
