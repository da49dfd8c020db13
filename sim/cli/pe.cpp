#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "sim/cli/exit_codes.h"
#include "sim/cli/pe_report.h"
#include "sim/cli/standard_output.h"
#include "sim/cli/subcommands.h"

namespace cli {
namespace {

struct PeArguments {
  std::string file;
  bool json{};
};

int complain(const std::string& file, const support::Error& error, int code) {
  fmt::print(stderr, "airlock pe: {}: {}\n", loader::printable(file), error.message);
  return code;
}

int run_pe(const PeArguments& arguments) {
  const auto bytes = loader::read_file(arguments.file);
  if (!bytes) {
    fmt::print(stderr, "airlock pe: {}\n", bytes.error().message);
    return exit_bad_input;
  }
  const auto facts = read_pe_facts(bytes.value());
  if (!facts) return complain(arguments.file, facts.error(), exit_bad_input);
  const std::string name = loader::printable(arguments.file);
  const std::string report =
      arguments.json ? pe_json(facts.value(), name) + "\n" : pe_text(facts.value(), name);
  StandardOutput out;
  out.text(report);
  if (out.finish()) return exit_ok;
  fmt::print(stderr, "airlock pe: {}\n", out.why());
  return exit_io;
}

}  // namespace

void register_pe(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<PeArguments>();
  CLI::App* command = app.add_subcommand(
      "pe", "Show a PE file as the loaders see it, with its Authenticode digest and signature");
  command->add_option("file", arguments->file, "The PE32+ file")->required();
  command->add_flag("--json", arguments->json, "One JSON object instead of text");
  command->footer(std::string{"Example:\n  airlock pe securekernel.exe\n\n"} + exit_code_help);
  command->callback([arguments, &exit_code] { exit_code = run_pe(*arguments); });
}

}  // namespace cli
