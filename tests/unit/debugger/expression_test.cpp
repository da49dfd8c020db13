// The debugger's language: what texts mean, which are refused and where.
#include "tests/support/catch.h"

#include <array>
#include <cstring>

#include "abi/hv/hypercalls.h"
#include "abi/sk/tables.h"
#include "sim/debugger/event_pattern.h"
#include "sim/debugger/expression.h"
#include "tests/support/tiny_firmware.h"

using namespace debugger;
using abi::Spa;
using abi::hv::Vtl;
using support::Event;
using support::EventKind;

namespace {

/// A machine that has done nothing yet.
machine::Machine& a_machine() {
  static const std::unique_ptr<machine::Machine> machine = [] {
    loader::MachineConfig config;
    config.memory_bytes = loader::minimum_memory;
    machine::MachineParts parts;
    constexpr uint8_t code[] = {0xf4};
    parts.firmware = test::tiny_firmware(code);
    auto made = machine::Machine::create(config, std::move(parts), nullptr);
    if (!made) FAIL(made.error().message);
    return std::move(made.value());
  }();
  return *machine;
}

/// "nt!_LIST" of two members, and "nt!_NODE" that has one of it, a pointer, a bit field and an array.
struct Structures final : TypeSource {
  std::optional<Member> member(std::string_view type, std::string_view name) const override {
    if (type == "nt!_LIST" && name == "low") return Member{.offset = 0, .bytes = 4, .is_signed = true};
    if (type == "nt!_LIST" && name == "high") return Member{.offset = 4, .bytes = 4};
    if (type != "nt!_NODE") return std::nullopt;
    if (name == "list") return Member{.offset = 8, .bytes = 0, .type = "nt!_LIST"};
    if (name == "next") return Member{.offset = 16, .bytes = 8, .pointer = true, .type = "nt!_NODE"};
    if (name == "bits") return Member{.offset = 24, .bytes = 4, .bit = 4, .bits = 8};
    if (name == "words") return Member{.offset = 32, .bytes = 2, .count = 4, .stride = 2};
    return std::nullopt;
  }
  bool has(std::string_view type) const override { return type == "nt!_LIST" || type == "nt!_NODE"; }
};

std::string value_of(std::string_view text, const Event* event = nullptr) {
  const Structures types;
  const auto compiled = Expression::compile(text, {.names = nullptr, .types = &types, .processors = 2});
  if (!compiled) return "column " + std::to_string(compiled.error().column) + ": " + compiled.error().message;
  const Environment in{.machine = &a_machine(), .event = event, .vp = 0, .vtl = Vtl::Vtl0};
  const auto value = compiled.value().evaluate(in);
  if (!value) return "nothing";
  if (value->type == ValueType::Text) return std::string{value->text};
  if (value->type == ValueType::Boolean) return value->number != 0 ? "true" : "false";
  return std::to_string(value->number);
}

struct Row {
  std::string_view text, value;
};

}  // namespace

TEST_CASE("operators bind as in C") {
  constexpr Row rows[] = {
      {"1 + 2 * 3", "7"}, {"(1 + 2) * 3", "9"}, {"10 - 2 - 3", "5"}, {"1 << 4 | 3 & 2", "18"}, {"7 ^ 2 | 8", "13"},
      {"0xff", "255"}, {"0xfffff800`00000001 >> 40", "16777208"}, {"1_000", "1000"}, {"-1 >> 63", "1"}, {"~0 >> 60", "15"},
      {"100 / 7 % 5", "4"}, {"1 << 64", "0"}, {"1 < 2 == true", "true"}, {"1 == 2 or 3 >= 3", "true"},
      {"1 and 0", "false"}, {"not 1 == 2", "true"}, {"!1 == false", "true"}, {"not not 5", "true"}, {"1 || 0 && 0", "true"},
      {"\"abc\" == \"ABC\"", "true"}, {"\"abc\" != \"abd\"", "true"}, {"\"SkmmMapMdl\" ~ \"skmm*\"", "true"},
      {"\"abc\" ~ \"b\"", "false"}, {"\"abc\" contains \"B\"", "true"}, {"\"a\\\"b\"", "a\"b"},
      {"18446744073709551615 + 1", "0"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    EXPECT(value_of(row.text) == row.value);
  }
}

TEST_CASE("what has no value makes what is computed from it have none, unless the other side decides") {
  constexpr Row rows[] = {
      {"1 / 0", "nothing"}, {"1 % 0 == 1", "nothing"}, {"1 / 0 == 0 or true", "true"}, {"true or 1 / 0", "true"},
      {"1 / 0 == 0 and false", "false"}, {"1 / 0 == 0 or false", "nothing"}, {"not (1 / 0 == 0)", "nothing"},
      {"u8(spa(0xffffffffffffffff))", "nothing"}, {"u64(0x123456789000)", "nothing"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    EXPECT(value_of(row.text) == row.value);
  }
}

TEST_CASE("errors name what is wrong and the column of it") {
  constexpr Row rows[] = {
      {"", "column 1: the expression ends where a value is needed"},
      {"1 +", "column 4: the expression ends where a value is needed"},
      {"1 2", "column 3: the expression should end here"},
      {"(1", "column 3: ')' is missing here"},
      {"1 + \"a\"", "column 5: a number is needed here, and this is a text"},
      {"rax & 1 == 1", "column 7: a number is needed here, and this is a truth value"},
      {"name == 5", "column 6: a text and a number cannot be compared"},
      {"name and true", "column 1: a text is neither true nor false"},
      {"1 == foo", "column 6: 'foo' is no register, field, image or symbol known here"},
      {"nt!KeBug + 1", "column 1: nt!KeBug: no symbol of an image that is loaded here"},
      {"0x1ffffffffffffffff", "column 1: a number has at most 64 bits"},
      {"12ab", "column 1: a number ends where a word begins; hexadecimal ones begin with 0x"},
      {"\"abc", "column 1: the text does not end"},
      {"1 # 2", "column 3: '#' has no meaning here"},
      {"vp7.rax", "column 1: there is no virtual processor 7"},
      {"vtl2.rax", "column 1: a VTL is 0 or 1"},
      {"vtl1.foo", "column 6: the name of a register is needed here"},
      {"u12(5)", "column 1: there is no function 'u12'; known are u8, u16, u32, u64 and arg"},
      {"nt!_NODE(1).foo", "column 13: nt!_NODE has no member 'foo'"},
      {"event.rax", "column 7: an event has no field 'rax'"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    EXPECT(value_of(row.text) == row.value);
  }
}

TEST_CASE("a name that may be known later is told apart from a mistake") {
  const auto error_of = [](std::string_view text) { return Expression::compile(text, {}).error(); };
  EXPECT(error_of("securekernel!SkInit").unknown_name);
  EXPECT(error_of("securekernel + 5").unknown_name);
  EXPECT(!error_of("1 +").unknown_name);
}

TEST_CASE("registers and memory are those of the processor and VTL that are looked from, or of those named") {
  machine::Machine& machine = a_machine();
  const vtl::VirtualProcessor& vp = machine.processor();
  EXPECT(value_of("rip") == std::to_string(vp.context().rip));
  EXPECT(value_of("vtl0.CR3") == std::to_string(vp.contexts[Vtl::Vtl0].cr3));
  EXPECT(value_of("vtl1.cr0") == std::to_string(vp.contexts[Vtl::Vtl1].cr0));
  EXPECT(value_of("vp0.vtl0.rsp") == std::to_string(vp.contexts[Vtl::Vtl0].rsp));
  EXPECT(value_of("vp0.rbx") == std::to_string(vp.shared.gpr[vtl::Rbx]));
  EXPECT(value_of("vp1.rbx") == "nothing");  // a machine of one processor
  EXPECT(value_of("u8(rip)") == "244");
  EXPECT(value_of("u8(gpa(rip)) + u8(spa(rip)) + u8(gva(rip))") == "732");
  constexpr uint64_t node = 0x300000;
  const uint64_t words[] = {0, 0x7'fffffffe, node, 0xabc5, 0x0004'0003'0002'0001};
  REQUIRE(machine.memory().write(Spa{node}, std::span{reinterpret_cast<const uint8_t*>(words), sizeof words}));
  EXPECT(value_of("nt!_NODE(0x300000)") == std::to_string(node));
  EXPECT(value_of("nt!_NODE(0x300000).list") == std::to_string(node + 8));
  EXPECT(value_of("nt!_NODE(0x300000).list.low") == std::to_string(~uint64_t{1}));
  EXPECT(value_of("nt!_NODE(0x300000).next.next.list.high") == "7");
  EXPECT(value_of("nt!_NODE(0x300000).bits") == "188");
  EXPECT(value_of("nt!_NODE(0x300000).words[1 + 1]") == "3");
  EXPECT(value_of("nt!_NODE(0x300000).words") == std::to_string(node + 32));
}

TEST_CASE("fields of events have values where such events have them") {
  Event exception{.at = {77}, .vp = 1, .vtl = Vtl::Vtl1, .kind = EventKind::Exception, .a = 14, .b = 2, .c = 0x1000};
  EXPECT(value_of("kind == Exception and vector == 14", &exception) == "true");
  EXPECT(value_of("name", &exception) == "#PF");
  EXPECT(value_of("at * 10 + vp", &exception) == "771");
  EXPECT(value_of("vtl", &exception) == "1");
  EXPECT(value_of("c", &exception) == "4096");
  EXPECT(value_of("msr", &exception) == "nothing");
  EXPECT(value_of("status == 5 or vector == 14", &exception) == "true");

  const uint64_t input[2] = {~uint64_t{0}, 0x1234};
  const std::string_view block{reinterpret_cast<const char*>(input), sizeof input};
  Event call{.at = {5}, .vp = 0, .vtl = Vtl::Vtl1, .kind = EventKind::Hypercall,
             .a = static_cast<uint64_t>(abi::hv::CallCode::ModifyVtlProtectionMask), .b = 5, .text = block};
  EXPECT(value_of("name == \"ModifyVtlProtectionMask\" and status == 5", &call) == "true");
  EXPECT(value_of("code", &call) == "12");
  EXPECT(value_of("arg(\"target_partition\")", &call) == std::to_string(~uint64_t{0}));
  EXPECT(value_of("arg(\"map_flags\")", &call) == std::to_string(0x1234));
  EXPECT(value_of("arg(\"nonsense\")", &call) == "nothing");
  EXPECT(value_of("service", &call) == "nothing");
}

TEST_CASE("kinds of events are named as users name them, with names and numbers of what they are about") {
  uint64_t frame[13] = {};
  abi::sk::SkCall request{};
  request.operation = static_cast<uint8_t>(abi::sk::Operation::SecureService);
  request.code = abi::sk::secure_services[3].number;
  std::memcpy(frame, &request, sizeof request);
  const Event service{.at = {}, .vtl = Vtl::Vtl0, .kind = EventKind::VtlCall, .frame = frame};
  const Event resume{.at = {}, .vtl = Vtl::Vtl0, .kind = EventKind::VtlCall};
  const Event ium{.at = {}, .vtl = Vtl::Vtl1, .kind = EventKind::SystemCall, .a = abi::sk::nt_calls[0].number};
  const Event nt{.at = {}, .vtl = Vtl::Vtl0, .kind = EventKind::SystemCall, .a = abi::sk::nt_calls[0].number};
  const Event msr{.at = {}, .kind = EventKind::MsrWrite, .a = 0x40000000};
  const Event trustlet{.at = {}, .vtl = Vtl::Vtl1, .kind = EventKind::ProcessCreated, .text = "lsaiso.exe"};
  struct Match {
    std::string pattern;
    const Event& event;
    bool matches;
  };
  const std::string name = abi::sk::secure_services[3].name;
  const std::vector<Match> rows{
      {"vtl-call", service, true}, {"vtl-call", ium, false}, {"secure-service", service, true},
      {"secure-service", resume, false}, {"secure-service=" + name, service, true},
      {"secure-service=" + name.substr(0, name.size() - 1) + "*", service, true},
      {"secure-service=" + std::to_string(request.code), service, true}, {"secure-service=9999", service, false},
      {"ium-call", ium, true}, {"ium-call", nt, false}, {"system-call", nt, true},
      {std::string{"ium-call="} + abi::sk::nt_calls[0].name, ium, true}, {"msr=0x40000000", msr, true},
      {"msr=GuestOsId", msr, true}, {"msr=0x40000001", msr, false}, {"trustlet-start", trustlet, true},
      {"trustlet-start=LSA", trustlet, true}, {"trustlet-start=*.dll", trustlet, false}, {"process-start", trustlet, false},
  };
  for (const Match& row : rows) {
    CAPTURE(row.pattern);
    const auto pattern = EventPattern::parse(row.pattern);
    if (!pattern) FAIL(pattern.error().message);
    EXPECT(pattern.value().matches(row.event) == row.matches);
  }
  for (const std::string_view wrong : {"", "nonsense", "vtl-call=5", "msr=Nonsense", "control-register", "control-register=dr0",
                                       "interrupt=x"}) {
    CAPTURE(wrong);
    EXPECT(!EventPattern::parse(wrong).ok());
  }
  EXPECT(EventPattern::parse("control-register=cr3").value().watched_register() == "cr3");
}

TEST_CASE("deep and long texts are refused, not followed") {
  EXPECT(value_of(std::string(2000, '(')).find("nested too deeply") != std::string::npos);
  EXPECT(value_of(std::string(2000, '-') + "1").find("nested too deeply") != std::string::npos);
  EXPECT(value_of(std::string(5000, '1')).find("at most 4096 bytes") != std::string::npos);
  std::string sum = "1";
  for (int i = 0; i < 1000; ++i) sum += "+1";
  EXPECT(value_of(sum) == "1001");
  std::string nested = "1";
  for (int i = 0; i < 25; ++i) nested = "1+(" + nested + ")";
  EXPECT(value_of(nested) == "26");
}
