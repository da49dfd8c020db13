#pragma once
// Messages of the Debug Adapter Protocol in a stream of bytes: "Content-Length: N", an empty line, N bytes of JSON.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "sim/faces/view.h"
#include "sim/support/result.h"

namespace faces::dap {

inline constexpr size_t maximum_message = size_t{4} << 20;  ///< bytes
inline constexpr size_t maximum_header = 4096;              ///< bytes of all header fields
inline constexpr size_t maximum_depth = 32;                 ///< of objects and lists in a message

/// Cuts a stream into messages. After an error nothing more comes out: where the next message begins is not known.
class MessageReader {
 public:
  void add(std::string_view bytes);
  /// The next whole message, or nothing until more bytes were added. Errors are sentences for the client.
  [[nodiscard]] support::Result<std::optional<std::string>> next();
  /// Bytes that wait to become a message.
  [[nodiscard]] size_t waiting() const { return bytes_.size() - begin_; }

 private:
  std::string bytes_;
  size_t begin_{};
  std::optional<size_t> length_;  ///< of the message whose header was read
  std::string broken_;            ///< why there is nothing more
};

/// A message as it is sent. Text that is not UTF-8, such as a guest's, is made so.
[[nodiscard]] std::string frame(const Json& message);

/// Errors: not JSON, no object, or nested too deeply.
[[nodiscard]] support::Result<Json> parse_message(std::string_view text);

}  // namespace faces::dap
