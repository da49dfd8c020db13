#pragma once
// Starts the browser of whoever sits before this machine.
#include <optional>
#include <string>
#include <utility>

namespace cli {

/// The file that leads a browser to the page, which is there until this is destroyed.
class Browser {
 public:
  explicit Browser(std::string file) : file_{std::move(file)} {}
  ~Browser();
  Browser(Browser&& other) noexcept : file_{std::exchange(other.file_, "")} {}
  Browser& operator=(Browser&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }

 private:
  std::string file_;
};

/// Where a display is there (DISPLAY, WAYLAND_DISPLAY), xdg-open is started and not waited for. It is given a file that only
/// this user may read and that leads to `url`: the arguments of a program are seen by everybody on this machine, and the URL
/// holds a secret. Nothing if there is no display, no xdg-open, or no place for the file.
[[nodiscard]] std::optional<Browser> open_browser(const std::string& url);

}  // namespace cli
