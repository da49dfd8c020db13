#include "sim/support/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace support {
namespace {

/// Names of private members end with an underscore, which is nobody else's business.
std::string_view shown(std::string_view name) {
  if (name.ends_with('_')) name.remove_suffix(1);
  return name;
}

void append_name(std::string& path, std::string_view name) {
  if (name.empty()) return;
  if (!path.empty()) path += '.';
  path += shown(name);
}

std::string text_of(const NamedState& field) {
  return field.bytes.empty() ? fmt::format("{:#x}", field.value) : fmt::format("{} bytes", field.value);
}

StateDifference difference_of_bytes(const NamedState& a, const NamedState& b) {
  const auto [in_a, in_b] = std::ranges::mismatch(a.bytes, b.bytes);
  const auto text = [](const NamedState& field, auto position) {
    return position == field.bytes.end() ? std::string{"absent"} : fmt::format("{:#04x}", *position);
  };
  return {fmt::format("{}[{:#x}]", a.path, in_a - a.bytes.begin()), text(a, in_a), text(b, in_b)};
}

}  // namespace

void StateReader::fail(const char* what) {
  if (!ok()) return;
  std::string path;
  for (size_t i = 0; i < std::min(depth_, path_.size()); ++i) {
    if (path_[i].name != nullptr) append_name(path, path_[i].name);
    else path += fmt::format("[{}]", path_[i].index);
  }
  message_ = fmt::format("state: {}: {} (byte {} of {})", path.empty() ? "the whole" : path, what, position_,
                         bytes_.size());
}

void StateReader::count(uint64_t& number, size_t bytes_each) {
  if (!take(&number, sizeof number)) return;
  if (number > (bytes_.size() - position_) / bytes_each) fail("more elements than there are bytes");
}

bool StateReader::same_count(uint64_t expected) {
  uint64_t number = 0;
  if (!take(&number, sizeof number)) return false;
  require(number == expected, "a machine of this configuration has another number of them");
  return ok();
}

Status StateReader::finish() const {
  if (!ok()) return Error{message_};
  if (position_ != bytes_.size()) {
    return Error{fmt::format("state: {} bytes follow the last field", bytes_.size() - position_)};
  }
  return Unit{};
}

void StateNames::enter(const char* name) {
  lengths_.push_back(path_.size());
  append_name(path_, name);
}

void StateNames::index(uint64_t position) {
  lengths_.push_back(path_.size());
  path_ += fmt::format("[{}]", position);
}

void StateNames::leave() {
  path_.resize(lengths_.back());
  lengths_.pop_back();
}

void StateNames::add(uint64_t value) {
  fields_.push_back({path_, value, {}});
}

void StateNames::add(std::span<const uint8_t> bytes) {
  fields_.push_back({path_, bytes.size(), {bytes.begin(), bytes.end()}});
}

std::vector<StateDifference> compare(const std::vector<NamedState>& a, const std::vector<NamedState>& b) {
  std::map<std::string_view, const NamedState*> other;
  for (const NamedState& field : b) other.emplace(field.path, &field);
  std::vector<StateDifference> differences;
  for (const NamedState& field : a) {
    const auto found = other.find(field.path);
    if (found == other.end()) {
      differences.push_back({field.path, text_of(field), "absent"});
      continue;
    }
    const NamedState& match = *found->second;
    if (field.bytes != match.bytes) differences.push_back(difference_of_bytes(field, match));
    else if (field.value != match.value) differences.push_back({field.path, text_of(field), text_of(match)});
    other.erase(found);
  }
  for (const NamedState& field : b) {
    if (other.contains(field.path)) differences.push_back({field.path, "absent", text_of(field)});
  }
  return differences;
}

}  // namespace support
