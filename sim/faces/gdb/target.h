#pragma once
// The session as the stub needs it: threads, registers, memory, motion, as typed calls over the interface.
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sim/rpc/api.h"

namespace faces::gdb {

/// A level of a processor: gdb has no word for it and sees a thread.
struct Thread {
  uint32_t vp{}, vtl{};
  friend auto operator<=>(const Thread&, const Thread&) = default;
};
/// "VP0.VTL1"
[[nodiscard]] std::string thread_name(Thread thread);

using rpc::Refusal;
template <class T>
using Answered = support::Result<T, Refusal>;
using Done = Answered<support::Unit>;

/// Where a motion ended: what the stub uses of a record Stop.
struct Stop {
  std::string reason;
  uint64_t at{}, instruction{};
  Thread thread;
  std::vector<uint64_t> breakpoints;
  std::string text, ending;
};

struct Module {
  std::string name, file, process;
  uint64_t base{}, size{};
  uint32_t vtl{};
};

struct Symbol {
  std::string name;  ///< module!symbol
  uint64_t address{};
};

enum class Space : uint8_t { Gva, Gpa };

class Target {
 public:
  explicit Target(rpc::Api& api) : api_{api} {}

  /// Learns what is debugged and where it stands. To be called before anything else.
  [[nodiscard]] Done connect();
  [[nodiscard]] const Stop& stop() const { return stop_; }
  /// Somebody moved the session: the place is another one from now on. `parameters` is a record Stop.
  void moved(const rpc::Json& parameters);

  /// Those that exist now: every processor, and its levels that are enabled.
  [[nodiscard]] std::vector<Thread> threads();
  [[nodiscard]] bool exists(Thread thread);
  /// The processor runs in this level now; the registers of the others are what it will go on with.
  [[nodiscard]] bool active(Thread thread);
  /// Where it would go on, as text; empty where nothing is known.
  [[nodiscard]] std::string place(Thread thread);

  /// Little-endian bytes of a register, `bytes` of them. Nothing if this target has no such register.
  [[nodiscard]] Answered<std::optional<std::vector<uint8_t>>> register_value(Thread thread, std::string_view name,
                                                                             size_t bytes);
  [[nodiscard]] Done write_register(Thread thread, std::string_view name, const std::vector<uint8_t>& value);

  /// What can be read from `address` on without a gap, at most `length` bytes; empty if nothing can.
  [[nodiscard]] Answered<std::vector<uint8_t>> read(Thread thread, Space space, uint64_t address, uint64_t length,
                                                    const std::string& process = {});
  /// The same with zeros for what cannot be read.
  [[nodiscard]] Answered<std::vector<uint8_t>> read_all(Thread thread, uint64_t address, uint64_t length,
                                                        const std::string& process);
  [[nodiscard]] Done write(Thread thread, Space space, uint64_t address, const std::vector<uint8_t>& bytes);
  struct Region {
    uint64_t size{};
    bool readable{}, writable{}, executable{};
  };
  /// How memory can be reached from `address` on.
  [[nodiscard]] Answered<Region> region(Thread thread, uint64_t address);

  /// Makes `thread` the one that moves.
  [[nodiscard]] Done choose(Thread thread);
  [[nodiscard]] Answered<Stop> step(bool back);
  [[nodiscard]] Answered<Stop> run(bool back);
  /// Id of a new breakpoint.
  [[nodiscard]] Answered<uint64_t> set_breakpoint(const rpc::Json& parameters);
  void remove_breakpoint(uint64_t id);

  [[nodiscard]] Answered<std::vector<Module>> modules(Thread thread);
  /// All symbols of the images that are there now, or at the end of what is known of the run.
  [[nodiscard]] Answered<std::vector<Symbol>> symbols();
  /// A line of the console: its output, and whether it moved the session.
  struct Said {
    std::string output;
    bool moved{};
  };
  [[nodiscard]] Answered<Said> console(const std::string& line);

 private:
  struct Values {
    std::map<std::string, std::string, std::less<>> digits;  ///< of a register by its name, most significant first
    bool active{};
  };

  [[nodiscard]] rpc::Json focus(Thread thread) const;
  [[nodiscard]] Answered<const Values*> values(Thread thread);
  [[nodiscard]] Answered<rpc::Json> read_parts(Thread thread, Space space, uint64_t address, uint64_t length,
                                               const std::string& process);
  [[nodiscard]] Answered<bool> permits(Thread thread, uint64_t address, std::string_view access);
  [[nodiscard]] Answered<Stop> motion(std::string_view method, const rpc::Json& parameters);
  void arrive(const rpc::Json& stop);

  rpc::Api& api_;
  uint32_t processors_{1};
  Stop stop_;
  std::map<Thread, std::optional<Values>> values_;  ///< at stop_.at; null: there is no such thread
};

}  // namespace faces::gdb
