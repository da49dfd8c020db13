#include "sim/cli/run_report.h"

#include <fmt/format.h>

#include "sim/machine/memory_view.h"
#include "sim/trace/json_text.h"

namespace cli {
namespace {

std::string bold(std::string_view text, bool colour) {
  return colour ? fmt::format("\x1b[1m{}\x1b[0m", text) : std::string{text};
}

/// The dump in the colour of what it shows; the question marks say the same without it.
std::string dump_text(const Trophy& trophy, bool colour) {
  const std::string text = machine::format_dc(secret_address, trophy.bytes);
  if (!colour) return text;
  std::string coloured;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    coloured += fmt::format("\x1b[{}m{}\x1b[0m\n", trophy.readable() == 0 ? 32 : 31,
                            std::string_view{text}.substr(begin, end - begin));
    begin = end + 1;
  }
  return coloured;
}

std::string lines_json(const std::vector<trace::RunLine>& lines) {
  std::string json = "[";
  for (const trace::RunLine& line : lines) {
    if (json.size() > 1) json += ',';
    trace::JsonLine object;
    object.number("instruction", line.at.ticks).number("vp", line.vp);
    object.number("vtl", static_cast<uint64_t>(line.vtl)).number("depth", line.depth);
    if (!line.image.empty()) object.text("image", line.image);
    json += object.text("text", line.text).line();
  }
  return json + "]";
}

std::string trophy_json(const Trophy& trophy) {
  std::string bytes;
  for (const auto& byte : trophy.bytes) bytes += byte ? fmt::format("{:02x}", *byte) : "??";
  return trace::JsonLine{}
      .text("process", trophy.process)
      .number("pid", trophy.pid)
      .hex("cr3", trophy.cr3)
      .hex("address", secret_address.value())
      .number("instant", trophy.at.ticks)
      .text("bytes", bytes)
      .text("rule", mmu::describe(trophy.rule))
      .number("readable_bytes", trophy.readable())
      .line();
}

std::string totals_json(const RunReport& report) {
  return trace::JsonLine{}
      .number("instructions", report.instructions)
      .number("idle_ticks", report.idle_ticks)
      .number("vtl_switches", report.totals.vtl_switches())
      .number("vtl_calls", report.totals.vtl_calls)
      .number("vtl_returns", report.totals.vtl_returns)
      .number("vtl_interrupt_entries", report.totals.interrupt_entries)
      .number("hypercalls", report.totals.hypercalls)
      .number("intercepts", report.totals.intercepts)
      .number("exceptions", report.totals.exceptions)
      .number("interrupts", report.totals.interrupts)
      .number("system_calls", report.totals.system_calls)
      .number("tlb_misses", report.tlb_misses)
      .line();
}

}  // namespace

RunReport report_of(Session& session, machine::StopReason stop, double wall_seconds) {
  machine::Machine& machine = session.machine();
  RunReport report;
  report.stop = stop;
  report.stop_text = session.limit_reached()
                         ? fmt::format("The limit of {} instructions ended the run.",
                                       trace::grouped(session.config().instruction_limit))
                         : sentence(stop, machine);
  report.world = world_of(machine);
  report.trophy = session.trophy();
  report.instructions = machine.now().ticks - machine.idle_ticks();
  report.idle_ticks = machine.idle_ticks();
  report.totals = session.totals();
  report.tlb_misses = machine.translator().misses();
  report.wall_seconds = wall_seconds;
  report.fingerprint = machine.fingerprint().to_string();
  return report;
}

std::string to_text(const RunReport& report, bool colour) {
  std::string text;
  if (report.trophy) {
    const Trophy& trophy = *report.trophy;
    text += fmt::format("\n{}\n", bold(fmt::format("VTL 0's view of {} (process {}, CR3 {:#x}) at instant {}:",
                                                   trophy.process, trophy.pid, trophy.cr3,
                                                   trace::grouped(trophy.at.ticks)),
                                       colour));
    text += fmt::format("0: kd> dc {:x} L{:x}\n{}", secret_address.value(), secret_view_bytes / 4,
                        dump_text(trophy, colour));
    text += fmt::format("The walk decided: {}.\n", mmu::describe(trophy.rule));
  }
  const machine::Totals& totals = report.totals;
  text += fmt::format("\n{}\n\n", bold(verdict(report.world, report.trophy), colour));
  text += fmt::format("  instructions  {:>15}    VTL switches  {:>9}\n", trace::grouped(report.instructions),
                      trace::grouped(totals.vtl_switches()));
  text += fmt::format("  hypercalls    {:>15}    intercepts    {:>9}\n", trace::grouped(totals.hypercalls),
                      trace::grouped(totals.intercepts));
  text += fmt::format("  TLB misses    {:>15}    system calls  {:>9}\n", trace::grouped(report.tlb_misses),
                      trace::grouped(totals.system_calls));
  text += fmt::format("  wall time     {:>13.2f} s\n  fingerprint   {}\n\n{}\n", report.wall_seconds,
                      report.fingerprint, report.stop_text);
  return text;
}

std::string kernel_text(const RunReport& report) {
  return fmt::format("airlock: {} instructions, {} idle ticks, {:.2f} s, fingerprint {}\nairlock: {}\n",
                     trace::grouped(report.instructions), trace::grouped(report.idle_ticks), report.wall_seconds,
                     report.fingerprint, report.stop_text);
}

std::string to_json(const RunReport& report, const std::vector<trace::RunLine>& milestones,
                    const std::vector<trace::RunLine>& calls) {
  trace::JsonLine json;
  json.text("world", word(report.world)).text("verdict", verdict(report.world, report.trophy));
  json.text("stop", word(report.stop)).text("stop_text", report.stop_text);
  json.text("fingerprint", report.fingerprint);
  json.raw("totals", totals_json(report));
  json.raw("view", report.trophy ? trophy_json(*report.trophy) : "null");
  json.raw("milestones", lines_json(milestones)).raw("calls", lines_json(calls));
  json.text("wall_seconds", fmt::format("{:.3f}", report.wall_seconds));
  return json.line() + "\n";
}

}  // namespace cli
