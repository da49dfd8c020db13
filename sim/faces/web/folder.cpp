// Files of a folder: a path from the network is never put together with one of this host; each part of it is opened below
// the one before.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "sim/faces/web/assets.h"

namespace faces::web {
namespace {

constexpr size_t longest_file = size_t{16} << 20;
constexpr size_t longest_path = 1024;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_{number} {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  [[nodiscard]] int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_;
};

bool is_of_name(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}
bool is_name(std::string_view part) { return !part.empty() && part.front() != '.' && std::all_of(part.begin(), part.end(), is_of_name); }

Descriptor open_below(int folder, std::string_view name, int more) {
  return Descriptor{openat(folder, std::string{name}.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | more)};
}

/// The file of a path such as "/assets/x.js"; no file where a part of it is no name, or leads elsewhere.
Descriptor open_path(int folder, std::string_view path) {
  if (!path.starts_with('/') || path.size() > longest_path) return Descriptor{-1};
  path.remove_prefix(1);
  Descriptor below{-1};
  int at = folder;
  for (size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/')) {
    if (!is_name(path.substr(0, slash))) return Descriptor{-1};
    below = open_below(at, path.substr(0, slash), O_DIRECTORY);
    if (!below) return below;
    at = below.number();
    path.remove_prefix(slash + 1);
  }
  return is_name(path) ? open_below(at, path, 0) : Descriptor{-1};
}

std::optional<std::string> read_all(const Descriptor& file) {
  struct stat about{};
  if (!file || fstat(file.number(), &about) != 0 || !S_ISREG(about.st_mode) || about.st_size > static_cast<off_t>(longest_file)) return std::nullopt;
  std::string bytes(static_cast<size_t>(about.st_size), '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t count = read(file.number(), bytes.data() + have, bytes.size() - have);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return std::nullopt;  // it became shorter meanwhile
    have += static_cast<size_t>(count);
  }
  return bytes;
}

}  // namespace

support::Result<rpc::HttpAssets> serve_folder(const std::string& folder) {
  const auto opened = std::make_shared<const Descriptor>(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!*opened) return support::Error{fmt::format("{}: {}", folder, std::strerror(errno))};
  if (!open_below(opened->number(), "index.html", 0)) return support::Error{fmt::format("{}: there is no index.html in it", folder)};
  return rpc::HttpAssets{[opened](std::string_view path) -> std::optional<rpc::HttpAsset> {
    if (path == "/") path = "/index.html";
    auto bytes = read_all(open_path(opened->number(), path));
    if (!bytes) return std::nullopt;
    return rpc::HttpAsset{.content_type = std::string{content_type(path)}, .body = std::move(*bytes)};
  }};
}

}  // namespace faces::web
