// branch.*, memory.write, registers.write: what if.
#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"
#include "sim/rpc/types.h"

namespace rpc {
namespace {

/// The branch, for who asked and for all who listen.
Answer branch_of(Desk& desk) {
  const std::string branch = desk.session.branch().value_or("");
  desk.dispatcher.notify("branch", branch.empty() ? Json::object() : Json{{"branch", branch}});
  return Json{{"branch", branch}};
}

Answer begin(Desk& desk, const Parameters& parameters) {
  TRY(or_refuse(desk.session.begin_branch(parameters.text("name"))));
  return branch_of(desk);
}

Answer end(Desk& desk, const Parameters&) {
  const debugger::Stop stop = TRY(or_refuse(desk.session.end_branch()));
  (void)branch_of(desk);
  return desk.moved(stop);
}

Refusal outside_branch() { return refuse(Code::Refused, "the run itself is not changed: begin a branch first (branch.begin)"); }

Answer write_memory(Desk& desk, const Parameters& parameters) {
  if (!desk.session.branch()) return outside_branch();
  const auto address = parameters.hex("address");
  if (!address) return refuse(Code::InvalidParameters, "address has more than 64 bits");
  debugger::Focus focus = desk.session.focus();
  focus.vtl = TRY(desk.vtl(parameters)).value_or(focus.vtl);
  const debugger::View view = TRY(or_refuse(desk.session.look(focus)));
  const auto root = TRY(desk.root(view, parameters));
  const std::vector<uint8_t> bytes = parameters.bytes("bytes");
  const std::string space = parameters.text("space");
  if (space == "gva") TRY(or_refuse(desk.session.write_memory(focus.vtl, root, abi::Gva{*address}, bytes)));
  else if (space == "gpa") TRY(or_refuse(desk.session.write_memory(focus.vtl, abi::Gpa{*address}, bytes)));
  else TRY(or_refuse(desk.session.write_memory(abi::Spa{*address}, bytes)));
  return branch_of(desk);
}

/// "0x..." of up to 128 bits.
vtl::Xmm wide_number(std::string_view text) {
  constexpr size_t digits_of_low = 16;
  text.remove_prefix(2);
  if (text.size() <= digits_of_low) return {*hex_number("0x" + std::string{text}), 0};
  const std::string_view low = text.substr(text.size() - digits_of_low), high = text.substr(0, text.size() - digits_of_low);
  return {*hex_number("0x" + std::string{low}), *hex_number("0x" + std::string{high})};
}

Answer write_register(Desk& desk, const Parameters& parameters) {
  if (!desk.session.branch()) return outside_branch();
  const std::string name = parameters.text("name");
  const auto id = debugger::find_register(name);
  if (!id) return refuse(Code::NotThere, "there is no register " + name);
  const debugger::Focus& focus = desk.session.focus();
  const uint32_t vp = TRY(desk.vp(parameters)).value_or(focus.vp);
  const abi::hv::Vtl vtl = TRY(desk.vtl(parameters)).value_or(focus.vtl);
  TRY(or_refuse(desk.session.write_register(*id, vp, vtl, wide_number(parameters.text("value")))));
  return branch_of(desk);
}

}  // namespace

void serve_branch(Desk& desk) {
  serve(desk, "branch.begin", begin);
  serve(desk, "branch.end", end);
  serve(desk, "memory.write", write_memory);
  serve(desk, "registers.write", write_register);
}

}  // namespace rpc
