#pragma once
// The console: a line in, text out, over the debugger's interface.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/faces/console/command.h"

namespace faces::console {

/// What a line did.
struct Reply {
  std::string output;         ///< whole lines
  std::optional<Json> stop;   ///< of the last motion, if there was one
  bool ended{};               ///< the console is left
  bool failed{};              ///< a command was refused; the rest of the line was not executed
};

/// What could stand where a line ends.
struct Completion {
  size_t from{};  ///< byte of the line where the words begin
  std::vector<std::string> words;
};

/// A console, wherever it lives.
class Conversation {
 public:
  virtual ~Conversation() = default;
  /// The commands of a line, until one is refused.
  virtual Reply execute(std::string_view line, bool colours) = 0;
  virtual Completion complete(std::string_view line) = 0;
  /// "0: VTL 1> ", with "[what if] " before it in a branch.
  [[nodiscard]] virtual std::string prompt(bool colours) = 0;
};

/// Lives on the session's thread, as it listens to what moves there.
class Console final : public Conversation {
 public:
  /// `api` must outlive this.
  explicit Console(rpc::Api& api);
  ~Console() override;
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  Reply execute(std::string_view line, bool colours) override;
  Completion complete(std::string_view line) override;
  [[nodiscard]] std::string prompt(bool colours) override;

 private:
  support::Result<std::optional<Json>> prefix(std::string_view& command);
  void execute_one(std::string_view command, Reply& reply, Style style);
  void on(std::string_view notification, const Json& parameters);

  rpc::Api& api_;
  Memory memory_;
  size_t listener_;
};

/// The interface's methods console and console.complete over a console. Parameters and results are those of the table.
rpc::Answer answer_console(Console& console, const Json& parameters);
rpc::Answer answer_complete(Console& console, const Json& parameters);

}  // namespace faces::console
