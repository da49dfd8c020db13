#pragma once
#include <string_view>

namespace CLI {
class App;
}

namespace cli {

/// `airlock export FILE --format perfetto|drcov|sqlite|tenet -o OUT [--vtl N] [--from N] [--to N]`
/// `default_images` is the folder of guest images and PDBs that is used for symbols without --symbols; may be empty.
void register_export(CLI::App& app, int& exit_code, std::string_view default_images);

}  // namespace cli
