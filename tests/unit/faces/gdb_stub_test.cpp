// What a debugger asks, and what it is told.
#include "sim/faces/gdb/stub.h"

#include "sim/faces/gdb/target_description.h"
#include "tests/support/catch.h"
#include "tests/unit/faces/gdb_toy.h"

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using faces::gdb::Stub;
using faces::gdb::to_hex;

namespace {

/// A stub over the toy, and what it printed.
struct Conversation {
  explicit Conversation(const faces::gdb::StubOptions& options = {})
      : stub{toy.api(), options, [this](std::string_view packet) { printed.emplace_back(packet); }} {}

  std::string operator()(std::string_view packet) { return stub.handle(packet).data; }
  [[nodiscard]] std::string output() const {
    std::string text;
    for (const std::string& packet : printed) text += faces::gdb::text_from_hex(packet.substr(1)).value_or("?");
    return text;
  }

  test::Toy toy;
  std::vector<std::string> printed;
  Stub stub;
};

constexpr const char* entry = "fffff80080001000";  // of VTL 1, at 40

size_t digits_before(size_t number) {
  size_t digits = 0;
  for (size_t i = 0; i < number; ++i) digits += faces::gdb::registers()[i].bits / 4;
  return digits;
}

}  // namespace

TEST_CASE("packets that nobody knows are answered with nothing", "[gdb]") {
  Conversation say;
  for (const char* packet : {"", "vMustReplyEmpty", "qTStatus", "Qsomething", "vContX", "gg", "qXfer",
                             "qXfer:auxv:read::0,100", "R00", "i", "cc1"})
    EXPECT(say(packet).empty());
}

TEST_CASE("what is offered is what is there", "[gdb]") {
  Conversation say;
  const std::string offered = say("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386");
  for (const char* feature :
       {"PacketSize=4000", "QStartNoAckMode+", "qXfer:features:read+", "ReverseStep+", "ReverseContinue+", "swbreak+"})
    CHECK_THAT(offered, ContainsSubstring(feature));
  EXPECT(offered.find("multiprocess+") == std::string::npos);
  EXPECT(say.stub.handle("QStartNoAckMode").no_acks);
  EXPECT(say("qAttached") == "1");
}

TEST_CASE("each level of a processor is a thread", "[gdb]") {
  Conversation say;
  EXPECT(say("qfThreadInfo") == "m1,2");
  EXPECT(say("qsThreadInfo") == "l");
  EXPECT(say("qC") == "QC1");
  EXPECT(say("T2") == "OK");
  EXPECT(say("T3").starts_with("E."));
  EXPECT(say("Hg2") == "OK");
  EXPECT(say("Hg7").starts_with("E."));
  EXPECT(say("Hgx").starts_with("E."));
  CHECK_THAT(say("qXfer:threads:read::0,1000"),
             ContainsSubstring("<thread id=\"2\" core=\"0\" name=\"VP0.VTL1\">waits, 0xfffff80080001000</thread>"));
}

TEST_CASE("a level that is not enabled yet is no thread", "[gdb]") {
  Conversation say;
  say.toy.has_vtl1 = false;
  EXPECT(say("qfThreadInfo") == "m1");
  EXPECT(say("T2").starts_with("E."));
  EXPECT(say("Hg2").starts_with("E."));
}

TEST_CASE("the registers of both VTLs can be read in the order of the description", "[gdb]") {
  Conversation say;
  const std::string all = say("g");
  EXPECT(all.size() == digits_before(faces::gdb::registers().size()));
  EXPECT(all.substr(0, 16) == "8877665544332211");
  EXPECT(all.substr(digits_before(16), 16) == "0010000000f8ffff");
  EXPECT(all.substr(digits_before(1), 16) == "xxxxxxxxxxxxxxxx");  // the toy has no RBX
  EXPECT(say("p10") == "0010000000f8ffff");
  EXPECT(say("p10;thread:2;") == "0010008000f8ffff");
  EXPECT(say("p18").starts_with("xx"));
  EXPECT(say("p1a") == "bc0a000000f8ffff");  // k_gs_base
  EXPECT(say("p21") == "0000000000000080ff3f");  // st0
  EXPECT(say("p34") == "0f0e0d0c0b0a09080706050403020100");  // xmm3
  EXPECT(say("p42;thread:2;") == "01000000");  // vtl
  EXPECT(say("p99").starts_with("E."));
  EXPECT(say("Hg2") == "OK");
  EXPECT(say("g").substr(digits_before(16), 16) == "0010008000f8ffff");
}

TEST_CASE("the description is complete, and names no Windows", "[gdb]") {
  Conversation say;
  std::string all;
  for (size_t offset = 0;; offset += 0x400) {
    const std::string piece = say(fmt::format("qXfer:features:read:target.xml:{:x},400", offset));
    all += piece.substr(1);
    if (piece.front() == 'l') break;
    REQUIRE(piece.front() == 'm');
  }
  EXPECT(all == faces::gdb::target_xml());
  EXPECT(all.find("Windows") == std::string::npos);
  CHECK_THAT(all, ContainsSubstring("<feature name=\"org.airlock.vsm\">") &&
                      ContainsSubstring("<reg name=\"vtl\" bitsize=\"32\""));
  EXPECT(say("qXfer:features:read:other.xml:0,100") == "E00");
  EXPECT(say("qXfer:features:read:target.xml:zz,100") == "E00");
  EXPECT(say("qXfer:features:read:target.xml:ffffffff,100") == "E01");
}

TEST_CASE("memory is what the thread's VTL sees, and a page of VTL 1 is an error to VTL 0", "[gdb]") {
  Conversation say;
  EXPECT(say("m1000,4") == "50515253");
  EXPECT(say("m7e0000,4") == "E14");
  EXPECT(say("m7dfffe,4").size() == 4);  // up to the page that it may not read
  EXPECT(say("Hg2") == "OK");
  EXPECT(say("m7e0000,4").size() == 8);
  EXPECT(say("m40000000,4") == "E14");
  EXPECT(say("m1000,0").empty());
  EXPECT(say("m1000,ffffffffffffffff").size() == 0x4000);
  for (const char* bad : {"m", "m1000", "m1000,", "mx,4", "m1000,4;thread:zz;"}) EXPECT(say(bad).starts_with("E."));
  EXPECT(say("Hg1") == "OK");
  EXPECT(say("Qqemu.PhyMemMode:1") == "OK");
  EXPECT(say("m7e0000,4").size() == 8);
  EXPECT(say("qqemu.PhyMemMode") == "1");
}

TEST_CASE("writing is refused with the reason, but in a branch", "[gdb]") {
  Conversation say;
  CHECK_THAT(say("M1000,2:9090"), StartsWith("E.") && ContainsSubstring("outside a branch"));
  CHECK_THAT(say("P0=8877665544332211"), ContainsSubstring("outside a branch"));
  EXPECT(say("G" + say("g")) == "OK");  // nothing that differs
  CHECK_THAT(say("P42=00000000"), ContainsSubstring("monitor"));
  say.toy.branch = true;
  EXPECT(say("M1000,2:9090") == "OK");
  EXPECT(say.toy.written == "gva 0x1000 9090 vtl 0");
  EXPECT(say("Hg2") == "OK");
  EXPECT(say(std::string_view{"X1000,3:a\0#", 11}) == "OK");
  EXPECT(say.toy.written == "gva 0x1000 610023 vtl 1");
  EXPECT(say("P0=0102030405060708") == "OK");
  EXPECT(say.toy.written == "rax 0x0807060504030201 vtl 1");
  EXPECT(say("G" + std::string(16, '0') + say("g").substr(16)) == "OK");
  EXPECT(say.toy.written == "rax 0x0000000000000000 vtl 1");
  for (const char* bad : {"M1000,2:90", "M1000,2:zz90", "M", "X1000,2:a", "P0=00", "P99=00", "P", "G0"})
    EXPECT(say(bad).starts_with("E."));
}

TEST_CASE("steps name the thread that stopped", "[gdb]") {
  Conversation say;
  CHECK_THAT(say("vCont;s:1;c"), StartsWith("T05thread:1;core:0;") && ContainsSubstring("10:0410000000f8ffff;"));
  EXPECT(say("?").find("xx") == std::string::npos);  // gdb refuses a stop with a register that is not known
  say.toy.now = 39;
  CHECK_THAT(say("vCont;s:1;c"), StartsWith("T05thread:2;"));
  CHECK_THAT(say("bs"), StartsWith("T05thread:1;"));
  // Alone, as gdb gets off a breakpoint: it hears of the thread that it asked for.
  CHECK_THAT(say("vCont;s:1"), StartsWith("T05thread:1;"));
  EXPECT(say.toy.now == 40);
}

TEST_CASE("a level that waits is stepped when its processor enters it", "[gdb]") {
  Conversation say;
  CHECK_THAT(say("vCont;s:2;c"), StartsWith("T05thread:2;") && ContainsSubstring("10:0410008000f8ffff;"));
  EXPECT(say.toy.now == 41);
  EXPECT(say.toy.breakpoints.empty());
  CHECK_THAT(say("vCont;s:1;c"), StartsWith("T05thread:1;"));
  EXPECT(say.toy.now == 61);
}

TEST_CASE("a level that waits cannot be stepped alone, as gdb does to get off a breakpoint", "[gdb]") {
  Conversation say;
  CHECK_THAT(say("vCont;s:2"), StartsWith("T05thread:2;") && ContainsSubstring("10:0010008000f8ffff;"));
  EXPECT(say.toy.now == 0);
}

TEST_CASE("a run ends at breakpoints, at the beginning and at the end", "[gdb]") {
  Conversation say;
  (void)say("qSupported:swbreak+;hwbreak+");
  EXPECT(say(fmt::format("Z0,{},1", entry)) == "OK");
  EXPECT(say(fmt::format("Z0,{},1", entry)) == "OK");  // once
  EXPECT(say.toy.breakpoints.size() == 1);
  CHECK_THAT(say("vCont;c"), StartsWith("T05swbreak:;thread:2;"));
  EXPECT(say("?") == say("?"));
  CHECK_THAT(say("bc"), StartsWith("T05replaylog:begin;thread:1;"));
  EXPECT(say(fmt::format("z0,{},1", entry)) == "OK");
  EXPECT(say(fmt::format("Z1,{},1", entry)) == "OK");
  CHECK_THAT(say("c"), StartsWith("T05hwbreak:;thread:2;"));
  EXPECT(say(fmt::format("z1,{},1", entry)) == "OK");
  EXPECT(say.toy.breakpoints.empty());
  CHECK_THAT(say("c"), StartsWith("T05replaylog:end;thread:1;"));
  CHECK_THAT(say.output(), ContainsSubstring("stopped: end"));
}

TEST_CASE("a watchpoint names its address, whichever VTL wrote", "[gdb]") {
  struct Row {
    char type;
    const char* name;
  };
  const Row row = GENERATE(values<Row>({{'2', "watch"}, {'3', "rwatch"}, {'4', "awatch"}}));
  Conversation say;
  EXPECT(say(fmt::format("Z{},6000,8", row.type)) == "OK");
  EXPECT(say.toy.breakpoints.size() == 2);  // as either VTL sees it
  CHECK_THAT(say("vCont;c"), StartsWith(fmt::format("T05{}:6000;thread:2;", row.name)));
  EXPECT(say(fmt::format("z{},6000,8", row.type)) == "OK");
  EXPECT(say.toy.breakpoints.empty());
}

TEST_CASE("breakpoints that make no sense are refused", "[gdb]") {
  Conversation say;
  for (const char* bad : {"Z0", "Z0,", "Z0,1000", "Zx,1000,1", "Z2,1000,0", "Z2,1000,ffffffff", "z0"})
    EXPECT(say(bad).starts_with("E."));
  EXPECT(say("Z5,1000,1").empty());
  EXPECT(say("z0,1000,1") == "OK");  // of one that is not there
}

TEST_CASE("a client that leaves takes its breakpoints along", "[gdb]") {
  Conversation say;
  EXPECT(say("Z0,1000,1") == "OK");
  EXPECT(say("Z2,1000,8") == "OK");
  SECTION("with D") { EXPECT(say("D") == "OK"); }
  SECTION("without a word") { say.stub.leave(); }
  EXPECT(say.toy.breakpoints.empty());
}

TEST_CASE("killing ends the connection only", "[gdb]") {
  Conversation say;
  const auto kill = say.stub.handle("k");
  EXPECT((kill.goodbye && !kill.answers));
  const auto polite = say.stub.handle("vKill;1");
  EXPECT((polite.goodbye && polite.data == "OK"));
}

TEST_CASE("monitor is the console", "[gdb]") {
  Conversation say;
  EXPECT(say("qRcmd," + to_hex(std::string_view{"!vtl"})) == "OK");
  EXPECT(say.output() == "you said !vtl\n");
  EXPECT(say("qRcmd," + to_hex(std::string_view{"go 50"})) == "OK");
  CHECK_THAT(say.output(), ContainsSubstring("gone\n") && ContainsSubstring("maintenance flush register-cache"));
  EXPECT(say("p42;thread:2;") == "01000000");
  EXPECT(say("qC") == "QC2");
  EXPECT(say("qRcmd,zz").starts_with("E."));
}

TEST_CASE("what a guest prints while it runs is shown", "[gdb]") {
  Conversation say;
  say.toy.guest_says = "hello from VTL 1\n";
  CHECK_THAT(say("c"), StartsWith("T05replaylog:end;"));
  CHECK_THAT(say.output(), StartsWith("hello from VTL 1\n"));
}

TEST_CASE("each VTL can be a process, with breakpoints of its own", "[gdb]") {
  Conversation say{faces::gdb::StubOptions{.vtl_is_process = true}};
  CHECK_THAT(say("qSupported:multiprocess+;swbreak+"), ContainsSubstring(";multiprocess+"));
  EXPECT(say("qfThreadInfo") == "mp1.1,p2.2");
  EXPECT(say("Hgp2.2") == "OK");
  EXPECT(say(fmt::format("Z0,{},1", entry)) == "OK");
  EXPECT(say.toy.breakpoints.begin()->second.at("vtl") == 1);
  CHECK_THAT(say("vCont;c:p1.-1"), StartsWith("T05swbreak:;thread:p2.2;"));
  EXPECT(say("Hgp2.-1") == "OK");
  EXPECT(say("Hgp7.-1").starts_with("E."));
  EXPECT(say("D;1") == "OK");
  CHECK_THAT(Conversation{faces::gdb::StubOptions{.vtl_is_process = true}}("qfThreadInfo"),
             StartsWith("m1,2"));  // not agreed on
}

TEST_CASE("lldb hears what it asks for", "[gdb]") {
  Conversation say;
  EXPECT(say("QThreadSuffixSupported") == "OK");
  EXPECT(say("QListThreadsInStopReply") == "OK");
  CHECK_THAT(say("qHostInfo"), ContainsSubstring("triple:" + to_hex(std::string_view{"x86_64-pc-windows-msvc"}) + ";"));
  CHECK_THAT(say("qProcessInfo"), ContainsSubstring("pid:1;"));
  CHECK_THAT(say("?"), ContainsSubstring("threads:1,2;") && ContainsSubstring("name:VP0.VTL0;"));
  CHECK_THAT(say("qThreadStopInfo2"), StartsWith("T00thread:2;"));  // nothing stopped it
  const auto threads = rpc::Json::parse(say("jThreadsInfo"));
  REQUIRE(threads.size() == 2);
  EXPECT(threads[1]["name"] == "VP0.VTL1");
  EXPECT(threads[1]["registers"]["16"] == "0010008000f8ffff");
  EXPECT(say("qMemoryRegionInfo:1234") == "start:1000;size:1000;permissions:rx;");
  EXPECT(say("qMemoryRegionInfo:40000000") == "start:40000000;size:1000;");
  EXPECT(say("M1000,2:9090") == "E01");  // it knows no texts
  EXPECT(say("QEnableErrorStrings") == "OK");
  CHECK_THAT(say("M1000,2:9090"), StartsWith("E01;"));
  say.toy.now = 39;
  CHECK_THAT(say("vCont;s:1"), StartsWith("T05thread:2;"));  // it steps one thread alone, and wants to know the truth
  say.toy.now = test::Toy::last;
  CHECK_THAT(say("vCont;s:1"), StartsWith("T05reason:exception;description:"));  // it would try again and again
}
