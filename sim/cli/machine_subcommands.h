#pragma once
// The subcommands that build a machine.

namespace CLI {
class App;
}

namespace cli {

/// `airlock run [MACHINE.toml] [--trace FILE] [--until WHAT] [-q|-v] [--json]`
void register_run(CLI::App& app, int& exit_code);
/// `airlock explain ADDRESS [MACHINE.toml] [--until WHAT] [--access r|w|x] [--user] [--process NAME] [--json]`
void register_explain(CLI::App& app, int& exit_code);

}  // namespace cli
