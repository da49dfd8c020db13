// One input, one outcome: whatever ran before, in this process or another, in either gear.
#include "tests/support/catch.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <map>
#include <set>

#include "fuzz/engine/child.h"
#include "fuzz/engine/compares.h"
#include "fuzz/targets/secure_call.h"
#include "sim/cpu/instruction.h"
#include "sim/support/prng.h"

namespace {

using fuzzing::Ending;
using fuzzing::Execution;
using fuzzing::SecureCallTarget;
using fuzzing::Session;
using loader::GearSetting;

/// All that must be equal.
struct Outcome {
  Ending ending{};
  machine::StopReason stop{};
  uint64_t instructions{};
  uint32_t dirty_pages{}, actions{};
  support::StateHash state;
  std::vector<cpu::GuestBlock> entered;
  std::vector<uint8_t> edges;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome outcome_of(Session& session, std::span<const uint8_t> input) {
  const Execution& e = session.execute(input);
  return {e.ending, e.stop, e.instructions, e.dirty_pages, e.actions, session.machine().fingerprint(),
          session.coverage().entered(), {session.coverage().edges().begin(), session.coverage().edges().end()}};
}

std::unique_ptr<Session> open(SecureCallTarget& target) {
  auto session = Session::open(target, {}, {.coverage = true, .stay = true});
  if (!session.ok()) FAIL(session.error().message);
  return std::move(session.value());
}

/// Seeds, and what mutation makes of them.
std::vector<std::vector<uint8_t>> some_inputs(const SecureCallTarget& target, size_t count) {
  support::Prng random{9, "inputs"};
  std::vector<std::vector<uint8_t>> inputs = target.seeds();
  while (inputs.size() < count) {
    std::vector<uint8_t> input = inputs[random.below(inputs.size())];
    if (random.one_in(4)) input[0] = static_cast<uint8_t>(random.below(4));
    for (uint64_t i = random.below(4) + 1; i != 0; --i) input = target.mutate(input, 2000, random.next());
    inputs.push_back(std::move(input));
  }
  return inputs;
}

}  // namespace

TEST_CASE("an input has the same outcome whatever ran before it") {
  SecureCallTarget target{"guests"};
  const auto session = open(target);
  const support::StateHash boundary = session->machine().fingerprint();
  const auto inputs = some_inputs(target, 300);
  std::vector<Outcome> first;
  size_t answered = 0;
  for (const auto& input : inputs) {
    first.push_back(outcome_of(*session, input));
    answered += first.back().ending == Ending::Answered ? 1 : 0;
  }
  EXPECT(answered > inputs.size() / 2);
  // They are calls of the secure kernel, not something that comes back at once.
  const auto in_vtl1 = [](const cpu::GuestBlock& block) { return block.vtl == 1; };
  for (const Outcome& outcome : first) {
    REQUIRE(outcome.instructions > 100);
    REQUIRE(std::count_if(outcome.entered.begin(), outcome.entered.end(), in_vtl1) > 10);
  }
  support::Prng random{10, "order"};
  for (int i = 0; i < 600; ++i) {
    const size_t which = random.below(inputs.size());
    CAPTURE(which, target.describe(inputs[which]));
    REQUIRE(outcome_of(*session, inputs[which]) == first[which]);
  }
  (void)session->execute({});
  EXPECT(session->machine().fingerprint() == boundary);
}

TEST_CASE("both gears and a session without coverage agree, and so does another process") {
  SecureCallTarget target{"guests"}, exact_target{"guests", GearSetting::Exact}, plain_target{"guests"};
  const auto session = open(target), exact = open(exact_target);
  auto plain = Session::open(plain_target, {}, {.coverage = false, .stay = true});
  REQUIRE(plain.ok());
  for (const auto& input : some_inputs(target, 150)) {
    CAPTURE(target.describe(input));
    const Outcome expected = outcome_of(*session, input);
    REQUIRE(outcome_of(*exact, input) == expected);
    const Outcome uncovered = outcome_of(*plain.value(), input);
    REQUIRE(uncovered.state == expected.state);
    REQUIRE(uncovered.instructions == expected.instructions);
    REQUIRE(uncovered.dirty_pages == expected.dirty_pages);
    REQUIRE(uncovered.entered.empty());
  }
  for (const auto& input : some_inputs(target, 20)) {
    const Outcome expected = outcome_of(*session, input);
    const auto child = fuzzing::run_in_child(*session, input);
    REQUIRE(child.ok());
    REQUIRE(child.value().execution.has_value());
    EXPECT(child.value().execution->instructions == expected.instructions);
    EXPECT(child.value().execution->dirty_pages == expected.dirty_pages);
    EXPECT(child.value().entered == expected.entered);
  }
}

namespace {

/// A defect of ours, on request.
class Bomb final : public fuzzing::Oracle {
 public:
  [[nodiscard]] std::string_view name() const override { return "bomb"; }
  [[nodiscard]] std::string_view description() const override { return "ends the process"; }
  void begin() override { begun_ = true; }
  void on_event(const support::Event& event) override {
    last_ = {"bomb", "an event", event.at, event.vp, event.vtl, event.rip, "detail"};
    if (!armed) return;
    (void)std::signal(SIGSEGV, SIG_DFL);  // the test program would explain itself first
    (void)std::raise(SIGSEGV);
  }
  [[nodiscard]] const std::vector<fuzzing::Violation>& violations() const override {
    return violations_ = {last_, last_}, violations_;
  }
  bool armed{};

 private:
  bool begun_{};
  fuzzing::Violation last_;
  mutable std::vector<fuzzing::Violation> violations_;
};

}  // namespace

TEST_CASE("a crash of the engine in a child is an answer, and violations come through") {
  SecureCallTarget target{"guests"};
  Bomb bomb;
  auto session = Session::open(target, {&bomb});
  if (!session.ok()) FAIL(session.error().message);
  const std::vector<uint8_t> input = target.seeds().front();
  auto child = fuzzing::run_in_child(*session.value(), input);
  REQUIRE(child.ok());
  REQUIRE(child.value().execution.has_value());
  REQUIRE(child.value().execution->violations.size() == 2);
  EXPECT(child.value().execution->violations[1].detail == "detail");
  EXPECT(child.value().execution->violations[1].at == session.value()->execute(input).violations[1].at);
  bomb.armed = true;
  child = fuzzing::run_in_child(*session.value(), input);
  REQUIRE(child.ok());
  EXPECT(!child.value().execution.has_value());
  EXPECT(child.value().signal == SIGSEGV);
}

namespace {

/// Finds blocks by looking at each instruction in turn. Another VTL goes on where it was, unless an event came: that shows
/// only in the instruction after the next.
class NaiveCoverage final : public fuzzing::Oracle {
 public:
  [[nodiscard]] std::string_view name() const override { return "naive-coverage"; }
  [[nodiscard]] std::string_view description() const override { return "blocks, one instruction after the other"; }
  [[nodiscard]] fuzzing::OracleNeeds needs() const override { return {.events = true, .instructions = true}; }
  void learn(machine::Machine& machine) override { machine_ = &machine; }
  void begin() override {
    known_ = false;
    heads.clear();
  }
  void on_event(const support::Event& event) override {
    delivered_ |= event.kind == support::EventKind::Exception || event.kind == support::EventKind::Interrupt;
  }
  void before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) override {
    const uint64_t address = vp.context().rip;
    const bool same_vtl = known_ && vtl_ == vp.active;
    const bool retired = known_ && now != instant_;
    const bool led_here = delivered_ || (same_vtl && retired && cpu::is_control_transfer(in_));
    if (led_here) heads.insert({address, static_cast<uint8_t>(vp.active)});
    known_ = true;
    delivered_ = false;
    vtl_ = vp.active;
    instant_ = now;
    uint8_t bytes[cpu::max_instruction_length]{};
    (void)mmu::read_gva(machine_->translator(), machine_->view(vp.active), mmu::Gva{address}, bytes, (vp.context().segments[vtl::Cs].selector & 3) == 3);
    in_ = cpu::decode(bytes, cpu::CodeSize::Bits64);
  }
  [[nodiscard]] const std::vector<fuzzing::Violation>& violations() const override { return none_; }
  std::set<cpu::GuestBlock> heads;

 private:
  machine::Machine* machine_{};
  bool known_{}, delivered_{};
  vtl::Vtl vtl_{};
  support::Instant instant_;
  cpu::Instruction in_;
  std::vector<fuzzing::Violation> none_;
};

}  // namespace

TEST_CASE("coverage of both VTLs is what a naive observer finds") {
  SecureCallTarget exact_target{"guests", GearSetting::Exact}, target{"guests"};
  NaiveCoverage naive;
  auto exact = Session::open(exact_target, {&naive});
  if (!exact.ok()) FAIL(exact.error().message);
  const auto session = open(target);
  size_t blocks = 0;
  for (const auto& input : some_inputs(target, 250)) {
    CAPTURE(target.describe(input));
    (void)exact.value()->execute(input);
    const std::vector<cpu::GuestBlock> expected{naive.heads.begin(), naive.heads.end()};
    (void)session->execute(input);
    REQUIRE(exact.value()->coverage().entered() == expected);
    REQUIRE(session->coverage().entered() == expected);
    blocks += expected.size();
  }
  EXPECT(blocks > 5000);
}

TEST_CASE("what the guest compares leads from a service that does not exist to one that does") {
  SecureCallTarget target{"guests", GearSetting::Exact};
  fuzzing::CompareRecorder recorder;
  auto session = Session::open(target, {&recorder});
  if (!session.ok()) FAIL(session.error().message);
  abi::sk::SkCall call{};
  call.operation = static_cast<uint8_t>(abi::sk::Operation::SecureService);
  call.code = 0xbeef;
  const std::vector<uint8_t> input = SecureCallTarget::input_of(call);
  const uint64_t instructions = session.value()->execute(input).instructions;
  const std::vector<fuzzing::Comparison> comparisons = recorder.comparisons();
  EXPECT(std::any_of(comparisons.begin(), comparisons.end(), [](const fuzzing::Comparison& c) { return c.a == 0xbeef || c.b == 0xbeef; }));
  std::set<uint16_t> codes;
  std::set<uint64_t> lengths;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const std::vector<uint8_t> other = fuzzing::substitute(input, comparisons, seed);
    REQUIRE(other == fuzzing::substitute(input, comparisons, seed));
    REQUIRE(other.size() == input.size());
    std::memcpy(&call, other.data() + 1, sizeof call);
    codes.insert(call.code);
    lengths.insert(session.value()->execute(other).instructions);
  }
  EXPECT(codes.size() > 2);
  lengths.erase(instructions);
  EXPECT(!lengths.empty());
}

TEST_CASE("what was covered has names: images, RVAs and sizes") {
  SecureCallTarget target{"guests"};
  auto opened = Session::open(target);
  REQUIRE(opened.ok());
  Session& session = *opened.value();
  abi::sk::SkCall call{};
  call.operation = static_cast<uint8_t>(abi::sk::Operation::SecureService);
  call.code = 231;
  (void)session.execute(SecureCallTarget::input_of(call));
  const std::vector<cpu::GuestBlock> entered = session.coverage().entered();
  const std::vector<fuzzing::CoveredBlock> blocks = fuzzing::resolve(session.machine(), session.images(), entered);
  REQUIRE(blocks.size() == entered.size());
  std::map<std::string, size_t> by_image;
  for (size_t i = 0; i < blocks.size(); ++i) {
    CAPTURE(i, blocks[i].image, blocks[i].offset);
    ++by_image[blocks[i].image];
    EXPECT(blocks[i].size != 0);
    EXPECT(blocks[i].size < 1000);
    EXPECT((blocks[i].image.empty() || blocks[i].offset < 0x1000000));
  }
  EXPECT(by_image["securekernel.exe"] > 20);
}

TEST_CASE("a target without images says what is missing") {
  SecureCallTarget target{"/nonexistent"};
  auto session = Session::open(target);
  REQUIRE(!session.ok());
  EXPECT(session.error().message.find("/nonexistent/images/firmware.efi") != std::string::npos);
}
