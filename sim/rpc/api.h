#pragma once
// The debugger's interface as the program's own faces use it: a method of the table, JSON in, JSON out.
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "sim/support/result.h"

namespace rpc {

/// Keeps members in the order in which they were added.
using Json = nlohmann::ordered_json;

/// Codes of JSON-RPC 2.0, and ours below -32000.
enum class Code : int {
  ParseError = -32700,
  InvalidRequest = -32600,
  MethodNotFound = -32601,
  InvalidParameters = -32602,
  Internal = -32603,       ///< a defect of this program
  NotImplemented = -32000, ///< a row of the table that nothing serves yet
  Refused = -32001,        ///< understood, and not possible here: the message says why
  NotThere = -32002,       ///< the thing that was named does not exist: a symbol, an image, a process
  NotPermitted = -32003,   ///< this face may not do that
  Busy = -32004,           ///< a motion is under way
};

struct Refusal {
  Code code{};
  std::string message;  ///< a sentence for people
};
using Answer = support::Result<Json, Refusal>;

/// All faces talk to the session through this and nothing else. Calls come from one thread.
class Api {
 public:
  virtual ~Api() = default;
  /// `parameters` is an object; null counts as an empty one. Checked against the table before anything happens.
  [[nodiscard]] virtual Answer call(std::string_view method, const Json& parameters) = 0;
  /// Ends a motion that is under way, from any thread.
  virtual void interrupt() = 0;

  /// Something that clients should know without asking: "moved" with a Stop, "breakpoints" and "branch" with what status
  /// or breakpoint.list would answer, "output" with {"text"} that a guest printed while it ran for the first time.
  using Listener = std::function<void(std::string_view notification, const Json& parameters)>;
  /// Returns a number for forget().
  virtual size_t listen(Listener listener) = 0;
  virtual void forget(size_t listener) = 0;
};

}  // namespace rpc
