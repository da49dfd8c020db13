#pragma once
// What run and explain share: from a machine file to a machine with listeners.
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "sim/cli/trophy.h"
#include "sim/debugger/processes.h"
#include "sim/debugger/stop_condition.h"
#include "sim/loader/image_catalog.h"
#include "sim/loader/machine_config.h"
#include "sim/machine/event_fanout.h"
#include "sim/machine/machine.h"
#include "sim/support/result.h"

namespace cli {

/// What the command line may say about the machine.
struct SessionOptions {
  std::string machine_file;  ///< empty: the default machine
  std::string until;         ///< empty: to the end
  std::string input_file;    ///< what arrives from outside, as text (docs/recording-format.md); empty: nothing does
  std::string firmware, disk;  ///< in place of those of the machine file or the build
  std::optional<loader::GearSetting> gear;
  // A kernel on the PC board in place of the firmware; each replaces what the machine file says.
  std::string kernel, initrd;
  std::optional<std::string> append;
  std::string memory;  ///< a size such as "64MiB"
  std::optional<uint32_t> processors;
  bool no_hypervisor{};
};

using debugger::ProcessList;
using debugger::StopCondition;
using debugger::StopListener;

/// Remembers what a guest announced last: the best explanation of a run that ended too early.
class LastWords : public support::EventSink {
 public:
  void on(const support::Event& event) override {
    if (event.kind == support::EventKind::Milestone) text_ = event.text;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// A machine about to run. Listeners are added before start().
class Session {
 public:
  /// Reads the machine file and everything that it names. Errors are sentences for the user.
  static support::Result<std::unique_ptr<Session>> open(const SessionOptions& options);

  /// The same for a configuration and images that are at hand; `until` as in SessionOptions.
  static support::Result<std::unique_ptr<Session>> over(loader::MachineConfig config, machine::MachineParts parts,
                                                        const std::string& until);

  void listen(support::EventSink& listener) { events_.add(listener); }
  /// What the machine will be made of; gone after start().
  [[nodiscard]] const machine::MachineParts& parts() const { return parts_; }
  /// What will reach the machine from outside. Before start(), which refuses what the machine has no door for.
  void give(std::vector<machine::Input> inputs) { inputs_ = std::move(inputs); }
  [[nodiscard]] const std::vector<machine::Input>& inputs() const { return inputs_; }
  /// Who runs the machine to a deadline, in place of Machine::run: a recorder, a replayer.
  using Runner = std::function<machine::StopReason(machine::Machine& machine, support::Instant deadline)>;
  void run_through(Runner runner) { runner_ = std::move(runner); }
  /// Builds the machine. Before it, machine() is null.
  support::Status start();
  /// Runs to the stop condition, the configuration's instruction limit, or the machine's end.
  machine::StopReason run();

  [[nodiscard]] machine::Machine& machine() { return *machine_; }
  [[nodiscard]] const loader::MachineConfig& config() const { return config_; }
  [[nodiscard]] loader::ImageCatalog& images() { return images_; }
  [[nodiscard]] const ProcessList& processes() const { return processes_; }
  /// What VTL 0 sees of the secret; nothing if the run did not come so far.
  [[nodiscard]] std::optional<Trophy> trophy() const { return hunter_.result(); }
  [[nodiscard]] const std::string& last_milestone() const { return last_words_.text(); }
  [[nodiscard]] const machine::Totals& totals() const { return totals_.totals(); }
  /// The stop condition was met (rather than the end of the machine).
  [[nodiscard]] bool stopped_as_asked() const { return stopped_as_asked_; }
  /// The machine is a PC that begins with a kernel.
  [[nodiscard]] bool boots_kernel() const { return config_.board == loader::Board::Pc; }
  /// The configuration's limit ended the run.
  [[nodiscard]] bool limit_reached() const { return limit_reached_; }

 private:
  Session(loader::MachineConfig config, machine::MachineParts parts, std::vector<std::string> symbol_folders,
          StopCondition stop);

  loader::MachineConfig config_;
  machine::MachineParts parts_;
  machine::EventFanout events_;
  machine::TotalsCounter totals_;
  ProcessList processes_;
  TrophyHunter hunter_;
  LastWords last_words_;
  loader::ImageCatalog images_;
  StopCondition stop_;
  std::optional<StopListener> stop_listener_;
  std::unique_ptr<machine::Machine> machine_;
  Runner runner_;
  std::vector<machine::Input> inputs_;
  bool stopped_as_asked_{}, limit_reached_{};
};

/// The folder of the guest images that the build made, beside this program; empty when it cannot be found.
[[nodiscard]] std::string guest_folder();

/// For people; machine::word() is for programs.
[[nodiscard]] std::string sentence(machine::StopReason reason, const machine::Machine& machine);

}  // namespace cli
