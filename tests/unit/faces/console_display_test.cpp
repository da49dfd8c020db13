// How the console shows what it is answered.
#include "sim/faces/console/console.h"
#include "tests/unit/faces/fake_api.h"

using namespace faces::console;
using Catch::Matchers::ContainsSubstring;
using rpc::Json;
using test::FakeApi;

namespace {

std::string shown(FakeApi& api, std::string_view line) {
  Console console{api};
  return console.execute(line, false).output;
}

Json reg(const std::string& name, const std::string& value, int bits = 64, const std::string& group = "general") {
  return {{"name", name}, {"value", value}, {"bits", bits}, {"group", group}, {"shared", false}};
}

}  // namespace

TEST_CASE("memory is shown as the kernel debugger shows it; denied and unmapped are told apart", "[console]") {
  FakeApi api;
  api.answer("memory.read", {{"parts", {{{"offset", 0}, {"length", 8}, {"state", "readable"}, {"bytes", "4142434400000000"}},
                                        {{"offset", 8}, {"length", 4}, {"state", "denied"}, {"why", "VTL 1 took the right to read from VTL 0"}},
                                        {{"offset", 12}, {"length", 4}, {"state", "unmapped"}}}}});
  const std::string legend = "?? denied: VTL 1 took the right to read from VTL 0\n-- not mapped by the page tables\n";
  EXPECT(shown(api, "db fffff801`00001000 L10") ==
         "fffff801`00001000  41 42 43 44 00 00 00 00-\?\? \?\? \?\? \?\? -- -- -- --  ABCD....\?\?\?\?----\n" + legend);
  EXPECT(shown(api, "dc fffff801`00001000 L4") == "fffff801`00001000  44434241 00000000 \?\?\?\?\?\?\?\? --------  ABCD....\?\?\?\?----\n" + legend);
  EXPECT(shown(api, "dq fffff801`00001000 L2") == "fffff801`00001000  00000000`44434241 \?\?\?\?\?\?\?\?`\?\?\?\?\?\?\?\?\n" + legend);
  EXPECT(shown(api, "dw fffff801`00001000 L2").starts_with("fffff801`00001000  4241 4443\n"));
  CHECK_THAT(shown(api, "da fffff801`00001000 L10"), ContainsSubstring("fffff801`00001000  \"ABCD\"\n"));
}

TEST_CASE("d goes on where the last one ended, in the same way", "[console]") {
  FakeApi api;
  api.answer_with("memory.read", [](const Json& parameters) -> rpc::Answer {
    const auto length = parameters["length"].get<size_t>();
    return Json{{"parts", {{{"offset", 0}, {"length", length}, {"state", "readable"}, {"bytes", std::string(2 * length, '3')}}}}};
  });
  Console console{api};
  (void)console.execute("dd 1000 L4", false);
  EXPECT(console.execute("d", false).output.starts_with("00000000`00001010  33333333 33333333 33333333 33333333\n"));
  EXPECT(console.execute("db", false).output.starts_with("00000000`00001090  33 33"));
}

TEST_CASE("registers are drawn as the kernel debugger draws them, with the VTL in words", "[console]") {
  FakeApi api;
  test::stand_still(api);
  Json all = Json::array();
  for (const char* name : {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"})
    all.push_back(reg(name, "0x1"));
  all.push_back(reg("rip", "0xfffff80100001da0"));
  all.push_back(reg("rflags", "0x246"));
  for (const char* name : {"cs", "ss", "ds", "es", "fs", "gs"}) all.push_back(reg(name, "0x10", 16, "segment"));
  api.answer("registers", {{"registers", all}, {"active", true}, {"enabled", true}});
  EXPECT(shown(api, "r") ==
         "VP 0 VTL 1\n"
         "rax=0000000000000001 rbx=0000000000000001 rcx=0000000000000001\n"
         "rdx=0000000000000001 rsi=0000000000000001 rdi=0000000000000001\n"
         "rip=fffff80100001da0 rsp=0000000000000001 rbp=0000000000000001\n"
         " r8=0000000000000001  r9=0000000000000001 r10=0000000000000001\n"
         "r11=0000000000000001 r12=0000000000000001 r13=0000000000000001\n"
         "r14=0000000000000001 r15=0000000000000001\n"
         "iopl=0         nv up ei pl zr na pe nc\n"
         "cs=0010  ss=0010  ds=0010  es=0010  fs=0010  gs=0010             efl=00000246\n"
         "securekernel!SkiStartInVtl1:\n"
         "fffff801`00001da0 4157            push r15\n");
  EXPECT(shown(api, "r rip") == "rip=fffff80100001da0\n");
  CHECK_THAT(shown(api, "r segment"), ContainsSubstring("cs=0010\n"));
}

TEST_CASE("a stop says why, where and in which world", "[console]") {
  FakeApi api;
  test::stand_still(api);
  Json stop = test::stop("watchpoint", 4014436, 1, "Watchpoint 2: gva:0x1000+8 was written.");
  stop["change"] = {{"before", "00"}, {"after", "01"}, {"text", "00 -> 01"}};
  api.answer("run", {{"stop", stop}});
  EXPECT(shown(api, "g") ==
         "Watchpoint 2: gva:0x1000+8 was written.\n"
         "  00 -> 01\n"
         "4014436  VP 0 VTL 1 ring 0\n"
         "securekernel!SkiStartInVtl1:\n"
         "fffff801`00001da0 4157            push r15\n");
}

TEST_CASE("a stack says where it crosses into another world", "[console]") {
  FakeApi api;
  const auto frame = [](int index, int vtl, const std::string& module, const std::string& symbol, const std::string& entered) {
    return Json{{"index", index}, {"vtl", vtl}, {"ring", 0}, {"pc", test::place(0x1000, module, symbol, 5)}, {"sp", "0x2000"},
                {"entered", entered}, {"trusted", true}};
  };
  api.answer("stack", {{"frames", {frame(0, 1, "securekernel", "SkCallNormalMode", "call"), frame(1, 0, "nt", "HvlSwitchToVsmVtl1", "vtl_call")}},
                       {"why", "the outermost function"}});
  EXPECT(shown(api, "kn") ==
         " # Child-SP          RetAddr / Call Site\n"
         "--- VTL 1 ---\n"
         "00 00000000`00002000 securekernel!SkCallNormalMode+0x5\n"
         "--- VTL 0 ---\n"
         "01 00000000`00002000 nt!HvlSwitchToVsmVtl1+0x5  <- VTL call\n"
         "(the outermost function)\n");
}

TEST_CASE("the rights of both VTLs to a page stand side by side", "[console]") {
  FakeApi api;
  const Json none{{"mapped", true}, {"read", false}, {"write", false}, {"kernel_execute", false}, {"user_execute", false}};
  Json all = none;
  all["read"] = all["write"] = true;
  api.answer("slat.page", {{"rights", {none, all}}});
  EXPECT(shown(api, "!slat 5000 3") == "GPA 00000000`00005000 to 00000000`00007fff  VTL 0 -- -- --   VTL 1 rw -- --\n");
}

TEST_CASE("colours are only added to text", "[console]") {
  FakeApi api;
  test::stand_still(api);
  api.answer("run", {{"stop", test::stop("breakpoint", 4014436, 1, "Breakpoint 0.")}});
  Console console{api};
  const std::string plain = console.execute("g", false).output;
  std::string coloured = console.execute("g", true).output;
  EXPECT(coloured != plain);
  for (size_t at = coloured.find('\x1b'); at != std::string::npos; at = coloured.find('\x1b'))
    coloured.erase(at, coloured.find('m', at) + 1 - at);
  EXPECT(coloured == plain);
}
