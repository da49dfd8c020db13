// The handlers over a small machine: every answer is what the table says, and true.
#include <fmt/format.h>

#include "tests/support/checked_api.h"
#include "tests/support/tiny_session.h"

namespace {

using rpc::Code;
using rpc::Json;

constexpr const char* code_hex = "0x101000";

struct World {
  std::unique_ptr<rpc::Service> service{test::tiny_service()};
  test::CheckedApi api{service->api()};

  std::string register_at(uint64_t at, const std::string& name, const char* member = "value") {
    const Json focus{{"at", at}, {"vp", 0}, {"vtl", 0}};
    const Json result = api.result("registers", {{"focus", focus}});
    for (const Json& row : result["registers"])
      if (row["name"] == name) return row.value(member, "");
    FAIL("no register " << name);
    return "";
  }
  Json focus() { return api.result("status")["focus"]; }
};

}  // namespace

TEST_CASE("who says hello learns what is debugged and what works", "[rpc][session]") {
  World world;
  const Json hello = world.api.result("hello", {{"client", "test"}});
  EXPECT(hello["live"] == true);
  EXPECT(hello["processors"] == 1);
  EXPECT(hello["memory"] == rpc::Json(fmt::format("{:#x}", loader::minimum_memory)));
  for (const Json& method : hello["methods"]) EXPECT(rpc::find_method(method.get<std::string>()) != nullptr);
  EXPECT(hello["methods"].size() > 30);
}

TEST_CASE("motion goes there and back, says where, and tells who listens", "[rpc][session]") {
  World world;
  std::vector<uint64_t> heard;
  world.api.listen([&](std::string_view name, const Json& parameters) {
    if (name == "moved") heard.push_back(parameters["focus"]["at"].get<uint64_t>());
  });
  const Json there = world.api.result("focus", {{"at", 100}})["stop"];
  EXPECT(there["focus"]["at"] == 100);
  EXPECT(there["place"]["address"] == code_hex);  // 100 is a multiple of the loop's 5 instructions
  const Json back = world.api.result("step", {{"kind", "into"}, {"back", true}})["stop"];
  EXPECT(back["reason"] == "step");
  EXPECT(back["focus"]["at"] == 99);
  EXPECT(world.api.result("step", {{"kind", "into"}, {"count", 6}})["stop"]["focus"]["at"] == 105);
  EXPECT(heard == std::vector<uint64_t>{100, 99, 105});
  EXPECT(world.focus()["at"] == 105);
}

TEST_CASE("views look from any focus and move nothing", "[rpc][session]") {
  World world;
  (void)world.api.result("focus", {{"at", 50}});
  EXPECT(world.register_at(0, "rax") == "0x0");
  EXPECT(world.register_at(100, "rax") == "0x14");
  EXPECT(world.register_at(101, "rax") == "0x15");
  EXPECT(world.register_at(101, "rax", "previous") == "0x14");
  EXPECT(world.register_at(102, "rax", "previous").empty());
  EXPECT(world.register_at(0, "rax", "previous").empty());
  const Json memory = world.api.result(
      "memory.read", {{"focus", {{"at", 102}, {"vp", 0}, {"vtl", 0}}}, {"space", "gva"}, {"address", "0x7000"}, {"length", 8}});
  REQUIRE(memory["parts"].size() == 1);
  EXPECT(memory["parts"][0]["bytes"] == "1500000000000000");
  EXPECT(world.focus()["at"] == 50);
}

TEST_CASE("registers come in groups", "[rpc][session]") {
  World world;
  const Json result = world.api.result("registers", {{"groups", Json::array({"control", "sse"})}});
  for (const Json& row : result["registers"]) EXPECT((row["group"] == "control" || row["group"] == "sse"));
  EXPECT(result["registers"].size() > 16);
  EXPECT(world.api.refusal("registers", {{"groups", Json::array({"controls"})}}).code == Code::InvalidParameters);
}

TEST_CASE("memory says of each piece how it can be reached", "[rpc][session]") {
  World world;
  const uint64_t end = world.service->session().timeline().machine().memory().size();  // more than the guest has
  const Json parts = world.api.result("memory.read", {{"space", "spa"}, {"address", fmt::format("{:#x}", end - 4)}, {"length", 8}})["parts"];
  REQUIRE(parts.size() == 2);
  EXPECT(parts[0]["state"] == "readable");
  EXPECT((parts[0]["offset"] == 0 && parts[0]["length"] == 4));
  EXPECT(parts[1]["state"] == "device");
  EXPECT((parts[1]["offset"] == 4 && parts[1]["length"] == 4));
  const Json far = world.api.result("memory.read", {{"space", "gva"}, {"address", "0xfffffffffffffffc"}, {"length", 16}})["parts"];
  REQUIRE(far.size() == 1);
  EXPECT(far[0]["state"] == "unmapped");
  EXPECT(far[0]["length"] == 4);  // the address space ends there
  EXPECT(!far[0]["why"].get<std::string>().empty());
  for (const int64_t bad : {int64_t{0}, int64_t{1048577}, int64_t{-1}})
    EXPECT(world.api.refusal("memory.read", {{"space", "spa"}, {"address", "0x0"}, {"length", bad}}).code == Code::InvalidParameters);
  EXPECT(world.api.refusal("memory.read", {{"space", "gva"}, {"address", "0x10000000000000000"}, {"length", 1}}).code == Code::InvalidParameters);
  EXPECT(world.api.refusal("memory.read", {{"space", "gva"}, {"address", "0x0"}, {"length", 1}, {"process", "nobody.exe"}}).code == Code::NotThere);
}

TEST_CASE("a pattern is found wherever it begins, also across pages", "[rpc][session]") {
  World world;
  const Json whole{{"space", "spa"}, {"address", "0x101000"}, {"length", "0x1000"}, {"pattern", "48ffc0"}};
  EXPECT(world.api.result("memory.search", whole)["found"] == Json::array({code_hex}));
  // Zeros lie on both sides of a page boundary.
  const Json across = world.api.result("memory.search",
                                       {{"space", "spa"}, {"address", "0x200ffe"}, {"length", "0x6"}, {"pattern", "00000000"}, {"maximum", 9}});
  EXPECT(across["found"] == Json::array({"0x200ffe", "0x200fff", "0x201000"}));
}

TEST_CASE("code is disassembled forwards, and backwards to whole instructions", "[rpc][session]") {
  World world;
  (void)world.api.result("focus", {{"at", 103}});  // at the pop
  const Json lines = world.api.result("disassemble", {{"count", 2}, {"before", 1}})["lines"];
  REQUIRE(lines.size() == 3);
  const char* texts[] = {"push rax", "pop rbx", "jmp 0x101000"};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT(lines[i]["text"] == texts[i]);
    EXPECT(lines[i]["current"] == (i == 1));
  }
  EXPECT(lines[2]["target"]["address"] == code_hex);
  const Json many = world.api.result("disassemble", {{"count", 1}, {"before", 20}})["lines"];
  for (size_t i = 0; i + 1 < many.size(); ++i) {  // whatever they are, each begins where the one before ends
    const uint64_t address = std::stoull(many[i]["place"]["address"].get<std::string>(), nullptr, 16);
    const uint64_t next = std::stoull(many[i + 1]["place"]["address"].get<std::string>(), nullptr, 16);
    EXPECT(next - address == many[i]["bytes"].get<std::string>().size() / 2);
  }
  EXPECT(many.size() == 21);
  const Json nothing = world.api.result("disassemble", {{"address", "0xffff800000000000"}, {"count", 2}, {"before", 2}})["lines"];
  REQUIRE(nothing.size() == 2);
  EXPECT(nothing[0]["text"] == "??");
  EXPECT(nothing[0]["bytes"] == "");
}

TEST_CASE("a trail is what was executed and what will be, and looking at it moves nothing", "[rpc][session]") {
  World world;
  (void)world.api.result("focus", {{"at", 50}});
  (void)world.api.result("focus", {{"at", 12}});
  const Json trail = world.api.result("trail", {{"before", 3}, {"after", 2}});
  constexpr uint64_t offsets[] = {13, 0, 3, 11, 12};  // jmp, inc, mov; push, pop
  for (size_t i = 0; i < 5; ++i) {
    const Json& step = i < 3 ? trail["past"][i] : trail["future"][i - 3];
    EXPECT(step["at"] == 9 + i);
    EXPECT(step["address"] == fmt::format("{:#x}", 0x101000 + offsets[i]));
  }
  EXPECT(world.focus()["at"] == 12);
  EXPECT(world.api.result("trail", {{"before", 256}, {"after", 0}})["past"].size() == 12);
  EXPECT(world.api.refusal("trail", {{"before", 257}, {"after", 0}}).code == Code::InvalidParameters);
}

TEST_CASE("a walk names each reference and the rule", "[rpc][session]") {
  World world;
  const Json walk = world.api.result("walk", {{"address", code_hex}, {"access", "execute"}});
  EXPECT(walk["granted"] == true);
  EXPECT(walk["spa"] == code_hex);
  EXPECT(!walk["references"].empty());
  EXPECT(walk["rights"].size() == 1);
  const Json denied = world.api.result("walk", {{"address", "0x8000000000000000"}, {"access", "read"}});
  EXPECT(denied["granted"] == false);
  EXPECT(!denied.contains("gpa"));
}

TEST_CASE("pages of the second stage are described one by one and many at once", "[rpc][session]") {
  World world;
  EXPECT(world.api.result("slat.page", {{"gpa", "0x1000"}})["rights"][0]["read"] == true);
  EXPECT(world.api.result("slat.map", {{"gpa", "0x1000"}, {"pages", 3}})["pages"] == "1f1f1f");
  EXPECT(world.api.refusal("slat.map", {{"gpa", "0x1000000000000"}, {"pages", 3}}).code == Code::InvalidParameters);
  EXPECT(world.api.refusal("slat.map", {{"gpa", "0x1000"}, {"pages", 3}, {"vtl", 7}}).code == Code::InvalidParameters);
  (void)world.api.result("focus", {{"at", 10}});
  const Json tlb = world.api.result("tlb", {{"maximum", 1}});
  EXPECT(tlb["entries"].size() <= 1);
  EXPECT(tlb["misses"] > 0);
  EXPECT(tlb["misses"] >= tlb["used"]);  // each entry was filled by one
  EXPECT(world.api.result("tlb", {{"focus", {{"at", 0}, {"vp", 0}, {"vtl", 0}}}})["misses"] == 0);
}

TEST_CASE("who wrote memory or a register is found", "[rpc][session]") {
  World world;
  (void)world.api.result("focus", {{"at", 104}});
  const Json memory = world.api.result("who_wrote", {{"what", "memory"}, {"address", "0x7000"}});
  EXPECT(memory["found"] == true);
  EXPECT(memory["at"]["at"] == 101);
  EXPECT(memory["change"]["after"] == "1500000000000000");
  const Json rbx = world.api.result("who_wrote", {{"what", "register"}, {"register", "rbx"}});
  EXPECT(rbx["at"]["at"] == 103);
  EXPECT(world.api.result("who_wrote", {{"what", "memory"}, {"address", "0x9000"}})["found"] == false);
  EXPECT(world.api.refusal("who_wrote", {{"what", "register"}, {"register", "rzz"}}).code == Code::NotThere);
  EXPECT(world.api.refusal("who_wrote", {{"what", "register"}}).code == Code::NotThere);
  EXPECT(world.api.refusal("who_wrote", {{"what", "memory"}}).code == Code::InvalidParameters);
  EXPECT(world.api.refusal("who_wrote", {{"what", "memory"}, {"address", "0x0"}, {"length", 0}}).code == Code::InvalidParameters);
  EXPECT(world.focus()["at"] == 104);
}

TEST_CASE("events and calls of a machine without any are empty lists", "[rpc][session]") {
  World world;
  (void)world.api.result("focus", {{"at", 1000}});
  EXPECT(world.api.result("events.list", {{"from", 0}})["events"].empty());
  EXPECT(world.api.result("events.count")["count"] == 0);
  EXPECT(world.api.result("calls")["calls"].empty());
  const Json summary = world.api.result("events.summary", {{"from", 0}, {"to", 1000}, {"buckets", 3}});
  REQUIRE(summary["buckets"].size() == 3);
  uint64_t vtl0 = 0;
  for (const Json& bucket : summary["buckets"]) vtl0 += bucket["vtl0"].get<uint64_t>();
  EXPECT(vtl0 == 1000);
  EXPECT(world.api.refusal("events.summary", {{"from", 5}, {"to", 5}, {"buckets", 3}}).code == Code::InvalidParameters);
  const Json rows = world.api.result("events.summary", {{"from", 0}, {"to", 10}, {"buckets", 2}, {"by", "events"}});
  for (const Json& bucket : rows["buckets"]) EXPECT((bucket["row"] == 0 && bucket["from"] == bucket["to"]));
}

TEST_CASE("what names a processor, VTL or instant that is not there is refused", "[rpc][session]") {
  World world;
  const Json focus = GENERATE(Json{{"at", 0}, {"vp", 1}, {"vtl", 0}}, Json{{"at", 0}, {"vp", 0}, {"vtl", 3}},
                              Json{{"at", 0}, {"vp", 4294967296}, {"vtl", 0}});
  EXPECT(world.api.refusal("registers", {{"focus", focus}}).code == Code::InvalidParameters);
  EXPECT(world.api.refusal("focus", {{"vp", focus["vp"]}, {"vtl", focus["vtl"]}}).code == Code::InvalidParameters);
}

TEST_CASE("bookmarks of a live machine are kept and not saved", "[rpc][session]") {
  World world;
  EXPECT(world.api.result("bookmark.add", {{"text", "here"}})["saved"] == false);
  const Json list = world.api.result("bookmark.list")["bookmarks"];
  REQUIRE(list.size() == 1);
  EXPECT(list[0] == Json{{"id", list[0]["id"]}, {"at", 0}, {"text", "here"}});
}

TEST_CASE("names where no image is are refused or empty", "[rpc][session]") {
  World world;
  EXPECT(world.api.result("modules")["modules"].empty());
  EXPECT(world.api.result("symbols.find", {{"pattern", "*"}})["symbols"].empty());
  EXPECT(world.api.result("symbols.at", {{"address", "0x12"}})["place"]["text"] == "0x12");
  EXPECT(world.api.refusal("source", {{"file", "../../../../etc/passwd"}}).code == Code::NotThere);
  EXPECT(world.api.refusal("type", {{"name", "nt!_EPROCESS"}}).code == Code::NotThere);
  EXPECT(world.api.result("types.find", {{"pattern", "*"}})["names"].empty());
  EXPECT(world.api.result("processes")["processes"].empty());
  EXPECT(!world.api.result("stack")["frames"].empty());
}

TEST_CASE("the run itself is not written to", "[rpc][session]") {
  World world;
  EXPECT(world.api.refusal("memory.write", {{"space", "gva"}, {"address", "0x7000"}, {"bytes", "00"}}).code == Code::Refused);
  EXPECT(world.api.refusal("registers.write", {{"name", "rax"}, {"value", "0x1"}}).code == Code::Refused);
}

TEST_CASE("rows that nobody serves say so", "[rpc][session]") {
  World world;
  const Json hello = world.api.result("hello");
  for (const rpc::Method& method : rpc::methods()) {
    const bool served = std::find(hello["methods"].begin(), hello["methods"].end(), method.name) != hello["methods"].end();
    if (served || !method.parameters.empty()) continue;
    INFO(method.name);
    EXPECT(world.api.refusal(method.name).code == Code::NotImplemented);
  }
}
