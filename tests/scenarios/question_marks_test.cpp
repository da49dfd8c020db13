// Scenario 2: a page at 0x2779cbb0000 that belongs to a trustlet, and everything that ring 0 of VTL 0 tries.
#include "tests/support/catch.h"

#include <algorithm>
#include <cstring>

#include "sim/machine/memory_view.h"
#include "tests/support/machine_run.h"
#include "tests/support/memory_search.h"

using namespace test;
using abi::hv::Vtl;
using support::EventKind;

namespace {

constexpr uint64_t secret_address = 0x2779cbb0000;
constexpr uint64_t page = 4096;
using Bytes = std::vector<uint8_t>;

/// What VTL 0 had in its registers each time it got the processor back.
using Registers = std::vector<Bytes>;

/// A run with VSM, stopped when the thief is done and the trustlet still lives, then finished.
struct Guarded {
  Guarded() : run{with_vsm()} {
    run.seen().watch([this](const Seen& seen) {
      if (seen.kind() == EventKind::VtlReturn) registers.push_back(visible_registers(run.machine().processor()));
    });
    reached = run.run_to_milestone("attempts succeeded");
    if (!reached) return;
    look();
    stop = run.finish();
    for (const Bytes& part : needles) left_at_the_end += find_in_memory(run.machine(), Vtl::Vtl0, part, readable).size();
  }

  void look() {
    const machine::Machine& machine = run.machine();
    cr3 = run.process_cr3("lsaiso.exe");
    if (const auto target = stage1_target(machine, cr3, secret_address)) gpa = *target;
    secret = read_physical(machine, Vtl::Vtl1, gpa, 512);
    view = machine::view_memory(machine.translator(), machine.view(Vtl::Vtl0, cr3), mmu::Gva{secret_address}, 128);
    slat = slat_lookup(machine, Vtl::Vtl0, gpa);
    registers.push_back(visible_registers(machine.processor()));
    active = machine.processor().active;
    cut_needles();
    for (const Bytes& part : needles) {
      in_vtl1.push_back(find_in_memory(machine, Vtl::Vtl1, part, readable).size());
      in_vtl0.push_back(find_in_memory(machine, Vtl::Vtl0, part, readable).size());
    }
  }

  // The random parts of the text "CREDENTIAL user=... ntlm=<hex> kerberos=<hex>", as text and as the bytes they stand for.
  void cut_needles() {
    const std::string text{secret.begin(), secret.end()};
    for (const std::string_view name : {"ntlm=", "kerberos="}) {
      const size_t at = text.find(name);
      if (at == std::string::npos) continue;
      const std::string digits = text.substr(at + name.size(), 32);
      needles.emplace_back(digits.begin(), digits.end());
      Bytes raw;
      for (size_t i = 0; i < digits.size(); i += 2)
        raw.push_back(static_cast<uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
      needles.push_back(raw);
    }
  }

  MachineRun run;
  bool reached{};
  machine::StopReason stop{};
  Vtl active{};
  uint64_t cr3{}, gpa{~uint64_t{0}};
  Bytes secret;
  std::vector<std::optional<uint8_t>> view;
  mmu::SlatMapping slat;
  std::vector<Bytes> needles;
  std::vector<size_t> in_vtl0, in_vtl1;
  size_t left_at_the_end{};
  Registers registers;
};

const Guarded& guarded() {
  static const Guarded run;
  INFO(run.run.seen().milestones());
  REQUIRE(run.reached);
  return run;
}

/// The same thief on the same disk, with nobody above NTOS.
struct Open {
  explicit Open(const loader::MachineConfig& config) : run{config} {
    reached = run.run_to_milestone("attempts succeeded");
    if (!reached) return;
    const machine::Machine& machine = run.machine();
    const uint64_t cr3 = run.process_cr3("lsass.exe");
    view = machine::view_memory(machine.translator(), machine.view(Vtl::Vtl0, cr3), mmu::Gva{secret_address}, 128);
    stop = run.finish();
  }
  MachineRun run;
  bool reached{};
  machine::StopReason stop{};
  std::vector<std::optional<uint8_t>> view;
};

const Open& open_hypervisor() {
  static const Open run{hypervisor_only()};
  return run;
}
const Open& open_bare() {
  static const Open run{bare_machine()};
  return run;
}

/// Intercepts between two milestones of the thief.
std::vector<Seen> intercepts_of_thief(const Recorder& seen) {
  const size_t begin = seen.find(EventKind::Milestone, "thief: the victim is");
  const size_t end = seen.find(EventKind::Milestone, "attempts succeeded");
  std::vector<Seen> result;
  for (size_t i = begin; i < end && i < seen.events().size(); ++i)
    if (seen.events()[i].kind() == EventKind::Intercept) result.push_back(seen.events()[i]);
  return result;
}

bool holds(const Bytes& haystack, std::span<const uint8_t> needle) {
  return std::search(haystack.begin(), haystack.end(), needle.begin(), needle.end()) != haystack.end();
}

size_t readable_bytes(const std::vector<std::optional<uint8_t>>& view) {
  return static_cast<size_t>(std::count_if(view.begin(), view.end(), [](const auto& byte) { return byte.has_value(); }));
}

}  // namespace

TEST_CASE("The trustlet's page holds a credential that VTL 1 reads") {
  REQUIRE(guarded().secret.size() == 512);
  const std::string text{guarded().secret.begin(), guarded().secret.end()};
  EXPECT(text.starts_with("CREDENTIAL user="));
  EXPECT(guarded().needles.size() == 4);
  EXPECT(guarded().stop == machine::StopReason::PowerOff);
}

TEST_CASE("Each of the thief's nine attempts ends in the intercept that the reference predicts") {
  const std::vector<Seen> intercepts = intercepts_of_thief(guarded().run.seen());
  INFO(guarded().run.seen().milestones());
  REQUIRE(intercepts.size() == 9);
  for (size_t i = 0; i < intercepts.size(); ++i) {
    INFO(i << ": " << describe(intercepts[i]));
    EXPECT(intercepts[i].event.vtl == Vtl::Vtl0);
    EXPECT(intercepts[i].event.c == i % 3);  // read, write, execute, and that three times
    EXPECT(intercepts[i].event.b / page == guarded().gpa / page);
    // The first way goes by the trustlet's own address, the others by other ones.
    EXPECT((intercepts[i].event.a / page == secret_address / page) == (i < 3));
  }
  // One address per way.
  EXPECT(intercepts[3].event.a / page == intercepts[5].event.a / page);
  EXPECT(intercepts[6].event.a / page == intercepts[8].event.a / page);
  EXPECT(intercepts[3].event.a / page != intercepts[6].event.a / page);
}

TEST_CASE("Reads and writes are intercepted on the thief's instruction, executions on the page itself") {
  const MachineRun::Image thief = guarded().run.image("thief.sys");
  for (const Seen& intercept : intercepts_of_thief(guarded().run.seen())) {
    INFO(describe(intercept));
    if (intercept.event.c == 2) EXPECT(intercept.event.rip == intercept.event.a);
    else EXPECT(thief.contains(intercept.event.rip));
  }
}

TEST_CASE("Every refused attempt reaches the thief as a general protection fault, and it counts no success") {
  const Recorder& seen = guarded().run.seen();
  INFO(seen.milestones());
  EXPECT(seen.has(EventKind::Milestone, "thief: 0 of 9 attempts succeeded"));
  size_t faults = 0;
  for (const Seen& milestone : seen.of(EventKind::Milestone))
    if (milestone.text.starts_with("thief: ") && milestone.text.find("(#GP, error code 0x0)") != std::string::npos) ++faults;
  EXPECT(faults == 9);
}

TEST_CASE("In the kernel debugger's view every byte of the page is a question mark") {
  EXPECT(guarded().active == Vtl::Vtl0);
  REQUIRE(guarded().view.size() == 128);
  EXPECT(readable_bytes(guarded().view) == 0);
  const std::string dump = machine::format_dc(mmu::Gva{secret_address}, guarded().view);
  EXPECT(std::count(dump.begin(), dump.end(), '\n') == 8);
  EXPECT(dump.starts_with("00000277`9cbb0000 "));
  EXPECT(dump.find("???????? ???????? ???????? ????????") != std::string::npos);
}

TEST_CASE("NTOS's own page table maps the page, and it is the second stage that refuses it") {
  EXPECT(guarded().gpa < guarded().run.machine().config().memory_bytes);
  EXPECT(guarded().slat.mapped);
  EXPECT(guarded().slat.rights == mmu::Rights{});
}

TEST_CASE("The secret is in VTL 1's memory and in no page that VTL 0 may read") {
  REQUIRE(guarded().in_vtl0.size() == guarded().needles.size());
  REQUIRE_FALSE(guarded().needles.empty());
  // The text of both parts: the search can find what is there.
  EXPECT(guarded().in_vtl1[0] >= 1);
  EXPECT(guarded().in_vtl1[2] >= 1);
  for (const size_t found : guarded().in_vtl0) EXPECT(found == 0);
}

TEST_CASE("No register of VTL 0 ever holds eight bytes of the secret") {
  REQUIRE(guarded().registers.size() > 50);
  REQUIRE(guarded().needles.size() == 4);
  for (const Bytes& needle : guarded().needles)
    for (size_t at = 0; at + 8 <= needle.size(); ++at)
      for (const Bytes& registers : guarded().registers) {
        const bool found = holds(registers, std::span{needle}.subspan(at, 8));
        if (found) FAIL("eight bytes of the secret in VTL 0's registers");
      }
}

TEST_CASE("When the system has ended, VTL 0 still finds nothing of the secret") {
  EXPECT(guarded().left_at_the_end == 0);
}

TEST_CASE("Without VTL 1 the same thief on the same disk reads the secret, and the view shows the bytes") {
  for (const Open* open : {&open_hypervisor(), &open_bare()}) {
    INFO(open->run.seen().milestones());
    REQUIRE(open->reached);
    EXPECT(open->stop == machine::StopReason::PowerOff);
    EXPECT(open->run.seen().has(EventKind::Milestone, "thief: 9 of 9 attempts succeeded"));
    EXPECT(open->run.seen().count(EventKind::Intercept) == 0);
    REQUIRE(readable_bytes(open->view) == 128);
    std::string text;
    for (const auto& byte : open->view) text += static_cast<char>(*byte);
    EXPECT(text.starts_with("UserName=Administrator Domain=CONTOSO NtlmHash="));
  }
}

TEST_CASE("Without VTL 1 the bytes that the thief prints are those of the secret") {
  const Open& open = open_hypervisor();
  REQUIRE(open.reached);
  std::string first_row;
  for (size_t i = 0; i < 16; ++i) {
    char digits[4];
    std::snprintf(digits, sizeof digits, " %02x", *open.view[i]);
    first_row += digits;
  }
  EXPECT(open.run.seen().has(EventKind::DebugPrint, "thief: 2779cbb0000 " + first_row));
}
