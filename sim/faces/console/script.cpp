#include "sim/faces/console/script.h"

#include <optional>

namespace faces::console {
namespace {

constexpr size_t longest_line = 64 << 10;

/// A line without its end; nothing at the end of the input. What is beyond the longest line is passed over.
std::optional<std::string> read_line(std::FILE* input, bool& too_long) {
  std::string line;
  too_long = false;
  int c = std::fgetc(input);
  if (c == EOF) return std::nullopt;
  for (; c != EOF && c != '\n'; c = std::fgetc(input)) {
    if (line.size() < longest_line)
      line += static_cast<char>(c);
    else
      too_long = true;
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

bool put(std::FILE* output, const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), output) == text.size() && std::fflush(output) == 0;
}

}  // namespace

ScriptEnd run_script(Conversation& console, std::FILE* input, std::FILE* output, const ScriptOptions& options) {
  bool too_long = false;
  while (const std::optional<std::string> line = read_line(input, too_long)) {
    if (options.echo && !line->empty() && !put(output, console.prompt(options.colours) + *line + "\n")) return ScriptEnd::OutputLost;
    const Reply reply = too_long ? Reply{"a line of more than 64 KiB is no command\n", {}, false, true} : console.execute(*line, options.colours);
    if (!put(output, reply.output)) return ScriptEnd::OutputLost;
    if (reply.ended) return ScriptEnd::Finished;
    if (reply.failed && options.stop_at_error) return ScriptEnd::Refused;
  }
  return ScriptEnd::Finished;
}

}  // namespace faces::console
