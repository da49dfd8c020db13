#include "fuzz/targets/targets.h"

#include "fuzz/targets/secure_call.h"

namespace fuzzing {

std::vector<std::string_view> target_names() { return {"secure_call"}; }

std::unique_ptr<Target> make_target(std::string_view name, const std::string& guests, loader::GearSetting gear) {
  if (name == "secure_call") return std::make_unique<SecureCallTarget>(guests, gear);
  return nullptr;
}

}  // namespace fuzzing
