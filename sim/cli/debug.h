#pragma once
// What the parts of `airlock debug` share: how a run is opened, and what its faces are given.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/cli/session.h"
#include "sim/replay/recording.h"
#include "sim/rpc/call_queue.h"
#include "sim/rpc/findings.h"
#include "sim/rpc/service.h"

namespace cli {

struct DebugArguments {
  SessionOptions machine;              ///< `machine_file` is the machine file or recording
  std::string firmware, disk;          ///< empty: those of the recording, the machine file, the build
  std::vector<std::string> symbols;    ///< folders, beside that of the firmware
  std::vector<std::string> sources;    ///< folders, beside that of this repository where the program was built in it
  std::string other;                   ///< the recording that it is compared with; empty: none
  std::string findings;                ///< the folder of what fuzzing found; empty: none
  bool rpc_stdio{};
  std::optional<uint16_t> http;        ///< 0: any port
  std::optional<uint16_t> gdb_port;    ///< 0: a free one
};

/// A failure and what the program answers to the shell.
struct DebugFailure {
  int exit_code{};
  std::string message;
};

/// A run that can be debugged, with its interface.
struct DebugRun {
  std::unique_ptr<replay::Recording> recording;  ///< null: a live machine
  std::unique_ptr<rpc::Service> service;
  std::optional<rpc::Finding> finding{};  ///< that it is the recording of
  std::string findings{};                 ///< the folder of them; empty: none
};
/// The file may be the folder of a finding: then its recording is debugged, and the folder that it lies in is that of the
/// findings, unless another one is given.
[[nodiscard]] support::Result<DebugRun, DebugFailure> open_for_debugging(const DebugArguments& arguments);

/// Something that clients talk to. It lives on threads of its own and calls through the queue: with post(), or with a
/// rpc::QueuedApi. It is destroyed after the queue has stopped.
class DebugFace {
 public:
  virtual ~DebugFace() = default;
};
using DebugFaces = std::vector<std::unique_ptr<DebugFace>>;

}  // namespace cli
