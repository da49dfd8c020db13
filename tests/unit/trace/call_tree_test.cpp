#include "sim/trace/call_tree.h"

#include <cstring>

#include "abi/sk/tables.h"
#include "sim/trace/milestones.h"
#include "tests/support/catch.h"

using namespace trace;
using support::Event;
using support::EventKind;
namespace sk = abi::sk;
using Lines = std::vector<std::string>;

namespace {

/// A conversation between NTOS and the secure kernel, one event at a time.
class Conversation {
 public:
  explicit Conversation(CallTreeOptions options = {})
      : tree_{[this](const RunLine& line) {
                lines_.push_back(std::string(line.depth * 2, ' ') + line.text);
              },
              options} {}

  void event(Event event) {
    event.at.ticks = ++tick_;
    event.vp = vp;
    tree_.on(event);
  }
  void call(const sk::SkCall& call) { transfer(EventKind::VtlCall, abi::hv::Vtl::Vtl0, call); }
  void back(const sk::SkCall& call) { transfer(EventKind::VtlReturn, abi::hv::Vtl::Vtl1, call); }
  void service(sk::SecureService code, uint64_t first = 0) {
    call({1, 0, static_cast<uint16_t>(code), 0, {first}});
  }
  void finished(uint32_t status = 0, uint64_t output = 0) { back({1, 1, 0, 0, {status, output}}); }
  uint32_t vp{};  ///< who speaks
  [[nodiscard]] size_t seen() const { return lines_.size(); }
  Lines lines() {
    tree_.finish();
    return lines_;
  }

 private:
  void transfer(EventKind kind, abi::hv::Vtl vtl, const sk::SkCall& call) {
    std::array<uint64_t, 13> words;
    std::memcpy(words.data(), &call, sizeof call);
    Event one{.at = {}, .kind = kind, .a = words[0], .b = words[1]};
    one.vtl = vtl;
    one.frame = words.data();
    event(one);
  }
  Lines lines_;
  CallTreePrinter tree_;
  uint64_t tick_{};
};

}  // namespace

TEST_CASE("A call that is answered at once is one line") {
  Conversation talk;
  talk.service(sk::SecureService::CreateProcess, 0x1000);
  talk.finished(0, 0x14);
  talk.service(sk::SecureService::Periodic);
  talk.finished(0xc00000a3);
  EXPECT(talk.lines() == Lines{"CreateProcess(eprocess=0x1000, pid=0x0) = Success, secure_pid=0x14",
                               "Periodic() = DeviceNotReady (0xc00000a3)"});
}

TEST_CASE("The first entry into VTL 1 is no secure call") {
  Conversation talk;
  talk.event({.at = {}, .kind = EventKind::VtlEnabled, .a = 1, .b = 0});
  talk.event({.at = {}, .kind = EventKind::VtlEnabled, .a = 1, .b = 1});
  talk.call({1, 0, 5, 0, {}});
  talk.back({});
  talk.service(sk::SecureService::Periodic);
  talk.finished();
  EXPECT(talk.lines() ==
         Lines{"first entry into VTL 1, with the context of EnableVpVtl = VTL 1 is initialised",
               "Periodic() = Success"});
}

TEST_CASE("A normal-mode call in the middle of a service is indented below it") {
  Conversation talk;
  talk.service(sk::SecureService::RetrieveMailbox, 2);
  talk.back(
      {0, 0, static_cast<uint16_t>(sk::NormalService::CopyVirtualMemory), 7, {0x10, 0x20, 8}});
  talk.call({0, 0, 0, 7, {}});
  talk.finished(0, 8);
  EXPECT(talk.lines() ==
         Lines{"RetrieveMailbox(trustlet_id=0x2, key=0000000000000000... (16 bytes), slot=0x0, "
               "buffer=0x0, length=0x0)",
               "  CopyVirtualMemory(destination=0x10, source=0x20, length=0x8) = Success",
               "RetrieveMailbox = Success, returned_length=0x8"});
}

TEST_CASE("A trustlet's thread makes system calls, and calls during those are nested") {
  Conversation talk;
  talk.call({0, 0, 0, 5, {}});                            // start of the thread with cookie 5
  talk.back({0, 2, 0x0f, 5, {0x44}});                     // NtClose
  talk.service(sk::SecureService::CloseSecureHandle, 1);  // made by NTOS meanwhile
  talk.finished();
  talk.call({0, 0, 0, 5, {0}});
  talk.back({0, 4, 0, 5, {}});                // VINA
  talk.service(sk::SecureService::Periodic);  // another thread runs
  talk.finished();
  talk.call({0, 0, 0, 5, {}});
  talk.finished(0);
  EXPECT(talk.lines() == Lines{"ResumeThread(0x5)", "  NtClose(1=0x44)",
                               "    CloseSecureHandle(handle=0x1) = Success", "  NtClose = Success",
                               "Periodic() = Success", "ResumeThread(0x5) = Success"});
}

TEST_CASE("A trustlet's thread that one processor parked goes on on another") {
  Conversation talk;
  talk.call({0, 0, 0, 5, {}});
  talk.back({0, 2, 0x0f, 5, {0x44}});  // NtClose
  talk.vp = 1;
  talk.service(sk::SecureService::Periodic);  // this processor has calls of its own
  talk.finished();
  talk.call({0, 0, 0, 5, {0}});
  talk.finished(0);
  EXPECT(talk.lines() == Lines{"ResumeThread(0x5)", "  NtClose(1=0x44)", "Periodic() = Success", "  NtClose = Success",
                               "ResumeThread(0x5) = Success"});
}

TEST_CASE("Intercepts are shown where they happen, hypercalls when asked for") {
  for (const bool hypercalls : {false, true}) {
    Conversation talk{{.hypercalls = hypercalls}};
    talk.service(sk::SecureService::Periodic);
    talk.event({.at = {}, .kind = EventKind::Hypercall, .a = 0x0d, .b = 0});
    talk.event({.at = {}, .kind = EventKind::Intercept, .a = 0x2779cbb0000, .b = 0x5000, .c = 1});
    talk.finished();
    Lines expected{"Periodic()", "  Hypercall EnablePartitionVtl -> Success",
                   "  Intercept write(gva=0x2779cbb0000, gpa=0x5000)", "Periodic = Success"};
    if (!hypercalls) expected.erase(expected.begin() + 1);
    EXPECT(talk.lines() == expected);
  }
}

TEST_CASE("An open call is printed before a milestone that happens inside it") {
  Conversation talk;
  talk.service(sk::SecureService::Periodic);
  talk.event({.at = {}, .kind = EventKind::DebugPrint, .text = "not printed by anybody"});
  talk.finished();
  talk.service(sk::SecureService::Phase3Initialize);
  talk.event({.at = {}, .kind = EventKind::Milestone, .text = "phase 3"});
  EXPECT(talk.seen() == 2);
  talk.finished();
  EXPECT(talk.lines() ==
         Lines{"Periodic() = Success", "Phase3Initialize()", "Phase3Initialize = Success"});
}

TEST_CASE("Interrupt entries, fast flushes and stray returns do not confuse the tree") {
  Conversation talk;
  talk.back({});
  Event interrupt{.at = {}, .kind = EventKind::VtlInterruptEntry, .a = 0x30};
  interrupt.vtl = abi::hv::Vtl::Vtl0;
  talk.event(interrupt);
  talk.back({});
  talk.call({2, 0, 0, 0, {}});
  talk.back({});
  talk.event({.at = {}, .kind = EventKind::VtlCall, .a = 0x77});
  talk.event({.at = {}, .kind = EventKind::VtlReturn, .a = 0x78});
  EXPECT(talk.lines() == Lines{"VTL return without a call (rbx=0x0)",
                               "interrupt 0x30 enters VTL 1", "FlushTb()",
                               "VTL call (rbx=0x77) = rbx 0x78"});
}

TEST_CASE("A guest that parks threads without end is kept within bounds") {
  Conversation talk;
  for (uint32_t cookie = 1; cookie < 20'000; ++cookie) {
    talk.call({0, 0, 0, cookie, {}});
    talk.back({0, 0, 2, cookie, {}});
  }
  const Lines lines = talk.lines();
  EXPECT(lines.size() > 20'000);
  for (const std::string& line : lines)
    REQUIRE(line.size() < 200);
}

TEST_CASE("Milestones name the image that speaks") {
  loader::ImageCatalog images;
  Lines lines;
  MilestonePrinter printer{[&](const RunLine& line) { lines.push_back(to_text(line)); }, images};
  printer.on({.at = {10},
              .kind = EventKind::ImageLoaded,
              .a = 0x1000,
              .b = 0x1000,
              .text = "winload.efi"});
  printer.on({.at = {1234567},
              .kind = EventKind::Milestone,
              .rip = 0x1800,
              .text = "OslVsmSetup(0)\x1b[31m"});
  Event event{.at = {2000000},
              .kind = EventKind::ProcessCreated,
              .a = 4,
              .b = 0x5000,
              .c = 0x14,
              .text = "lsaiso.exe"};
  printer.on(event);
  printer.on({.at = {1}, .kind = EventKind::DebugPrint, .text = "not shown"});
  EXPECT(lines == Lines{"      1,234,567  VTL0  winload.efi      OslVsmSetup(0)\\x1b[31m",
                        "      2,000,000  VTL0                   process 4 lsaiso.exe (CR3 0x5000, "
                        "secure handle 0x14)"});
  EXPECT(grouped(0) == "0");
  EXPECT(grouped(999) == "999");
  EXPECT(grouped(1000) == "1,000");
  EXPECT(grouped(~uint64_t{0}) == "18,446,744,073,709,551,615");
}
