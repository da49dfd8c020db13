// airlock: the subcommands, each in its own file under sim/cli/.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "sim/cli/exit_codes.h"
#include "sim/cli/export.h"
#include "sim/cli/machine_subcommands.h"
#include "sim/cli/session.h"
#include "sim/cli/subcommands.h"

namespace {

int parse_and_run(int argc, char** argv) {
  int exit_code = cli::exit_ok;
  CLI::App app{"Airlock: a deterministic full-system simulator of Windows Virtual Secure Mode", "airlock"};
  app.require_subcommand(1);
  app.set_version_flag("--version", AIRLOCK_VERSION);
  app.footer(cli::exit_code_help);
  const std::string guests = cli::guest_folder();
  cli::register_run(app, exit_code);
  cli::register_replay(app, exit_code);
  cli::register_diff(app, exit_code);
  cli::register_seek(app, exit_code);
  cli::register_debug(app, exit_code);
  cli::register_explain(app, exit_code);
  cli::register_cycles(app, exit_code, guests.empty() ? guests : guests + "/images");
  cli::register_trace(app, exit_code, guests.empty() ? guests : guests + "/images");
  cli::register_export(app, exit_code, guests.empty() ? guests : guests + "/images");
  cli::register_pe(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::exit_ok : cli::exit_usage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return parse_and_run(argc, argv);
  } catch (const std::exception& error) {  // only the standard library throws: out of memory and the like
    fmt::print(stderr, "airlock: {}\n", error.what());
    return cli::exit_internal;
  }
}
