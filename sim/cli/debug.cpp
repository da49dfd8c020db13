// airlock debug: one session, and the faces that it is talked to through.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "sim/cli/debug.h"
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
    auto server = TRY(faces::gdb::Server::start(queue, {*arguments.gdb_port, arguments.gdb_vtl_is_process}));
    fmt::print(stderr, "airlock debug: waiting for gdb: target remote 127.0.0.1:{}\n", server->port());
    return std::unique_ptr<DebugFace>{new GdbFace{std::move(server)}};
  }

 private:
  explicit GdbFace(std::unique_ptr<faces::gdb::Server> server) : server_{std::move(server)} {}
  std::unique_ptr<faces::gdb::Server> server_;
};

int run_debug(const DebugArguments& arguments) {
  if (!arguments.rpc_stdio && !arguments.http && !arguments.gdb_port)
    return complain(exit_usage, "no face was chosen: --gdb, --http or --rpc-stdio");
  // A client that goes away is no reason to die; who writes to it hears of it.
  signal(SIGPIPE, SIG_IGN);
  auto opened = open_for_debugging(arguments);
  if (!opened) return complain(opened.error().exit_code, opened.error().message);
  rpc::Dispatcher& api = opened.value().service->api();
  rpc::CallQueue queue{api, [&session = opened.value().service->session()] { session.withdraw_interrupt(); }};
  DebugFaces faces;
  if (arguments.http) {
    auto server = rpc::HttpServer::start(queue, api.for_strangers(), {.port = *arguments.http});
    if (!server) return complain(exit_environment, server.error().message);
    faces.push_back(std::make_unique<HttpFace>(std::move(server.value())));
  }
  if (arguments.rpc_stdio) faces.push_back(std::make_unique<StdioFace>(queue, api));
  if (arguments.gdb_port) {
    auto face = GdbFace::open(queue, arguments);
    if (!face) return complain(exit_environment, face.error().message);
    faces.push_back(std::move(face.value()));
  }
  queue.serve();
  return exit_ok;
}

}  // namespace

void register_debug(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<DebugArguments>();
  CLI::App* command = app.add_subcommand("debug", "A run to look at and to walk in, forwards and backwards, for other programs and people");
  command->add_option("file", arguments->machine.machine_file, "A recording, or a machine file; without it, the default machine");
  command->add_flag("--rpc-stdio", arguments->rpc_stdio, "JSON-RPC on standard input and output, one object a line");
  command->add_option("--http", arguments->http, "JSON-RPC over HTTP and WebSockets, on this loopback port; 0, or nothing: any that is free")
      ->expected(0, 1)
      ->default_str("0");
  command->add_option("--gdb", arguments->gdb_port, "Serve gdb and lldb at this port of 127.0.0.1, one after the other; 0: a free port")
      ->type_name("PORT");
  command
      ->add_option_function<std::string>(
          "--gdb-vtl", [arguments](const std::string& what) { arguments->gdb_vtl_is_process = what == "process"; },
          "What gdb takes a VTL for")
      ->check(CLI::IsMember({"thread", "process"}))
      ->default_str("thread");
  command->add_option("--firmware", arguments->firmware, "The firmware image, if it is not the build's");
  command->add_option("--disk", arguments->disk, "The disk image, if it is not the build's");
  command->add_option("--kernel", arguments->machine.kernel, "A kernel for the PC board, as for `airlock run`");
  command->add_option("--initrd", arguments->machine.initrd, "The module beside the kernel");
  command->add_option("--append", arguments->machine.append, "The kernel's command line");
  command->add_option("--memory", arguments->machine.memory, "A size such as 64MiB");
  command->add_option("--symbols", arguments->symbols, "A folder of images and their PDBs; may be given several times");
  command->add_option("--sources", arguments->sources, "A folder of source files; may be given several times");
  command->footer(std::string{
      "Examples:\n"
      "  airlock debug boot.air --rpc-stdio          what docs/reference/rpc.md lists, for programs\n"
      "  airlock debug boot.air --http 8080          the same for several clients at once; prints where, with a secret\n"
      "  airlock debug boot.air --gdb 1234           then: gdb -ex 'target remote :1234'\n\n"} + exit_code_help);
  command->callback([arguments, &exit_code] { exit_code = run_debug(*arguments); });
}

}  // namespace cli
