#pragma once
// What things are called at an instant: images, symbols and processes, as guests had announced them by then.
#include <optional>
#include <string>
#include <vector>

#include "sim/debugger/focus.h"
#include "sim/debugger/history.h"
#include "sim/debugger/processes.h"
#include "sim/loader/image_catalog.h"
#include "sim/trace/image_names.h"

namespace debugger {

/// An address and what it is called; texts are empty where nothing is known.
struct Place {
  uint64_t address{};
  std::string module;             ///< as the kernel debugger shows it: nt, securekernel
  std::string symbol;             ///< the nearest at or before it, qualified, without signature
  uint64_t displacement{};        ///< bytes from the symbol, or from the image where there is none
  std::string file;               ///< source file, as the PDB names it
  uint32_t line{};                ///< 0: unknown
  std::string text;               ///< module!symbol+0x12, or the number
};

/// A name that an expression or a breakpoint uses.
struct NamedAddress {
  uint64_t address{};
  uint64_t cr3{};                 ///< the address space that it holds in; 0: in all (the upper half)
};

class Names {
 public:
  /// Symbols are looked for in `folders`. `history` must outlive this.
  Names(History& history, std::vector<std::string> folders);

  /// Brings them to what was announced before `at`, or at it by an instruction before. Forwards it reads the events in
  /// between, each once; backwards it needs no events.
  void move_to(support::Instant at);
  [[nodiscard]] support::Instant at() const { return at_; }
  /// Forgets what was read of events after `at`: the future became another one.
  void forget_after(support::Instant at);
  /// The same names over another history, which was equal up to `at`.
  void follow(History& history, support::Instant at);
  /// Reads image files and symbols again, and looks in `folder` too unless it is empty.
  void reload(const std::string& folder);

  [[nodiscard]] const loader::ImageCatalog& images() const { return *images_; }
  [[nodiscard]] const ProcessList& processes() const { return processes_; }
  [[nodiscard]] const std::vector<std::string>& folders() const { return folders_; }
  /// `cr3` decides below the upper half; 0: unknown.
  [[nodiscard]] Place place(uint64_t address, uint64_t cr3 = 0) const;
  /// All that "module!symbol" or "module" names now: one for each address space that has such an image. `module` may be the
  /// file name too. Empty if nothing does.
  [[nodiscard]] std::vector<NamedAddress> find(std::string_view name) const;
  /// Whether a later event may give names: an image with symbols was or may be announced.
  [[nodiscard]] static bool changes_names(const support::Event& event);

 private:
  void learn_up_to(support::Instant at);
  void apply(const trace::EventRecord& record);
  void start_over();

  History* history_;
  std::vector<std::string> folders_;
  std::vector<trace::EventRecord> log_;  ///< events of images and processes, ascending
  support::Instant known_;               ///< the log is complete before this instant
  size_t applied_{};                     ///< of the log
  support::Instant at_;
  std::unique_ptr<loader::ImageCatalog> images_;
  std::optional<trace::ImageNames> learner_;
  ProcessList processes_;
};

}  // namespace debugger
