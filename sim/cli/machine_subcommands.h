#pragma once
// The subcommands that build a machine.
#include <string_view>

namespace CLI {
class App;
}

namespace cli {

/// `airlock run [MACHINE.toml] [--trace FILE] [--until WHAT] [-q|-v] [--json]`
void register_run(CLI::App& app, int& exit_code);
/// `airlock replay FILE.air [--verify] [--until WHAT] [--gear G] [--firmware FILE] [--disk FILE] [--info] [--json] ...`
void register_replay(CLI::App& app, int& exit_code);
/// `airlock diff A.air B.air [--limit N] [--json]`
void register_diff(CLI::App& app, int& exit_code);
/// `airlock seek [FILE.air | MACHINE.toml] [--at WHAT] [--step N] [--back WHAT] [--who-wrote WHAT] [--json]`
void register_seek(CLI::App& app, int& exit_code);
/// `airlock debug [FILE.air | MACHINE.toml] [--rpc-stdio] [--http [PORT]] [--symbols FOLDER] [--sources FOLDER]`
void register_debug(CLI::App& app, int& exit_code);
/// `airlock explain ADDRESS [MACHINE.toml] [--until WHAT] [--access r|w|x] [--user] [--process NAME] [--json]`
void register_explain(CLI::App& app, int& exit_code);
/// `airlock cycles [MACHINE.toml | --trace FILE] [--until WHAT] [--calls] [--shadow] [--json] [--table]`
void register_cycles(CLI::App& app, int& exit_code, std::string_view default_images);

}  // namespace cli
