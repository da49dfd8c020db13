#include "sim/trace/milestones.h"

#include <fmt/format.h>

#include "sim/trace/event_text.h"

namespace trace {

using support::Event;
using support::EventKind;

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t i = digits.size(); i > 3; i -= 3)
    digits.insert(i - 3, 1, ',');
  return digits;
}

std::string to_text(const RunLine& line) {
  return fmt::format("{:>15}  {}VTL{}  {:<16} {:{}}{}", grouped(line.at.ticks),
                     line.vp == 0 ? "" : fmt::format("VP{} ", line.vp),
                     static_cast<uint8_t>(line.vtl), line.image, "", line.depth * 2, line.text);
}

MilestonePrinter::MilestonePrinter(RunLineSink sink, loader::ImageCatalog& images,
                                   MilestoneOptions options)
    : sink_{std::move(sink)}, images_{images}, names_{images}, options_{options} {}

void MilestonePrinter::print(const Event& event, std::string text) {
  const loader::LoadedImage* image = images_.find(event.rip);
  sink_({event.at, event.vp, event.vtl, 0, image != nullptr ? image->name : std::string{},
         std::move(text)});
}

void MilestonePrinter::on(const Event& event) {
  names_.learn(event);
  switch (event.kind) {
    case EventKind::ImageLoaded:
      if (!options_.images) return;
      return print(event, fmt::format("loaded {} at {:#x}, {:#x} bytes",
                                      loader::printable(event.text), event.a, event.b));
    case EventKind::ImageUnloaded:
      return names_.forget(event);
    case EventKind::DebugPrint:
      if (!options_.debug_print) return;
      return print(event, loader::printable(event.text));
    case EventKind::Milestone:
      return print(event, loader::printable(event.text));
    case EventKind::HypervisorLaunched:
      return print(event, "the hypervisor runs: this machine is now the root partition, in VTL 0");
    case EventKind::VtlEnabled:
      return print(event, fmt::format("VTL {} is enabled for the {}", event.a,
                                      event.b == 0 ? "partition" : "virtual processor"));
    case EventKind::ProcessCreated:
      return print(
          event,
          fmt::format("process {} {} (CR3 {:#x}{})", event.a, loader::printable(event.text),
                      event.b, event.c == 0 ? "" : fmt::format(", secure handle {:#x}", event.c)));
    case EventKind::PowerOff:
      return print(event, "power off");
    case EventKind::TripleFault:
      return print(event, "triple fault");
    default:
      return;
  }
}

}  // namespace trace
