// airlock debug: one session, and the faces that it is talked to through.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "sim/cli/browser.h"
#include "sim/cli/debug.h"
#include "sim/cli/debug_console.h"
#include "sim/cli/debug_dap.h"
#include "sim/cli/debuggee.h"
#include "sim/cli/end_by_signal.h"
#include "sim/cli/exit_codes.h"
#include "sim/cli/machine_subcommands.h"
#include "sim/faces/gdb/server.h"
#include "sim/faces/web/assets.h"
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

/// Rows that write files are not for callers over a network, whatever is debugged at the moment.
class Strangers final : public rpc::Api {
 public:
  explicit Strangers(Debuggee& debuggee) : debuggee_{debuggee} {}
  rpc::Answer call(std::string_view method, const rpc::Json& parameters) override {
    return debuggee_.opened() ? debuggee_.dispatcher().for_strangers().call(method, parameters) : debuggee_.call(method, parameters);
  }
  void interrupt() override { debuggee_.interrupt(); }
  size_t listen(Listener listener) override { return debuggee_.listen(std::move(listener)); }
  void forget(size_t listener) override { debuggee_.forget(listener); }

 private:
  Debuggee& debuggee_;
};

/// A run, and the turns in which it is talked to.
struct Served {
  Debuggee debuggee;
  rpc::CallQueue queue{debuggee, [this] { debuggee.withdraw_interrupt(); }};
  Strangers strangers{debuggee};
};

/// The run that is compared with: it has a thread of its own, so that both walk at once.
class OtherRun {
 public:
  [[nodiscard]] support::Result<support::Unit, DebugFailure> open(DebugArguments arguments) {
    arguments.machine.machine_file = std::exchange(arguments.other, "");
    arguments.findings.clear();
    TRY(served_.debuggee.open(arguments));
    thread_ = std::thread{[this] { served_.queue.serve(); }};
    return support::Unit{};
  }
  ~OtherRun() { end(); }
  /// Answers are still delivered: faces are to be there.
  void end() {
    if (!thread_.joinable()) return;
    served_.queue.stop();
    served_.queue.interrupt();
    thread_.join();
  }
  [[nodiscard]] Served& served() { return served_; }

 private:
  Served served_;
  std::thread thread_;
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
  std::string ui_folder;             ///< empty: the page that is in the program
  bool no_open{};                    ///< a browser is not to be started
};

bool has_face(const Choice& choice) {
  return choice.run.rpc_stdio || choice.run.http || choice.run.gdb_port || choice.console.asked || !choice.console.script.empty() || choice.dap_port;
}

/// The page, or the server for it, and nobody at the standard input: then only a signal ends the program.
bool is_server_alone(const Choice& choice) {
  return !choice.run.rpc_stdio && !choice.console.asked && choice.console.script.empty() && choice.dap_port != 0 && (choice.run.http || !has_face(choice));
}

/// Two of them would read the same words.
bool shares_standard_input(const Choice& choice) {
  return int{choice.run.rpc_stdio} + int{choice.console.asked} + int{choice.dap_port == 0} > 1;
}

/// HTTP and WebSockets on loopback. Where to find it is said on standard error, because standard output may be the stdio
/// face's.
class HttpFace final : public DebugFace {
 public:
  static support::Result<std::unique_ptr<HttpFace>> open(const Choice& choice, uint16_t port, const std::vector<rpc::HttpRun>& runs) {
    rpc::HttpOptions options{.port = port};
    options.assets = choice.ui_folder.empty() ? faces::web::serve_embedded() : TRY(faces::web::serve_folder(choice.ui_folder));
    return std::unique_ptr<HttpFace>{new HttpFace{TRY(rpc::HttpServer::start(runs, options))}};
  }
  void tell_address() const { fmt::print(stderr, "airlock debug: {}\n", server_->url()); }

  /// For people: one line, and the page opens by itself where there is a display.
  void show(const Choice& choice) {
    const std::string& file = choice.run.machine.machine_file;
    fmt::print("{} in a browser: {} (Ctrl-C ends it)\n", file.empty() ? "the default machine" : file, server_->url());
    std::fflush(stdout);
    if (!choice.no_open) browser_ = open_browser(server_->url());
  }

 private:
  explicit HttpFace(std::unique_ptr<rpc::HttpServer> server) : server_{std::move(server)} {}
  std::unique_ptr<rpc::HttpServer> server_;
  std::optional<Browser> browser_;
};

/// All that was asked for: without any face, the page.
support::Result<DebugFaces> open_faces(const Choice& choice, Served& served, OtherRun* other, int& exit_code) {
  DebugFaces faces;
  const bool page = !has_face(choice);
  if (page || choice.run.http) {
    std::vector<rpc::HttpRun> runs{{served.queue, served.strangers}};
    if (other != nullptr) runs.push_back({other->served().queue, other->served().strangers});
    auto http = TRY(HttpFace::open(choice, choice.run.http.value_or(0), runs));
    if (page) http->show(choice);
    else http->tell_address();
    faces.push_back(std::move(http));
  }
  if (choice.run.rpc_stdio) faces.push_back(std::make_unique<StdioFace>(served.queue, served.debuggee));
  if (choice.run.gdb_port) served.debuggee.pin("gdb");
  if (choice.dap_port) served.debuggee.pin("an editor");
  if (choice.run.gdb_port) faces.push_back(TRY(GdbFace::open(served.queue, choice.run)));
  if (choice.dap_port)
    faces.push_back(TRY(open_dap(served.queue, served.debuggee, choice.run, *choice.dap_port == 0 ? std::nullopt : choice.dap_port)));
  if (choice.console.asked || !choice.console.script.empty())
    faces.push_back(TRY(open_console(served.queue, choice.console, !choice.console.asked && !faces.empty(), exit_code)));
  return faces;
}

bool is_recording(const std::string& file) { return !file.empty() && !file.ends_with(".toml"); }

/// What is wrong with the command line itself; empty: nothing.
std::string_view complaint_of(const Choice& choice) {
  if (shares_standard_input(choice)) return "only one of --console, --dap without a port and --rpc-stdio has the standard input";
  const bool both = is_recording(choice.run.machine.machine_file) && is_recording(choice.run.other);
  if (!choice.run.other.empty() && !both) return "--compare is for two recordings";
  return {};
}

int run_debug(const Choice& choice) {
  if (const auto complaint = complaint_of(choice); !complaint.empty()) return complain(exit_usage, complaint);
  // A client that goes away is no reason to die; who writes to it hears of it.
  signal(SIGPIPE, SIG_IGN);
  const bool page = !has_face(choice);
  std::unique_ptr<EndBySignal> end = is_server_alone(choice) ? std::make_unique<EndBySignal>() : nullptr;
  Served served;
  // An editor that started this program says itself what to debug.
  const bool editor_says = choice.dap_port == 0 && !choice.run.http && !choice.run.gdb_port && choice.run.machine.machine_file.empty() && choice.run.machine.kernel.empty();
  if (!editor_says)
    if (const auto opened = served.debuggee.open(choice.run); !opened) return complain(opened.error().exit_code, opened.error().message);
  std::unique_ptr<OtherRun> other;
  if (!choice.run.other.empty() && (page || choice.run.http)) {
    other = std::make_unique<OtherRun>();
    if (const auto opened = other->open(choice.run); !opened) return complain(opened.error().exit_code, opened.error().message);
  }
  int exit_code = exit_ok;
  auto faces = open_faces(choice, served, other.get(), exit_code);
  if (!faces) return complain(exit_environment, faces.error().message);
  if (end) end->begin(served.queue);
  served.queue.serve();
  if (other) other->end();
  end.reset();
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
  command->add_option("--ui-dir", arguments->ui_folder, "Serve the page from this folder, for who works at it; else the one in the program")->type_name("DIR");
  command->add_flag("--no-open", arguments->no_open, "Start no browser; without this, and without another face, one is started where there is a display");
  command->add_option("--compare", arguments->run.other, "Another recording, to look at side by side in the page")->type_name("OTHER.air");
  command->add_option("--findings", arguments->run.findings, "A folder of what fuzzing found")->type_name("DIR");
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
      "Without a face (--console, --script, --dap, --gdb, --http, --rpc-stdio) it is the page in a browser.\n\n"
      "Examples:\n"
      "  airlock debug boot.air                      in a browser: prints where, with a secret, and opens it\n"
      "  airlock debug a.air --compare b.air         both, side by side, from where they part\n"
      "  airlock debug boot.air --console            .help lists the commands\n"
      "  airlock debug boot.air --script steps.kd    commands from a file\n"
      "  airlock debug --dap                         for an editor, which says what to debug\n"
      "  airlock debug boot.air --rpc-stdio          what docs/reference/rpc.md lists, for programs\n"
      "  airlock debug boot.air --http 8080          the same for several clients at once; prints where, with a secret\n"
      "  airlock debug boot.air --gdb 1234           then: gdb -ex 'target remote :1234'\n\n"} + exit_code_help);
  command->callback([arguments, &exit_code] { exit_code = run_debug(*arguments); });
}

}  // namespace cli
