#include <unicorn/unicorn.h>

#include "sim/cpu/engine_name.h"

namespace cpu {

std::string engine_name() {
  const unsigned version = uc_version(nullptr, nullptr);  // major, minor, patch, extra: a byte each
  return "unicorn " + std::to_string(version >> 24) + "." + std::to_string(version >> 16 & 0xff) +
         "." + std::to_string(version >> 8 & 0xff);
}

}  // namespace cpu
