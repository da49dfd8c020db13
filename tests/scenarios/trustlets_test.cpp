// Which trustlets start, and how one gives a message to the normal world.
#include "tests/support/catch.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "abi/sk/call_frame.h"
#include "sim/trace/call_decoder.h"
#include "tests/support/machine_run.h"

using namespace test;
using abi::hv::Vtl;
using support::EventKind;

namespace {

const std::string lsaiso_path = std::string{system_folder} + "lsaiso.exe";
const std::string vmsp_path = std::string{system_folder} + "vmsp.exe";

/// A machine with other files in place of the two trustlets, run to its end.
struct TrustletRun {
  TrustletRun(const std::vector<uint8_t>& lsaiso, const std::vector<uint8_t>& vmsp,
              loader::GearSetting gear = loader::GearSetting::Fast) {
    disk.replace(lsaiso_path, lsaiso);
    disk.replace(vmsp_path, vmsp);
    loader::MachineConfig config = with_vsm();
    config.disk = disk.path();
    config.gear = gear;
    run = std::make_unique<MachineRun>(config);
    if (gear == loader::GearSetting::Exact) instructions = std::make_unique<InstructionCount>(*run);
    stop = run->finish();
  }
  /// Whether a trustlet of this run ever asked the secure kernel for anything.
  [[nodiscard]] bool a_trustlet_ran() const {
    const std::vector<Seen> calls = seen().of(EventKind::SystemCall);
    return std::any_of(calls.begin(), calls.end(), [](const Seen& call) { return call.event.vtl == Vtl::Vtl1; });
  }
  [[nodiscard]] const Recorder& seen() const { return run->seen(); }
  /// What NtCreateUserProcess answered, as printed; empty if the process was created.
  [[nodiscard]] std::string refusal(const std::string& image) const {
    const std::string begin = "ntoskrnl: NtCreateUserProcess " + image + ": ";
    const size_t at = seen().find(EventKind::Milestone, begin);
    return at == seen().events().size() ? "" : seen().events()[at].text.substr(begin.size(), 10);
  }

  DiskVariant disk;
  std::unique_ptr<MachineRun> run;
  std::unique_ptr<InstructionCount> instructions;
  machine::StopReason stop{};
};

std::vector<uint8_t> image(std::string_view name) { return read_file(guest_image(name)); }

/// One VTL switch with its frame, as NTOS's calls and the secure kernel's answers alternate.
struct Message {
  bool to_secure_kernel{};
  std::string name;
  uint16_t code{};
  trace::DecodedNormalCall::Kind answer{};
  uint32_t status{};
  std::array<uint64_t, 13> frame{};
};

std::vector<Message> conversation(const Recorder& seen) {
  std::vector<Message> messages;
  bool by_interrupt = false;  // then the way back carries no frame, whatever the registers hold
  for (const Seen& event : seen.events()) {
    if (event.kind() == EventKind::VtlInterruptEntry) by_interrupt = true;
    if (event.kind() == EventKind::VtlCall) by_interrupt = false;
    if (!event.has_frame || by_interrupt) continue;
    const trace::CallFrame frame{event.frame};
    if (event.kind() == EventKind::VtlCall) {
      const auto call = trace::decode_secure_call(frame);
      messages.push_back({true, call.name, call.code, {}, 0, event.frame});
    } else if (event.kind() == EventKind::VtlReturn) {
      const auto call = trace::decode_normal_call(frame);
      messages.push_back({false, call.name, call.code, call.kind, call.status, event.frame});
    }
  }
  return messages;
}

const MachineRun& ordinary_run() {
  static MachineRun run{with_vsm()};
  static const machine::StopReason stop = run.finish();
  REQUIRE(stop == machine::StopReason::PowerOff);
  return run;
}

}  // namespace

// A trustlet whose own check fails ends at once, with the number of the check.
TEST_CASE("Both trustlets pass their own checks; one ends with success, the other lives until the system ends") {
  const Recorder& seen = ordinary_run().seen();
  INFO(seen.milestones());
  EXPECT(seen.has(EventKind::Milestone, "vmsp.exe ended with 0x00000000"));
  CHECK_FALSE(seen.has(EventKind::Milestone, "lsaiso.exe ended"));
  EXPECT(seen.has(EventKind::ProcessExited, "lsaiso.exe"));
}

TEST_CASE("A secure process has a handle of the secure kernel, an ordinary one has none") {
  const std::vector<Seen> processes = ordinary_run().seen().of(EventKind::ProcessCreated);
  EXPECT(processes.size() >= 4);
  for (const Seen& process : processes) {
    INFO(describe(process));
    EXPECT((process.event.c != 0) == (process.text != "System"));
  }
}

TEST_CASE("A trustlet with one flipped byte, and one whose policy names another id, are refused and nothing of them runs") {
  // vmsp.exe is genuine and well signed, but it is trustlet 2 and started as trustlet 1.
  const TrustletRun run{image("vmsp.exe"), with_flipped_code_byte(image("vmsp.exe")),
                        loader::GearSetting::Exact};
  INFO(run.seen().milestones());
  EXPECT(run.stop == machine::StopReason::PowerOff);
  EXPECT(run.refusal("lsaiso.exe") == "0xc000000d");
  EXPECT(run.refusal("vmsp.exe") == "0xc0000428");
  EXPECT(run.instructions->user_mode_in(Vtl::Vtl1) == 0);
  EXPECT(run.instructions->in(Vtl::Vtl1) > 0);
  CHECK_FALSE(run.seen().has(EventKind::ProcessCreated, "lsaiso.exe"));
  CHECK_FALSE(run.seen().has(EventKind::ProcessCreated, "vmsp.exe"));
}

TEST_CASE("A trustlet of a foreign root, and one without the Isolated User Mode usage, are refused") {
  const TrustletRun run{image("variants/lsaiso.foreign_ium.exe"), image("variants/lsaiso.windows.exe")};
  INFO(run.seen().milestones());
  EXPECT(run.refusal("lsaiso.exe") == "0xc000038a");
  EXPECT(run.refusal("vmsp.exe") == "0xc0000364");
  CHECK_FALSE(run.a_trustlet_ran());
}

TEST_CASE("A trustlet of the test root, and one without the system component usage, are refused") {
  const TrustletRun run{image("variants/lsaiso.test_ium.exe"), image("variants/lsaiso.wrong_eku.exe")};
  INFO(run.seen().milestones());
  EXPECT(run.refusal("lsaiso.exe") == "0xc000038a");
  EXPECT(run.refusal("vmsp.exe") == "0xc0000364");
  CHECK_FALSE(run.a_trustlet_ran());
}

TEST_CASE("Retrieving the mailbox is service 15 in, normal service 13 out, and a result that comes back") {
  constexpr uint16_t retrieve_mailbox = 15, copy_virtual_memory = 13;
  const std::vector<Message> messages = conversation(ordinary_run().seen());
  const auto asked = std::find_if(messages.begin(), messages.end(), [](const Message& message) {
    return message.to_secure_kernel && message.code == retrieve_mailbox &&
           message.name.find("Mailbox") != std::string::npos;
  });
  REQUIRE(asked != messages.end());
  REQUIRE(messages.end() - asked >= 4);
  INFO(asked[0].name << " / " << asked[1].name << " / " << asked[2].name << " / " << asked[3].name);
  CHECK_FALSE(asked[1].to_secure_kernel);
  EXPECT(asked[1].answer == trace::DecodedNormalCall::Kind::NormalService);
  EXPECT(asked[1].code == copy_virtual_memory);
  EXPECT(asked[2].to_secure_kernel);
  CHECK_FALSE(asked[3].to_secure_kernel);
  EXPECT(asked[3].answer == trace::DecodedNormalCall::Kind::Finished);
  EXPECT(asked[3].status == 0);
  EXPECT(ordinary_run().seen().has(EventKind::Milestone, "VslRetrieveMailbox: 16 bytes from trustlet 2: \"COOKIE: "));
}

TEST_CASE("Every frame that crosses the border decodes to an operation that the tables know") {
  const std::vector<Message> messages = conversation(ordinary_run().seen());
  REQUIRE(messages.size() > 50);
  for (const Message& message : messages) {
    INFO(fmt::format("{:x}", fmt::join(message.frame, " ")));
    CHECK_FALSE(message.name.empty());
    if (!message.to_secure_kernel) EXPECT(message.answer != trace::DecodedNormalCall::Kind::Unknown);
  }
}
