#pragma once
// What a fuzzer found: folders that anybody may have written. docs/findings.md has their layout.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/support/instant.h"
#include "sim/support/result.h"

namespace rpc {

struct Finding {
  std::string id;                     ///< name of its folder
  std::string oracle, call, text;     ///< what was broken, by which call, in one sentence
  std::optional<support::Instant> at; ///< of the violation, in its recording
  uint32_t vp{}, vtl{};               ///< where
  std::vector<std::string> bucket;    ///< the stack that it was sorted by, the innermost first
  std::string recording;              ///< a file that is there; empty: none
  std::string unreadable;             ///< why nothing but `id` is known; empty: it is
};

inline constexpr size_t maximum_findings = 10'000;           ///< of a folder that are listed, by name
inline constexpr uint64_t maximum_finding_file = 1u << 20;   ///< bytes of finding.json

/// Whether it is the name of something directly in a folder: not empty, not hidden, without a separator.
[[nodiscard]] bool is_plain_name(std::string_view name);
/// The finding in `folder`. Whatever is wrong with it stands in `unreadable`. Follows no links, opens nothing outside.
[[nodiscard]] Finding read_finding(const std::string& folder);
/// Those in the folders of `folder`, by name. Files and links among them are no findings. Errors: it cannot be read. Ends
/// early when `go_on` says false.
[[nodiscard]] support::Result<std::vector<Finding>> read_findings(const std::string& folder, const std::function<bool()>& go_on);

}  // namespace rpc
