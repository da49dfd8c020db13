#include "sim/rpc/findings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "sim/loader/pe_image.h"
#include "sim/rpc/json_rpc.h"
#include "sim/rpc/types.h"

namespace rpc {
namespace {

using support::Error;
using support::Result;
using support::Status;

constexpr size_t longest_text = 4096, deepest_bucket = 256;
constexpr uint64_t highest_vp = 63, highest_vtl = 2;

/// A regular file that is not a link, of at most maximum_finding_file bytes.
Result<std::string> read_small_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return Error{errno == ELOOP ? std::string{"finding.json is a link"} : fmt::format("cannot open finding.json: {}", std::strerror(errno))};
  struct stat status {};
  std::string text;
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && static_cast<uint64_t>(status.st_size) <= maximum_finding_file) {
    text.resize(static_cast<size_t>(status.st_size) + 1);  // one more than there can be, if nobody writes to it meanwhile
    const ssize_t size = ::pread(descriptor, text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  }
  ::close(descriptor);
  if (!S_ISREG(status.st_mode)) return Error{"finding.json is no file"};
  if (static_cast<uint64_t>(status.st_size) > maximum_finding_file)
    return Error{fmt::format("finding.json has {} bytes; at most {} are read", status.st_size, maximum_finding_file)};
  return text;
}

Result<std::string> text_of(const Json& json, const char* name, bool needed) {
  const auto found = json.find(name);
  if (found == json.end() && !needed) return std::string{};
  if (found == json.end() || !found->is_string()) return Error{fmt::format("\"{}\" is to be a text", name)};
  std::string text = found->get<std::string>();
  if (text.size() > longest_text) return Error{fmt::format("\"{}\" has {} bytes; at most {} are read", name, text.size(), longest_text)};
  if (text.empty() && needed) return Error{fmt::format("\"{}\" is empty", name)};
  return text;
}

Result<std::optional<uint64_t>> number_of(const Json& json, const char* name, uint64_t most) {
  const auto found = json.find(name);
  if (found == json.end()) return std::optional<uint64_t>{};
  if (!found->is_number_integer() || *found < 0 || found->get<uint64_t>() > most)
    return Error{fmt::format("\"{}\" is to be an integer from 0 to {}", name, most)};
  return std::optional{found->get<uint64_t>()};
}

Result<std::vector<std::string>> bucket_of(const Json& json) {
  std::vector<std::string> bucket;
  const auto found = json.find("bucket");
  if (found == json.end()) return bucket;
  if (!found->is_array() || found->size() > deepest_bucket) return Error{fmt::format("\"bucket\" is to be a list of at most {} texts", deepest_bucket)};
  for (const Json& frame : *found) {
    if (!frame.is_string() || frame.get_ref<const std::string&>().size() > longest_text) return Error{"\"bucket\" is to be a list of texts"};
    bucket.push_back(frame.get<std::string>());
  }
  return bucket;
}

/// The path of a file directly in the folder; empty where none is named.
Result<std::string> file_of(const Json& json, const char* name, const std::string& folder) {
  const std::string file = TRY(text_of(json, name, false));
  if (file.empty()) return std::string{};
  if (!is_plain_name(file)) return Error{fmt::format("\"{}\" is no name of a file in this folder", name)};
  const std::string path = folder + "/" + file;
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return Error{fmt::format("{} is not there: {}", file, std::strerror(errno))};
  if (!S_ISREG(status.st_mode)) return Error{fmt::format("{} is no file, or a link", file)};
  return path;
}

Status fill(Finding& finding, const std::string& folder) {
  const std::string text = TRY(read_small_file(folder + "/finding.json"));
  const auto parsed = parse_json(text);
  if (!parsed) return Error{"finding.json: " + parsed.error().refusal.message};
  const Json& json = parsed.value();
  if (!json.is_object()) return Error{"finding.json is to hold an object"};
  const auto format = TRY(number_of(json, "format", maximum_integer));
  if (format != uint64_t{1}) return Error{"finding.json has another format than 1"};
  if (const std::string id = TRY(text_of(json, "id", true)); id != finding.id) return Error{"its \"id\" is not the name of its folder"};
  finding.oracle = TRY(text_of(json, "oracle", true));
  finding.call = TRY(text_of(json, "call", false));
  finding.text = TRY(text_of(json, "text", true));
  if (const auto at = TRY(number_of(json, "at", maximum_integer))) finding.at = support::Instant{*at};
  finding.vp = static_cast<uint32_t>(TRY(number_of(json, "vp", highest_vp)).value_or(0));
  finding.vtl = static_cast<uint32_t>(TRY(number_of(json, "vtl", highest_vtl)).value_or(0));
  finding.bucket = TRY(bucket_of(json));
  finding.recording = TRY(file_of(json, "recording", folder));
  for (const char* other : {"input", "report"}) (void)TRY(file_of(json, other, folder));
  return support::Unit{};
}

}  // namespace

bool is_plain_name(std::string_view name) {
  constexpr size_t longest = 255;
  return !name.empty() && name.size() <= longest && name[0] != '.' && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

Finding read_finding(const std::string& folder) {
  std::filesystem::path path{folder};
  if (!path.has_filename()) path = path.parent_path();
  Finding finding;
  finding.id = path.filename().string();
  const Status status = fill(finding, path.string());
  if (status.ok()) return finding;
  Finding unreadable;
  unreadable.id = std::move(finding.id);
  unreadable.unreadable = status.error().message;
  return unreadable;
}

Result<std::vector<Finding>> read_findings(const std::string& folder, const std::function<bool()>& go_on) {
  std::error_code error;
  std::vector<std::string> names;
  for (auto entry = std::filesystem::directory_iterator{folder, error}; !error && entry != std::filesystem::directory_iterator{}; entry.increment(error)) {
    std::error_code unknown;
    const std::string name = entry->path().filename().string();
    if (entry->symlink_status(unknown).type() == std::filesystem::file_type::directory && is_plain_name(name)) names.push_back(name);
    if (!go_on()) break;
  }
  if (error) return Error{fmt::format("cannot read {}: {}", folder, error.message())};
  std::sort(names.begin(), names.end());
  if (names.size() > maximum_findings) names.resize(maximum_findings);
  std::vector<Finding> findings;
  for (const std::string& name : names) {
    if (!go_on()) break;
    findings.push_back(read_finding(folder + "/" + name));
  }
  return findings;
}

}  // namespace rpc
