// Expressions of the debugger: any text is compiled or refused with a column inside it, and what is compiled has a value or
// none for every event.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "sim/debugger/expression.h"
#include "sim/support/check.h"

namespace {

struct Structures final : debugger::TypeSource {
  std::optional<Member> member(std::string_view, std::string_view name) const override {
    if (name == "next") return Member{.offset = 8, .bytes = 8, .pointer = true, .type = "nt!_NODE"};
    if (name == "list") return Member{.offset = 16, .type = "nt!_NODE"};
    if (name == "words") return Member{.offset = 32, .bytes = 2, .bit = 3, .bits = 5, .is_signed = true, .count = 4, .stride = 2};
    return std::nullopt;
  }
  bool has(std::string_view type) const override { return type == "nt!_NODE"; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  static const Structures types;
  for (const bool events : {true, false}) {
    const auto compiled = debugger::Expression::compile(
        text, {.names = nullptr, .types = &types, .cr3 = 0, .processors = 2, .events = events, .state = true});
    if (!compiled) {
      CHECK(!compiled.error().message.empty());
      CHECK(compiled.error().column >= 1 && compiled.error().column <= size + 1);
      continue;
    }
    const uint64_t frame[13] = {0x0001'0002'0003'0100, 5, 6};
    for (unsigned kind = 0; kind <= static_cast<unsigned>(support::EventKind::Walk); ++kind) {
      support::Event event{.at = {7}, .vp = 1, .kind = static_cast<support::EventKind>(kind), .a = 0xc, .b = 2, .text = "abc"};
      if (kind % 2 != 0) event.frame = frame;
      const debugger::Environment in{.machine = nullptr, .event = events ? &event : nullptr, .names = nullptr};
      const auto value = compiled.value().evaluate(in);
      CHECK(!value || value->type == compiled.value().type());
      CHECK(!value || value->type != debugger::ValueType::Boolean || value->number <= 1);
    }
  }
  return 0;
}
