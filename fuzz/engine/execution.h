#pragma once
// One execution of a fuzzed machine: from the boundary until the answer, or until something ends it.
#include <cstdint>
#include <string>
#include <vector>

#include "abi/hv/vtl.h"
#include "sim/machine/stop_reason.h"
#include "sim/support/instant.h"

namespace fuzzing {

/// How an execution ended.
enum class Ending : uint8_t {
  Answered,  ///< the boundary was crossed back as often as the input asked
  Budget,    ///< so many instructions were executed without an answer
  Stopped,   ///< the machine stopped: see Execution::stop
};

/// A rule of isolation that did not hold.
struct Violation {
  std::string oracle;     ///< its name: "bug-check", "double-fetch" ...
  std::string text;       ///< one sentence for people, without instants and addresses that differ from run to run
  support::Instant at;    ///< of the instruction before which it was seen
  uint32_t vp{};
  abi::hv::Vtl vtl{};
  uint64_t rip{};
  std::string detail{};   ///< whatever helps: addresses, bytes, lengths
};

/// What came out. A function of the snapshot and the input: the same on every machine.
struct Execution {
  Ending ending{};
  machine::StopReason stop{};              ///< of Ending::Stopped
  uint64_t instructions{};                 ///< of all processors
  uint32_t dirty_pages{};
  uint32_t actions{};                      ///< of the input that were carried out
  std::vector<Violation> violations{};     ///< in the order of time
};

}  // namespace fuzzing
