#include "sim/trace/formatter.h"

#include "sim/trace/event_names.h"
#include "sim/trace/json_text.h"
#include "tests/support/catch.h"

using namespace trace;
using support::EventKind;
using Lines = std::vector<std::string>;

namespace {

InstructionRecord instruction(uint64_t tick, uint8_t level, uint64_t rip) {
  InstructionRecord record;
  record.at.ticks = tick;
  record.vtl = static_cast<abi::hv::Vtl>(level);
  record.rip = rip;
  record.length = 4;
  record.bytes = {0x48, 0x8b, 0x43, 0x08};  // mov rax, [rbx+8]
  record.registers[vtl::Rbx] = 0x2000;
  return record;
}

EventRecord event(support::Event fields, std::string text = {}) {
  EventRecord record;
  record.event = fields;
  record.text = std::move(text);
  return record;
}

Lines format(FormatOptions options, const std::vector<Record>& records) {
  loader::ImageCatalog images;
  Lines lines;
  Formatter formatter{std::move(options), images,
                      [&](std::string_view line) { lines.emplace_back(line); }};
  for (const Record& record : records)
    formatter.on(record);
  return lines;
}

const std::vector<Record>& sample() {
  static const std::vector<Record> records{
      event({.at = {1}, .kind = EventKind::ImageLoaded, .a = 0x1000, .b = 0x1000, .rip = 0x900000},
            "winload.efi"),
      instruction(5, 0, 0x1010),
      instruction(6, 1, 0x7000),
      event({.at = {7},
             .kind = EventKind::Exception,
             .a = 14,
             .b = 2,
             .c = 0x2779cbb0000,
             .rip = 0x1014}),
  };
  return records;
}

}  // namespace

TEST_CASE("Text shows bytes, disassembly, accesses and symbols") {
  EXPECT(format({}, sample()) ==
         Lines{"            1 VTL0 ImageLoaded winload.efi(base=0x1000, size=0x1000)",
               "winload+0x10:",
               "            5 VTL0 0000000000001010 48 8b 43 08                    mov rax, qword "
               "ptr [rbx + 8]  ; read 8 "
               "bytes at 0x2008",
               "            6 VTL1 0000000000007000 48 8b 43 08                    mov rax, qword "
               "ptr [rbx + 8]  ; read 8 "
               "bytes at 0x2008",
               "            7 VTL0 Exception #PF(error=0x2, cr2=0x2779cbb0000)"});
}

TEST_CASE("JSON lines carry the same facts") {
  const Lines lines = format({.json = true}, sample());
  REQUIRE(lines.size() == 4);
  EXPECT(
      lines[1] ==
      R"({"type":"instruction","tick":5,"vp":0,"vtl":0,"rip":"0x1010","bytes":"488b4308","mnemonic":"mov",)"
      R"("operands":"rax, qword ptr [rbx + 8]","symbol":"winload+0x10",)"
      R"("accesses":[{"kind":"read","address":"0x2008","size":8}]})");
  EXPECT(
      lines[3] ==
      R"({"type":"event","kind":"Exception","tick":7,"vp":0,"vtl":0,"rip":"0x1014","name":"#PF",)"
      R"("arguments":{"error":"0x2","cr2":"0x2779cbb0000"},"a":"0xe","b":"0x2","c":"0x2779cbb0000"})");
}

TEST_CASE("Filters choose by level, time, kind and image") {
  EXPECT(format({.vtl = 1}, sample()).size() == 1);
  EXPECT(format({.from = 6}, sample()).size() == 2);
  EXPECT(format({.to = 1}, sample()).size() == 1);
  EXPECT(format({.events_only = true}, sample()).size() == 2);
  for (const char* name : {"winload", "winload.efi"})
    EXPECT(format({.image = name, .json = true}, sample()).size() == 2);
  EXPECT(format({.image = "other"}, sample()).empty());
}

TEST_CASE("Registers and colours come only when they are asked for") {
  const Lines plain = format({.registers = true}, {instruction(5, 0, 0x1010)});
  REQUIRE(plain.size() == 2);
  CHECK_THAT(plain[1], Catch::Matchers::ContainsSubstring("rbx=2000"));
  for (const std::string& line : format({}, sample()))
    EXPECT(line.find('\x1b') == std::string::npos);
  CHECK_THAT(format({.colour = true}, sample())[0], Catch::Matchers::ContainsSubstring("\x1b[34m"));
}

TEST_CASE("Texts of guests cannot break lines, JSON or the terminal") {
  const std::vector<Record> records{
      event({.at = {1}, .kind = EventKind::DebugPrint}, "a\"b\\c\n\x1b[2J\xff{}")};
  EXPECT(format({}, records) == Lines{"            1 VTL0 DebugPrint a\"b\\c\\x0a\\x1b[2J\\xff{}"});
  EXPECT(json_quote("a\"b\\\n\xff") == "\"a\\\"b\\\\\\u000a\\u00ff\"");
  EXPECT(JsonLine{}.line() == "{}");
}

TEST_CASE("Every kind of event has a name and a description") {
  for (uint8_t number = 0; number < 255; ++number) {
    const auto kind = static_cast<EventKind>(number);
    const support::Event one{
        .at = {}, .kind = kind, .a = ~uint64_t{0}, .b = ~uint64_t{0}, .c = ~uint64_t{0}};
    CHECK_FALSE(to_text(one, describe(one, nullptr)).empty());
    const auto back = event_kind(name_of(kind));
    EXPECT((back == kind) == (name_of(kind) != "unknown event"));
  }
}
