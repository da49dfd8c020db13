// airlock debug: one session, and the faces that it is talked to through.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "sim/cli/debug.h"
#include "sim/cli/debug_console.h"
#include "sim/cli/debug_dap.h"
#include "sim/cli/debuggee.h"
#include "sim/cli/exit_codes.h"
#include "sim/cli/machine_subcommands.h"
#include "sim/faces/gdb/server.h"
#include "sim/rpc/http_server.h"
#include "sim/rpc/stdio_server.h"

namespace cli {
namespace {

int complain(int code, std::string_view message) {
  fmt::print(stderr, "airlock debug: {}\n", message);
  return code;
}

/// Lines of JSON on standard input and output: who started the program talks, and its end ends the program.
class StdioFace final : public DebugFace {
 public:
  StdioFace(rpc::CallQueue& queue, rpc::Api& api)
      : server_{queue, api, STDIN_FILENO, STDOUT_FILENO, [&queue] { queue.stop(); }} {}

 private:
  rpc::StdioServer server_;
};

/// HTTP and WebSockets on loopback. Where to find it is said on standard error, because standard output may be the stdio
/// face's.
class HttpFace final : public DebugFace {
 public:
  explicit HttpFace(std::unique_ptr<rpc::HttpServer> server) : server_{std::move(server)} {
    fmt::print(stderr, "airlock debug: {}\n", server_->url());
  }

 private:
  std::unique_ptr<rpc::HttpServer> server_;
};

/// gdb's remote protocol. It says where it listens, on standard error because the output may be another face's.
class GdbFace final : public DebugFace {
 public:
  static support::Result<std::unique_ptr<DebugFace>> open(rpc::CallQueue& queue, const DebugArguments& arguments) {
    auto server = TRY(faces::gdb::Server::start(queue, {.port = *arguments.gdb_port}));
    fmt::print(stderr, "airlock debug: waiting for gdb: target remote 127.0.0.1:{}\n", server->port());
    return std::unique_ptr<DebugFace>{new GdbFace{std::move(server)}};
  }

 private:
  explicit GdbFace(std::unique_ptr<faces::gdb::Server> server) : server_{std::move(server)} {}
  std::unique_ptr<faces::gdb::Server> server_;
};

/// What was asked for on the command line.
struct Choice {
  DebugArguments run;
  ConsoleArguments console;
  std::optional<uint16_t> dap_port;  ///< 0 over standard input and output
};

bool has_face(const Choice& choice) {
  return choice.run.rpc_stdio || choice.run.http || choice.run.gdb_port || choice.console.asked || !choice.console.script.empty() || choice.dap_port;
}

/// Two of them would read the same words.
bool shares_standard_input(const Choice& choice) {
  return int{choice.run.rpc_stdio} + int{choice.console.asked} + int{choice.dap_port == 0} > 1;
}

support::Result<DebugFaces> open_faces(const Choice& choice, rpc::CallQueue& queue, Debuggee& debuggee, int& exit_code) {
  DebugFaces faces;
  if (choice.run.http)
    faces.push_back(std::make_unique<HttpFace>(TRY(rpc::HttpServer::start(queue, debuggee.dispatcher().for_strangers(), {.port = *choice.run.http}))));
  if (choice.run.rpc_stdio) faces.push_back(std::make_unique<StdioFace>(queue, debuggee));
  if (choice.run.gdb_port) faces.push_back(TRY(GdbFace::open(queue, choice.run)));
  if (choice.dap_port)
    faces.push_back(TRY(open_dap(queue, debuggee, choice.run, *choice.dap_port == 0 ? std::nullopt : choice.dap_port)));
  if (choice.console.asked || !choice.console.script.empty())
    faces.push_back(TRY(open_console(queue, choice.console, !choice.console.asked && !faces.empty(), exit_code)));
  return faces;
}

int run_debug(const Choice& choice) {
  if (!has_face(choice)) return complain(exit_usage, "no face was chosen: --console, --script, --dap, --gdb, --http or --rpc-stdio");
  if (shares_standard_input(choice)) return complain(exit_usage, "only one of --console, --dap without a port and --rpc-stdio has the standard input");
  // A client that goes away is no reason to die; who writes to it hears of it.
  signal(SIGPIPE, SIG_IGN);
  Debuggee debuggee;
  // An editor that started this program says itself what to debug.
  const bool editor_says = choice.dap_port == 0 && !choice.run.http && !choice.run.gdb_port && choice.run.machine.machine_file.empty() && choice.run.machine.kernel.empty();
  if (!editor_says)
    if (const auto opened = debuggee.open(choice.run); !opened) return complain(opened.error().exit_code, opened.error().message);
  rpc::CallQueue queue{debuggee, [&debuggee] { debuggee.withdraw_interrupt(); }};
  int exit_code = exit_ok;
  auto faces = open_faces(choice, queue, debuggee, exit_code);
  if (!faces) return complain(exit_environment, faces.error().message);
  queue.serve();
  return exit_code;
}

}  // namespace

void register_debug(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Choice>();
  CLI::App* command = app.add_subcommand("debug", "A run to look at and to walk in, forwards and backwards, for other programs and people");
  command->add_option("file", arguments->run.machine.machine_file, "A recording, or a machine file; without it, the default machine");
  command->add_flag("--console", arguments->console.asked, "Commands as of the kernel debugger, at the terminal or from a pipe");
  command->add_option("--script", arguments->console.script, "Commands from this file; the first one that is refused ends it");
  command->add_option("--dap", arguments->dap_port, "The Debug Adapter Protocol for editors, at a port of the loopback, or on standard input and output")
      ->expected(0, 1)
      ->default_str("0");
  command->add_flag("--rpc-stdio", arguments->run.rpc_stdio, "JSON-RPC on standard input and output, one object a line");
  command->add_option("--http", arguments->run.http, "JSON-RPC over HTTP and WebSockets, on this loopback port; 0, or nothing: any that is free")
      ->expected(0, 1)
      ->default_str("0");
  command->add_option("--gdb", arguments->run.gdb_port, "Serve gdb and lldb at this port of 127.0.0.1, one after the other; 0: a free port")
      ->type_name("PORT");
  command->add_option("--firmware", arguments->run.firmware, "The firmware image, if it is not the build's");
  command->add_option("--disk", arguments->run.disk, "The disk image, if it is not the build's");
  command->add_option("--kernel", arguments->run.machine.kernel, "A kernel for the PC board, as for `airlock run`");
  command->add_option("--initrd", arguments->run.machine.initrd, "The module beside the kernel");
  command->add_option("--append", arguments->run.machine.append, "The kernel's command line");
  command->add_option("--memory", arguments->run.machine.memory, "A size such as 64MiB");
  command->add_option("--symbols", arguments->run.symbols, "A folder of images and their PDBs; may be given several times");
  command->add_option("--sources", arguments->run.sources, "A folder of source files; may be given several times");
  command->footer(std::string{
      "Examples:\n"
      "  airlock debug boot.air --console            .help lists the commands\n"
      "  airlock debug boot.air --script steps.kd    commands from a file\n"
      "  airlock debug --dap                         for an editor, which says what to debug\n"
      "  airlock debug boot.air --rpc-stdio          what docs/reference/rpc.md lists, for programs\n"
      "  airlock debug boot.air --http 8080          the same for several clients at once; prints where, with a secret\n"
      "  airlock debug boot.air --gdb 1234           then: gdb -ex 'target remote :1234'\n\n"} + exit_code_help);
  command->callback([arguments, &exit_code] { exit_code = run_debug(*arguments); });
}

}  // namespace cli
