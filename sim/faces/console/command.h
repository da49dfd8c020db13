#pragma once
// What a command of the console is, and what its function has at hand.
#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/faces/console/style.h"
#include "sim/faces/view.h"
#include "sim/faces/console/words.h"
#include "sim/rpc/api.h"
#include "sim/support/result.h"

namespace faces::console {

/// What an argument can be completed to.
enum class Completes : uint8_t { Nothing, Address, Register, Event, Type, Command, Process, Module, Table };

class Invocation;

/// A row of the table (commands.def).
struct Command {
  std::string_view name;
  std::string_view others;     ///< other spellings, separated by spaces
  std::string_view group;      ///< heading under which help lists it
  std::string_view arguments;  ///< as help writes them
  Completes completes{};
  std::string_view summary;    ///< one line
  std::string_view help;       ///< the rest of its page
  support::Status (*run)(Invocation&){};
};

[[nodiscard]] std::span<const Command> commands();
/// By its name or another spelling.
[[nodiscard]] const Command* find_command(std::string_view name);
/// The nearest name, for a message; empty if none is near.
[[nodiscard]] std::string_view nearest_command(std::string_view name);
/// The page of one command.
[[nodiscard]] std::string help_page(const Command& command);
/// All commands, by group.
[[nodiscard]] std::string help_overview();
/// docs/reference/console.md.
[[nodiscard]] std::string reference_page();

/// Which memory an address means.
struct Location {
  std::string space{"gva"};
  uint64_t address{};
  std::string process;      ///< empty: the tables of the focus
  bool privileged{};        ///< gpa: as the hypervisor
};

/// A location and how much of it.
struct Range {
  Location location;
  uint64_t bytes{};
};

/// What the console remembers from one command to the next.
struct Memory {
  std::string dump_command{"db"};
  Location dump_next;
  bool dumped{};
  std::optional<uint64_t> unassemble_next;
  Json last_stop = Json::object();
  std::string branch;        ///< the what-if branch, if one was begun
  bool ended{};              ///< quit
};

/// One command at work.
class Invocation {
 public:
  Invocation(rpc::Api& api, Memory& remembered, const Command& command, std::string spelling, std::string_view arguments, Style colours,
             std::optional<Json> focus)
      : words{arguments}, style{colours}, memory{remembered}, api_{api}, command_{command}, spelling_{std::move(spelling)},
        focus_{std::move(focus)} {}

  /// Asks the interface. Methods with a focus look from the prefix's (`~1 r`), if there was one.
  support::Result<Json> ask(std::string_view method, Json parameters = Json::object());
  /// The same, and tells what moved: the answer's stop is shown.
  support::Status move(std::string_view method, Json parameters);

  /// The value of an expression of the console.
  support::Result<uint64_t> evaluate(std::string_view expression);
  /// The next word as an address, with its space in front. `what` names the argument in the error.
  support::Result<Location> location(std::string_view what = "an address");
  /// ADDRESS [L COUNT | END], in elements of `element` bytes; `otherwise` elements where the line says nothing.
  support::Result<Range> range(uint64_t element, uint64_t otherwise);
  /// Options /p PROCESS and /h in front of an address.
  support::Status location_options(Location& location);
  /// Errors: there are words left that this command does not take.
  support::Status end_of_words();

  template <class... Values>
  void line(fmt::format_string<Values...> text, Values&&... values) {
    fmt::format_to(std::back_inserter(output), text, std::forward<Values>(values)...);
    output += '\n';
  }
  /// A place as text: its symbol if it has one, else the number.
  [[nodiscard]] std::string place(const Json& place) const;

  /// The name by which the command was called.
  [[nodiscard]] const std::string& spelling() const { return spelling_; }
  [[nodiscard]] const Command& command() const { return command_; }
  /// Of the prefix, if there was one.
  [[nodiscard]] const std::optional<Json>& focus() const { return focus_; }
  /// Where the command looks from: the prefix's focus or the session's own.
  support::Result<Json> where();
  [[nodiscard]] rpc::Api& api() { return api_; }

  Words words;
  Style style;
  Memory& memory;
  std::string output;
  std::optional<Json> stop;  ///< of the last motion

 private:
  rpc::Api& api_;
  const Command& command_;
  std::string spelling_;
  std::optional<Json> focus_;
};

/// Writes `location` into the parameters of memory.read and its like.
void put(Json& parameters, const Location& location);

/// The instruction at the focus as the kernel debugger shows it, with the line of its symbol above.
support::Status show_instruction(Invocation& command);
/// Where a motion ended and why.
support::Status show_stop(Invocation& command, const Json& stop);
/// One disassembled line.
[[nodiscard]] std::string instruction_line(const Invocation& command, const Json& line);

}  // namespace faces::console
