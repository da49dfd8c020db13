#pragma once
// All targets by name.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/engine/target.h"

namespace fuzzing {

/// As Target::name() has them, sorted.
[[nodiscard]] std::vector<std::string_view> target_names();
/// Null if there is none of that name. `guests`: the folder with the build's images and disk.
[[nodiscard]] std::unique_ptr<Target> make_target(std::string_view name, const std::string& guests,
                                                  loader::GearSetting gear = loader::GearSetting::Fast);

}  // namespace fuzzing
