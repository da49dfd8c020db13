#include "sim/cli/debug_dap.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "sim/faces/dap/server.h"

namespace cli {
namespace {

class DapFace final : public DebugFace {
 public:
  explicit DapFace(std::unique_ptr<faces::dap::Server> server) : server_{std::move(server)} {}

 private:
  std::unique_ptr<faces::dap::Server> server_;
};

void take_list(const rpc::Json& arguments, const char* name, std::vector<std::string>& list) {
  for (const rpc::Json& item : faces::list_of(arguments, name))
    if (item.is_string()) list.push_back(item.get<std::string>());
}

/// The command line with what a launch request says in addition.
DebugArguments launched(DebugArguments arguments, const std::string& program, const rpc::Json& launch) {
  arguments.machine.machine_file = program;
  if (const std::string text = faces::text_of(launch, "firmware"); !text.empty()) arguments.firmware = text;
  if (const std::string text = faces::text_of(launch, "disk"); !text.empty()) arguments.disk = text;
  if (const std::string text = faces::text_of(launch, "kernel"); !text.empty()) arguments.machine.kernel = text;
  if (const std::string text = faces::text_of(launch, "initrd"); !text.empty()) arguments.machine.initrd = text;
  if (const std::string text = faces::text_of(launch, "append"); !text.empty()) arguments.machine.append = text;
  take_list(launch, "symbols", arguments.symbols);
  take_list(launch, "sources", arguments.sources);
  return arguments;
}

/// What a client wants to debug: opened for it, or already there. "default" is the default machine.
support::Status open_for_client(Debuggee& debuggee, const DebugArguments& arguments, const std::string& program, const rpc::Json& launch) {
  if (debuggee.opened()) {
    if (program.empty() || program == arguments.machine.machine_file) return support::Unit{};
    const std::string& file = arguments.machine.machine_file;
    return support::Error{fmt::format("{} is debugged here already; leave `program` out", file.empty() ? "another machine" : file)};
  }
  if (program.empty()) return support::Error{"`program` has to name a recording or a machine file, or say \"default\""};
  const auto opened = debuggee.open(launched(arguments, program == "default" ? std::string{} : program, launch));
  if (!opened) return support::Error{opened.error().message};
  return support::Unit{};
}

}  // namespace

support::Result<std::unique_ptr<DebugFace>> open_dap(rpc::CallQueue& queue, Debuggee& debuggee, const DebugArguments& arguments,
                                                     std::optional<uint16_t> port) {
  faces::dap::ServerOptions options;
  options.session.open = [&debuggee, arguments](const std::string& program, const rpc::Json& launch) {
    return open_for_client(debuggee, arguments, program, launch);
  };
  if (!port) {
    options.ended = [&queue] { queue.stop(); };
    return std::unique_ptr<DebugFace>{
        std::make_unique<DapFace>(faces::dap::Server::over(queue, STDIN_FILENO, STDOUT_FILENO, std::move(options)))};
  }
  auto server = TRY(faces::dap::Server::listen(queue, *port, std::move(options)));
  fmt::print(stderr, "airlock debug: the Debug Adapter Protocol at 127.0.0.1:{}\n", server->port());
  return std::unique_ptr<DebugFace>{std::make_unique<DapFace>(std::move(server))};
}

}  // namespace cli
