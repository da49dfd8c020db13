#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>

#include "mmu/explain.h"
#include "sim/cli/exit_codes.h"
#include "sim/cli/machine_subcommands.h"
#include "sim/cli/session.h"
#include "sim/cli/standard_output.h"
#include "sim/trace/json_text.h"

namespace cli {
namespace {

struct ExplainArguments {
  SessionOptions session;
  std::string address, access{"r"}, process, cr3;
  bool user{}, json{};
};

int complain(int code, std::string_view message) {
  fmt::print(stderr, "airlock explain: {}\n", message);
  return code;
}

/// Hexadecimal, with or without 0x and the kernel debugger's back quote.
std::optional<uint64_t> parse_address(std::string text) {
  std::erase(text, '`');
  if (text.starts_with("0x") || text.starts_with("0X")) text.erase(0, 2);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

mmu::AccessKind kind_of(const std::string& access) {
  if (access == "w") return mmu::AccessKind::Write;
  return access == "x" ? mmu::AccessKind::Execute : mmu::AccessKind::Read;
}

/// Which root of stage 1 each VTL walks: that of the process asked for, or its own.
struct Roots {
  std::optional<uint64_t> vtl0, vtl1;
};

support::Result<Roots> roots_for(const ExplainArguments& arguments, const Session& session) {
  Roots roots;
  if (!arguments.process.empty()) {
    const auto* normal = session.processes().find(arguments.process, abi::hv::Vtl::Vtl0);
    const auto* secure = session.processes().find(arguments.process, abi::hv::Vtl::Vtl1);
    if (normal == nullptr && secure == nullptr) {
      return support::Error{fmt::format("--process {}: no such process at this point of the run", arguments.process)};
    }
    if (normal != nullptr) roots.vtl0 = normal->cr3;
    if (secure != nullptr) roots.vtl1 = secure->cr3;
  }
  if (!arguments.cr3.empty()) {
    roots.vtl0 = parse_address(arguments.cr3);
    if (!roots.vtl0) return support::Error{fmt::format("--cr3 {}: not a hexadecimal number", arguments.cr3)};
  }
  return roots;
}

std::string walk_json(const mmu::WalkReport& report, unsigned vtl) {
  std::string references = "[";
  for (const mmu::WalkReference& reference : report.references()) {
    if (references.size() > 1) references += ',';
    references += trace::JsonLine{}
                      .text("stage", reference.kind == mmu::WalkReference::Kind::Stage1 ? "1" : "2")
                      .number("level", reference.level)
                      .hex("address", reference.address.value())
                      .hex("gpa", reference.gpa.value())
                      .hex("value", reference.value)
                      .line();
  }
  return trace::JsonLine{}
      .number("vtl", vtl)
      .text("rule", mmu::describe(report.rule))
      .boolean("granted", report.rule == mmu::WalkRule::Granted)
      .raw("references", references + "]")
      .line();
}

void print_walks(const ExplainArguments& arguments, const machine::Machine& machine, const mmu::Access& access,
                 const Roots& roots, StandardOutput& out) {
  for (const abi::hv::Vtl vtl : {abi::hv::Vtl::Vtl0, abi::hv::Vtl::Vtl1}) {
    const unsigned number = static_cast<unsigned>(vtl);
    const bool exists = vtl == abi::hv::Vtl::Vtl0 || machine.hypervisor().partition().enabled(vtl);
    if (!exists) {
      if (!arguments.json) out.print("VTL {}: not enabled at this point of the run\n", number);
      continue;
    }
    const mmu::AddressSpace space =
        machine.view(vtl, vtl == abi::hv::Vtl::Vtl0 ? roots.vtl0 : roots.vtl1);
    const mmu::WalkReport report = mmu::explain(machine.translator(), space, access);
    if (arguments.json) out.print("{}\n", walk_json(report, number));
    else out.print("VTL {}:\n{}\n", number, mmu::to_text(report, space, access));
  }
}

int explain(const ExplainArguments& arguments) {
  const std::optional<uint64_t> address = parse_address(arguments.address);
  if (!address) {
    return complain(exit_usage, fmt::format("{}: not a hexadecimal address", arguments.address));
  }
  auto opened = Session::open(arguments.session);
  if (!opened) return complain(exit_bad_input, opened.error().message);
  Session& session = *opened.value();
  if (const support::Status started = session.start(); !started) {
    return complain(exit_environment, started.error().message);
  }
  const machine::StopReason stop = session.run();
  const auto roots = roots_for(arguments, session);
  if (!roots) return complain(exit_usage, roots.error().message);
  const mmu::Access access{mmu::Gva{*address}, kind_of(arguments.access), arguments.user, false};
  StandardOutput out;
  if (!arguments.json) {
    out.print("At instant {}. {}\n\n", session.machine().now().ticks, sentence(stop, session.machine()));
  }
  print_walks(arguments, session.machine(), access, roots.value(), out);
  return out.finish() ? exit_ok : complain(exit_io, out.why());
}

}  // namespace

void register_explain(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<ExplainArguments>();
  CLI::App* command = app.add_subcommand("explain", "The page walk of an address, in each VTL, with the rule that decided");
  command->add_option("address", arguments->address, "A linear address, hexadecimal")->required();
  command->add_option("machine", arguments->session.machine_file, "A machine file; without it, the default machine");
  command->add_option("--until", arguments->session.until, "The point of the run, as for `airlock run`; without it, its end");
  command->add_option("--access", arguments->access, "r, w or x")->check(CLI::IsMember({"r", "w", "x"}));
  command->add_flag("--user", arguments->user, "An access of ring 3");
  command->add_option("--process", arguments->process, "Each VTL walks its page tables of this process");
  command->add_option("--cr3", arguments->cr3, "VTL 0 walks the page tables at this physical address");
  command->add_flag("--json", arguments->json, "JSON lines instead of text");
  command->footer(
      "Example:\n  airlock explain 2779cbb0000 --process lsaiso.exe     why VTL 0 cannot read the secret");
  command->callback([arguments, &exit_code] { exit_code = explain(*arguments); });
}

}  // namespace cli
