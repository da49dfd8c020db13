// What the console asks the interface for, and what it says when it is not understood.
#include <algorithm>
#include <set>

#include "sim/faces/console/console.h"
#include "tests/unit/faces/fake_api.h"

using namespace faces::console;
using Catch::Matchers::ContainsSubstring;
using test::FakeApi;

namespace {

bool asked(const FakeApi& api, const std::string& call) { return std::ranges::find(api.calls, call) != api.calls.end(); }

std::string all_calls(const FakeApi& api) {
  std::string text;
  for (const std::string& call : api.calls) text += call + "\n";
  return text;
}

}  // namespace

TEST_CASE("commands ask for what they mean", "[console]") {
  struct Row {
    std::string_view line;
    std::string call;
  };
  const Row row = GENERATE(values<Row>({
      {"g", R"(run {})"},
      {"g-", R"(run {"back":true})"},
      {"g nt!Foo+10", R"(run {"to":"nt!Foo+0x10"})"},
      {"g- 1000", R"(run {"back":true,"to":"0x1000"})"},
      {"g until kind == \"VtlCall\"", R"(run {"until":"kind == \"VtlCall\""})"},
      {"gu", R"(step {"kind":"out"})"},
      {"gu-", R"(step {"kind":"out","back":true})"},
      {"p", R"(step {"kind":"over"})"},
      {"p- 10", R"(step {"kind":"over","back":true,"count":16})"},
      {"t", R"(step {"kind":"into"})"},
      {"t- /l 2", R"(step {"kind":"into","back":true,"by":"line","count":2})"},
      {".seek 4_000_000", R"(focus {"at":4000000})"},
      {"!tt 50%", R"(focus {"at":4500000})"},
      {".seek end", R"(focus {"at":9000000})"},
      {"~0.0s", R"(focus {"vp":0,"vtl":0})"},
      {"!vtl 0", R"(focus {"vtl":0})"},
      {"~0.0 r", R"(registers {"focus":{"at":4014436,"vp":0,"vtl":0}})"},
      {"~1 k 8", R"(stack {"maximum":8,"focus":{"at":4014436,"vp":1,"vtl":1}})"},
      {"bp nt!KeBugCheckEx", R"(breakpoint.set {"kind":"code","what":"nt!KeBugCheckEx"})"},
      {"bp /1 /v 0 /p lsaiso.exe 1000 3 if rax == 10",
       R"(breakpoint.set {"temporary":true,"vtl":0,"process":"lsaiso.exe","condition":"rax == 10","kind":"code","what":"0x1000","ignore":2})"},
      {"ba w8 1000", R"(breakpoint.set {"kind":"write","what":"gva:0x1000+8"})"},
      {"ba w 10 1000", R"(breakpoint.set {"kind":"write","what":"gva:0x1000+10"})"},
      {"ba r 4 gpa:1000", R"(breakpoint.set {"kind":"access","what":"gpa:0x1000+4"})"},
      {"ba e 1 nt!Foo", R"(breakpoint.set {"kind":"code","what":"nt!Foo"})"},
      {"sxe vtl-call", R"(breakpoint.set {"kind":"event","what":"vtl-call"})"},
      {"bpe hypercall=0x0c if status != 0", R"(breakpoint.set {"condition":"status != 0","kind":"event","what":"hypercall=0x0c"})"},
      {"bpr cr3", R"(breakpoint.set {"kind":"register","what":"cr3"})"},
      {"bpv 1", R"(breakpoint.set {"kind":"vtl","what":"1"})"},
      {"bc 1", R"(breakpoint.remove {"id":1})"},
      {"bd *", R"(breakpoint.change {"id":2,"enabled":false})"},
      {"be 0-1", R"(breakpoint.change {"id":1,"enabled":true})"},
      {"bs 2 if vtl == 1", R"(breakpoint.change {"id":2,"condition":"vtl == 1"})"},
      {"db 1000 L20", R"(memory.read {"length":32,"space":"gva","address":"0x1000"})"},
      {"dd 1000 L4", R"(memory.read {"length":16,"space":"gva","address":"0x1000"})"},
      {"dq gpa:1000 100f", R"(memory.read {"length":16,"space":"gpa","address":"0x1000"})"},
      {"db /p lsaiso.exe /h gpa:1000 L1", R"(memory.read {"length":1,"space":"gpa","address":"0x1000","process":"lsaiso.exe","privileged":true})"},
      {"s -a 1000 L100 \"AB\"", R"(memory.search {"length":"0x100","pattern":"4142","space":"gva","address":"0x1000"})"},
      {"s -d 1000 L100 12345678", R"(memory.search {"length":"0x100","pattern":"78563412","space":"gva","address":"0x1000"})"},
      {"u 1000 L3", R"(disassemble {"count":3,"address":"0x1000"})"},
      {"ub 1000", R"(disassemble {"count":1,"before":8,"address":"0x1000"})"},
      {"x nt!*Create*", R"(symbols.find {"pattern":"nt!*Create*","maximum":1000})"},
      {"ln 1000", R"(symbols.at {"address":"0x1000"})"},
      {"dt nt!_EPROCESS", R"(type {"name":"nt!_EPROCESS"})"},
      {"dt nt!_EPROCESS Unique ffff`0000", R"(type {"name":"nt!_EPROCESS","address":"0xffff0000"})"},
      {"dt nt!_EPROCESS 1000", R"(type {"name":"nt!_EPROCESS","address":"0x1000"})"},
      {"dt nt!*", R"(types.find {"pattern":"nt!*"})"},
      {"? nt!Foo + 10", R"(evaluate {"expression":"nt!Foo + 0x10"})"},
      {"!pte 1000", R"(walk {"address":"0x1000","access":"read"})"},
      {"!vtop /x /p lsaiso.exe 1000", R"(walk {"address":"0x1000","access":"execute","process":"lsaiso.exe"})"},
      {"!slat 1234", R"(slat.page {"gpa":"0x1000"})"},
      {"!sk handles", R"(kernel.table {"what":"handles"})"},
      {"!mailbox", R"(kernel.table {"what":"mailboxes"})"},
      {"!who 1000 L10", R"(who_wrote {"what":"memory","length":16,"space":"gva","address":"0x1000"})"},
      {"!who reg cr3", R"(who_wrote {"what":"register","register":"cr3"})"},
      {"!who pte 1000 2", R"(who_wrote {"what":"pte","address":"0x1000","level":2})"},
      {"!who slat 5000", R"(who_wrote {"what":"slat","address":"0x5000"})"},
      {"!events -b -n 5 kind == \"Hypercall\"", R"(events.list {"maximum":5,"back":true,"query":"kind == \"Hypercall\""})"},
      {"!events -c vtl == 1", R"(events.count {"query":"vtl == 1"})"},
      {"!calls -h 10 20", R"(calls {"maximum":100,"hypercalls":true,"from":10,"to":20})"},
      {"!bookmark the theft", R"(bookmark.add {"text":"the theft"})"},
      {".dump core out.elf", R"(dump {"kind":"core","path":"out.elf"})"},
      {".dump /a out.dmp", R"(dump {"kind":"kernel","everything":true,"path":"out.dmp"})"},
      {".reload symbols", R"(reload {"folder":"symbols"})"},
      {".branch try", R"(branch.begin {"name":"try"})"},
      {".branch end", R"(branch.end {})"},
  }));
  FakeApi api;
  test::stand_still(api);
  rpc::Json breakpoint{{"id", 0},   {"kind", "code"}, {"what", "x"},       {"text", "x"},      {"ignore", 0},
                       {"hits", 0}, {"enabled", true}, {"temporary", false}, {"resolved", true}};
  rpc::Json list = rpc::Json::array();
  for (int id = 0; id < 3; ++id) {
    breakpoint["id"] = id;
    list.push_back(breakpoint);
  }
  api.answer("breakpoint.list", {{"breakpoints", list}});
  api.answer("breakpoint.change", {{"breakpoint", breakpoint}});
  Console console{api};
  (void)console.execute(row.line, false);
  INFO(row.line << "\n" << all_calls(api));
  EXPECT(asked(api, row.call));
}

TEST_CASE("what cannot be understood is answered with a sentence, and nothing is changed", "[console]") {
  struct Row {
    std::string_view line, message;
  };
  const Row row = GENERATE(values<Row>({
      {"!ptee 1000", "there is no command '!ptee'; did you mean `!pte`?"},
      {"zzzzzz", "there is no command 'zzzzzz'; `.help` lists them"},
      {"bp", "bp wants an address or symbol"},
      {"bp 1000 \"g\"", "do not run commands"},
      {"bp /z 1000", "does not know the option /z"},
      {"bp 1000 0", "begins with 1"},
      {"ba x 8 1000", "x is no access"},
      {"ba e 4 1000", "the size is 1"},
      {"ba w", "is no size"},
      {"ba w 8", "wants an address"},
      {"bc 7", "there is no breakpoint 7"},
      {"bc", "bc wants numbers of breakpoints"},
      {"bc x", "x is no number of a breakpoint"},
      {"db", "db wants an address"},
      {"db 1000 L0", "L0 is no length"},
      {"db 1000 10", "before it begins"},
      {"db 0 L1000000", "more than is shown at once"},
      {"dq 0 L8000000000000000", "is no length"},
      {"db /p", "/p wants the name of a process"},
      {"eb 1000", "eb wants values"},
      {"eb 1000 123", "123 is more than 1 bytes hold"},
      {"ea 1000 AB", "a text in quotes is wanted"},
      {"s 1000 L10", "s wants what to look for"},
      {"s -z 1000 L10 1", "-z is none of"},
      {"s 1000", "s wants a length"},
      {"x", "x wants a pattern"},
      {"dt", "dt wants a type"},
      {".seek", ".seek wants an instant"},
      {".seek 12x", "12x is no instant"},
      {".seek 101%", "is no part of a run"},
      {"!slat 1000 0", "shows 1 to"},
      {"!slat", "!slat wants a guest physical address"},
      {"!sk gnomes", "!sk knows threads"},
      {"!who", "!who wants ADDRESS"},
      {"!who spa:1000", "name it by its GPA"},
      {"!who reg", "wants the name of a register"},
      {"!events -z", "does not know -z"},
      {"!events -n", "wants a decimal number"},
      {"!vtl x", "wants the number of a VTL"},
      {".dump core", ".dump wants a file"},
      {"p 1 2", "p does not take '2'"},
      {"pa", "pa wants an address"},
      {".help bpp", "there is no command bpp; did you mean bp?"},
      {"?", "? wants an expression"},
      {"r nonsense", "there is no register or group"},
      {"bpv x", "bpv wants the number of a VTL"},
      {"g until", "until wants a query"},
  }));
  FakeApi api;
  test::stand_still(api);
  api.answer("breakpoint.list", {{"breakpoints", rpc::Json::array()}});
  api.answer("registers", {{"registers", rpc::Json::array()}, {"active", true}, {"enabled", true}});
  Console console{api};
  const Reply reply = console.execute(row.line, false);
  INFO(row.line << "\n" << reply.output << all_calls(api));
  CHECK_THAT(reply.output, ContainsSubstring(std::string{row.message}));
  EXPECT(reply.failed);
  EXPECT(std::ranges::none_of(api.calls, [](const std::string& call) {
    return call.starts_with("memory.write") || call.starts_with("branch") || call.starts_with("breakpoint.set") || call.starts_with("dump");
  }));
}

TEST_CASE("a refusal of the interface is shown, and the rest of the line is not executed", "[console]") {
  FakeApi api;
  test::stand_still(api);
  api.refuse("stack", "there is no stack here");
  Console console{api};
  const Reply reply = console.execute("k; g", false);
  EXPECT(reply.failed);
  CHECK_THAT(reply.output, ContainsSubstring("there is no stack here"));
  EXPECT(!asked(api, "run {}"));
}

TEST_CASE("editing begins a what-if branch once, and says so", "[console]") {
  FakeApi api;
  test::stand_still(api);
  api.answer("branch.begin", {{"branch", "branch 1"}});
  api.answer("memory.write", {{"branch", "branch 1"}});
  api.answer("registers.write", {{"branch", "branch 1"}});
  Console console{api};
  const Reply first = console.execute("eb 1000 41 42", false);
  CHECK_THAT(first.output, ContainsSubstring("A what-if branch begins here (branch 1): the recording stays as it is."));
  EXPECT(asked(api, R"(memory.write {"space":"gva","address":"0x1000","bytes":"4142","vtl":1})"));
  const Reply second = console.execute("r rax=5", false);
  EXPECT(second.output == "rax=0000000000000005\n");
  EXPECT(asked(api, R"(registers.write {"name":"rax","value":"0x5","vtl":1,"vp":0})"));
  EXPECT(std::ranges::count(api.calls, "branch.begin {}") == 1);
  CHECK_THAT(console.prompt(false), ContainsSubstring("[what if]"));
}

TEST_CASE("a line that another client moved is known to the prompt", "[console]") {
  FakeApi api;
  test::stand_still(api);
  Console console{api};
  EXPECT(console.prompt(false) == "0: VTL 1> ");
  api.notify("moved", test::stop("step", 5, 0));
  EXPECT(console.prompt(false) == "0: VTL 0> ");
  EXPECT(console.prompt(true) != "0: VTL 0> ");
}

TEST_CASE("stepping to a call or an address stops there, and at anything else that stops", "[console]") {
  FakeApi api;
  test::stand_still(api);
  uint64_t steps = 0;
  api.answer_with("step", [&](const rpc::Json&) -> rpc::Answer {
    rpc::Json stop = test::stop("step", 4014436 + ++steps, 1);
    stop["place"] = test::place(0x1000 + steps, "nt", "Foo", steps);
    if (steps == 20) stop["reason"] = "breakpoint";
    return rpc::Json{{"stop", stop}};
  });
  Console console{api};
  EXPECT(!console.execute("pa 1005", false).failed);
  EXPECT(steps == 5);
  const Reply reply = console.execute("ta 9999", false);
  EXPECT(steps == 20);
  REQUIRE(reply.stop);
  EXPECT((*reply.stop)["reason"] == "breakpoint");
}

TEST_CASE("g to a name that no image has yet goes there all the same, and leaves no breakpoint behind", "[console]") {
  FakeApi api;
  test::stand_still(api);
  bool resolved = false;
  api.answer_with("run", [](const rpc::Json& wanted) -> rpc::Answer {
    if (wanted.contains("to")) return rpc::Refusal{rpc::Code::NotThere, "waits for an image"};
    return rpc::Json{{"stop", test::stop("breakpoint", 7, 1, "Breakpoint 4.")}};
  });
  api.answer_with("breakpoint.set", [&](const rpc::Json& wanted) -> rpc::Answer {
    EXPECT(wanted["temporary"] == true);
    rpc::Json row{{"id", 4},    {"kind", "code"}, {"what", wanted["what"]}, {"text", ""},          {"ignore", 0},
                  {"hits", 0}, {"enabled", true}, {"temporary", true},      {"resolved", resolved}};
    return rpc::Json{{"breakpoint", row}};
  });
  Console console{api};
  const Reply there = console.execute("g vmsp!Later", false);
  EXPECT(!there.failed);
  CHECK_THAT(there.output, ContainsSubstring("Breakpoint 4."));
  EXPECT(asked(api, R"(breakpoint.remove {"id":4})"));
  resolved = true;  // it was refused for another reason: that is what is said
  const Reply refused = console.execute("g vmsp!Later", false);
  EXPECT(refused.failed);
  CHECK_THAT(refused.output, ContainsSubstring("waits for an image"));
  EXPECT(std::ranges::count(api.calls, R"(breakpoint.remove {"id":4})") == 2);
}

TEST_CASE("every command has a page, a handler, and names that nothing else has", "[console]") {
  std::set<std::string> names;
  for (const Command& command : commands()) {
    INFO(command.name);
    EXPECT(command.run != nullptr);
    EXPECT(find_command(command.name) == &command);
    EXPECT(!command.summary.empty());
    EXPECT(!command.summary.ends_with('.'));
    EXPECT((command.help.empty() || command.help.ends_with(".\n") || command.help.ends_with("\n")));
    CHECK_THAT(help_page(command), ContainsSubstring(std::string{command.summary}));
    CHECK_THAT(help_overview(), ContainsSubstring(std::string{command.summary}));
    EXPECT(names.insert(std::string{command.name}).second);
    std::string other;
    for (const char c : std::string{command.others} + " ") {
      if (c != ' ') {
        other += c;
        continue;
      }
      if (!other.empty()) EXPECT(names.insert(other).second);
      other.clear();
    }
  }
}

TEST_CASE("what could follow is completed: commands, registers, modules, symbols, events", "[console]") {
  FakeApi api;
  test::stand_still(api);
  api.answer("modules", {{"modules", {{{"name", "nt"}, {"file", "ntoskrnl.exe"}, {"base", "0x1000"}, {"size", "0x1000"}, {"vtl", 0}, {"symbols", "pdb"}}}}});
  api.answer("symbols.find", {{"symbols", {{{"place", test::place(0x1000, "nt", "KeBugCheckEx")}}}}, {"more", false}});
  api.answer("breakpoint.events", {{"kinds", {{{"name", "vtl-call"}, {"type", "a call"}, {"offset", 0}, {"size", 0}},
                                              {{"name", "msr"}, {"type", "an MSR"}, {"offset", 0}, {"size", 0}}}}});
  api.answer("registers", {{"registers", {{{"name", "rax"}, {"value", "0x0"}, {"bits", 64}, {"group", "general"}, {"shared", true}}}}, {"active", true}, {"enabled", true}});
  Console console{api};
  using Words = std::vector<std::string>;
  struct Row {
    std::string_view line;
    size_t from;
    Words words;
  };
  const Row row = GENERATE(values<Row>({{"!pt", 0, {"!pte"}},
                                        {"r; !pt", 3, {"!pte"}},
                                        {"bp n", 3, {"nt!"}},
                                        {"bp nt!KeBug", 3, {"nt!KeBugCheckEx"}},
                                        {"db @ra", 3, {"@rax"}},
                                        {"db rsp+nt!Ke", 7, {"nt!KeBugCheckEx"}},
                                        {"r ra", 2, {"rax"}},
                                        {"sxe vtl", 4, {"vtl-call"}},
                                        {".help !who", 6, {"!who"}},
                                        {"!sk mail", 4, {"mailboxes"}},
                                        {"nonsense a", 9, {}}}));
  INFO(row.line);
  const Completion completion = console.complete(row.line);
  EXPECT(completion.from == row.from);
  EXPECT(completion.words == row.words);
}
