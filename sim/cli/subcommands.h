#pragma once
// The subcommands that need no machine. Each adds itself to `app` and sets `exit_code` when it was
// chosen.
#include <functional>
#include <string_view>

namespace CLI {
class App;
}

namespace cli {

/// `airlock pe FILE [--json]`
void register_pe(CLI::App& app, int& exit_code);
/// `airlock trace FILE [--vtl N] [--from N] [--to N] [--events-only] [--image NAME] [--json] ...`
/// `default_images` is the folder of guest images and PDBs that is used for symbols without
/// --symbols; may be empty.
void register_trace(CLI::App& app, int& exit_code, std::string_view default_images);

}  // namespace cli
