// stack, variables, telescope: frames, what they keep, and the words that they lie in.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "sim/debugger/views/telescope.h"
#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"
#include "sim/symbols/unwind.h"
#include "sim/symbols/variables.h"

namespace rpc {
namespace {

using debugger::View;
using debugger::views::Eye;
using support::Result;

constexpr uint64_t most_frames = 4096, frames_of_words = 64;

symbols::Stack stack_at(Desk& desk, const View& view, uint64_t maximum) {
  return symbols::stack_of(view.machine, view.focus.vp, view.focus.vtl, view.names.images(), desk.library, maximum);
}

Answer stack(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  const auto stack = stack_at(desk, view, std::clamp<uint64_t>(parameters.integer("maximum", 64), 1, most_frames));
  Json frames = Json::array();
  for (size_t i = 0; i < stack.frames.size(); ++i) {
    const symbols::Frame& frame = stack.frames[i];
    frames.push_back({{"index", i},
                      {"vtl", static_cast<unsigned>(frame.vtl)},
                      {"ring", frame.ring},
                      {"pc", to_json(view.names.place(frame.pc(), frame.cr3))},
                      {"sp", hex(frame.sp())},
                      {"entered", symbols::word_of(frame.entered)},
                      {"trusted", frame.trusted}});
  }
  return Json{{"frames", std::move(frames)}, {"why", stack.why}};
}

/// The stack up to the focus' frame.
Result<symbols::Stack, Refusal> stack_to_frame(Desk& desk, const View& view) {
  const uint64_t wanted = uint64_t{view.focus.frame} + 1;
  symbols::Stack stack = stack_at(desk, view, std::min(wanted, most_frames));
  if (stack.frames.size() >= wanted) return stack;
  return refuse(Code::NotThere, fmt::format("there is no frame {}: {}", view.focus.frame, stack.why));
}

Json variable_json(const View& view, uint64_t cr3, const symbols::Variable& variable) {
  Json json{{"name", variable.name}, {"type", variable.type}, {"value", variable.value.value_or("")}};
  json["where"] = variable.address && !variable.where.empty() ? fmt::format("{} ({})", hex(*variable.address), variable.where) : variable.where;
  if (variable.address) json["address"] = hex(*variable.address);
  json["parameter"] = variable.is_parameter;
  if (variable.is_pointer && variable.number) {
    const debugger::Place place = view.names.place(*variable.number, cr3);
    if (!place.module.empty()) json["place"] = to_json(place);
  }
  return json;
}

/// Why some of them have no value, or why there are none; empty if all is well.
std::string complaint_of(Desk& desk, const View& view, const symbols::Frame& frame, const std::vector<symbols::Variable>& variables) {
  const bool lost = std::any_of(variables.begin(), variables.end(), [](const symbols::Variable& one) { return one.lost; });
  if (lost && !view.active && frame.index == 0)
    return fmt::format("VTL {} waits, and the general registers are those of the VTL that runs: what was kept in them is not known",
                       static_cast<unsigned>(frame.vtl));
  if (lost) return "calls inside this frame may have changed registers: what was kept in them is not known";
  if (!variables.empty()) return "";
  const loader::LoadedImage* image = view.names.images().find(frame.pc(), frame.cr3);
  if (image == nullptr) return fmt::format("no image is known at {}", hex(frame.pc()));
  if (!desk.library.of(image->name).has_pdb) return fmt::format("{} has no PDB", image->name);
  return "the function has none, or is written in assembly";
}

Answer variables(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  const symbols::Stack stack = TRY(stack_to_frame(desk, view));
  const symbols::Frame& frame = stack.frames.back();
  const auto read = symbols::reader_of(view.machine, view.focus.vp, frame.vtl, frame.cr3);
  const auto variables = symbols::variables_of(frame, view.names.images(), desk.library, read);
  Json list = Json::array();
  for (const symbols::Variable& variable : variables) list.push_back(variable_json(view, frame.cr3, variable));
  Json json{{"variables", std::move(list)}};
  if (const std::string complaint = complaint_of(desk, view, frame, variables); !complaint.empty()) json["complaint"] = complaint;
  return json;
}

/// A word of the stack at which a frame goes on: behind a CALL it lies right below what was the innermost before it; an
/// interrupt or system call saved it somewhere, which is the first word that has it.
struct Return {
  uint64_t from{}, to{};  ///< addresses it may lie at
  uint64_t pc{};
};
std::vector<Return> returns_of(const symbols::Stack& stack) {
  constexpr uint64_t longest_trap_frame = 4096;
  std::vector<Return> out;
  for (size_t i = 1; i < stack.frames.size(); ++i) {
    const symbols::Frame &inner = stack.frames[i - 1], &outer = stack.frames[i];
    if (inner.vtl != outer.vtl) continue;  // the hypervisor remembers it
    const uint64_t below = outer.sp() - sizeof(uint64_t);
    if (outer.entered == symbols::Entered::Call) out.push_back({below, below, outer.pc()});
    else out.push_back({inner.sp(), inner.sp() + longest_trap_frame, outer.pc()});
  }
  return out;
}

bool returns_here(std::vector<Return>& returns, uint64_t address, uint64_t value) {
  const auto found = std::find_if(returns.begin(), returns.end(), [&](const Return& one) {
    return one.pc == value && one.from <= address && address <= one.to;
  });
  if (found == returns.end()) return false;
  returns.erase(found);  // the first word is the one
  return true;
}

Json word_json(const Eye& eye, const View& view, uint64_t address, std::vector<Return>& returns) {
  Json json{{"address", hex(address)}};
  const auto parts = debugger::views::read_memory(eye, debugger::views::Space::Gva, address, sizeof(uint64_t));
  if (parts.size() != 1 || parts.front().reach != debugger::views::Reach::Readable) {
    const bool denied = std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part.reach == debugger::views::Reach::Denied; });
    json["returns"] = false;
    json["chain"] = Json::array({denied ? "??" : "--"});
    return json;
  }
  uint64_t value = 0;
  std::memcpy(&value, parts.front().bytes.data(), sizeof value);
  json["value"] = hex(value);
  json["returns"] = returns_here(returns, address, value);
  json["chain"] = debugger::views::chain_of(eye, view.names, value);
  return json;
}

Answer telescope(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  const uint64_t count = parameters.integer("count", 32);
  const bool given = parameters.has("address");
  const auto asked = parameters.hex("address");
  if (given && !asked) return refuse(Code::InvalidParameters, "address has more than 64 bits");
  if (!given) (void)TRY(stack_to_frame(desk, view));
  const symbols::Stack stack = stack_at(desk, view, std::max<uint64_t>(frames_of_words, view.focus.frame + uint64_t{1}));
  const symbols::Frame& frame = stack.frames[given ? 0 : view.focus.frame];
  const uint64_t address = asked.value_or(frame.sp());
  const Eye eye = debugger::views::eye(view.machine, view.focus.vp, frame.vtl, frame.cr3);
  std::vector<Return> returns = returns_of(stack);
  Json words = Json::array();
  for (uint64_t i = 0; i < count && address + i * 8 >= address; ++i) words.push_back(word_json(eye, view, address + i * 8, returns));
  return Json{{"words", std::move(words)}};
}

}  // namespace

void serve_stack(Desk& desk) {
  serve(desk, "stack", stack);
  serve(desk, "variables", variables);
  serve(desk, "telescope", telescope);
}

}  // namespace rpc
