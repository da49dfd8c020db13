#pragma once
// A trace as lines for people or programs.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sim/loader/image_catalog.h"
#include "sim/trace/image_names.h"
#include "sim/trace/disassembler.h"
#include "sim/trace/event_text.h"
#include "sim/trace/record.h"

namespace trace {

using LineSink = std::function<void(std::string_view line)>;

struct FormatOptions {
  std::optional<uint8_t> vtl{};  ///< only this level
  uint64_t from{};               ///< first and last instant, both included
  uint64_t to{~uint64_t{0}};
  bool events_only{};
  std::string image{};  ///< only instructions and events inside it, by file or module name
  bool json{};          ///< JSON lines instead of text
  bool registers{};     ///< text: the registers that each instruction starts with
  bool colour{};
};

class Formatter {
 public:
  /// `images` learns from ImageLoaded events, filtered or not.
  Formatter(FormatOptions options, loader::ImageCatalog& images, LineSink sink);
  void on(const Record& record);

 private:
  void instruction(const InstructionRecord& record);
  void instruction_text(const InstructionRecord& record, const Instruction& decoded,
                        const std::string& symbol);
  void instruction_json(const InstructionRecord& record, const Instruction& decoded,
                        const std::string& symbol);
  void event(const support::Event& event);
  void event_json(const support::Event& event, const EventDescription& description);
  [[nodiscard]] bool wanted(support::Instant at, abi::hv::Vtl vtl, uint64_t rip,
                            uint64_t cr3) const;
  [[nodiscard]] std::string prefix(support::Instant at, uint32_t vp, abi::hv::Vtl vtl) const;

  FormatOptions options_;
  loader::ImageCatalog& images_;
  ImageNames names_;
  LineSink sink_;
  Disassembler disassembler_;
  std::string function_;  ///< of the last instruction printed: a change gets a heading
};

}  // namespace trace
