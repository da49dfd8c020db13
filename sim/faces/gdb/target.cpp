#include "sim/faces/gdb/target.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/faces/gdb/hex.h"

namespace faces::gdb {

using rpc::Code;
using rpc::Json;

namespace {

constexpr uint32_t levels = 2;
/// What memory.read permits at once.
constexpr uint64_t longest_read = 1 << 20;
constexpr uint64_t page = 4096;

std::string hex(uint64_t number) { return fmt::format("{:#x}", number); }

/// "0x1f" as a number; 0 for what is none.
uint64_t number(const Json& object, std::string_view name) {
  const auto member = object.find(name);
  if (member == object.end()) return 0;
  if (member->is_number_integer()) return member->get<uint64_t>();
  if (!member->is_string()) return 0;
  std::string_view digits = member->get_ref<const std::string&>();
  if (!digits.starts_with("0x")) return 0;
  return number_from_hex(digits.substr(2)).value_or(0);
}

std::string text(const Json& object, std::string_view name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string{};
}

bool flag(const Json& object, std::string_view name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_boolean() && member->get<bool>();
}

/// A member that is an object or a list, else an empty one.
const Json& part(const Json& object, std::string_view name) {
  static const Json nothing = Json::object();
  const auto member = object.find(name);
  return member != object.end() && member->is_structured() ? *member : nothing;
}

Stop read_stop(const Json& record) {
  Stop stop;
  const Json& focus = part(record, "focus");
  stop.reason = text(record, "reason");
  stop.at = number(focus, "at");
  stop.thread = {static_cast<uint32_t>(number(focus, "vp")), static_cast<uint32_t>(number(focus, "vtl"))};
  stop.instruction = number(record, "instruction");
  for (const Json& id : part(record, "breakpoints"))
    if (id.is_number_integer()) stop.breakpoints.push_back(id.get<uint64_t>());
  stop.text = text(record, "text");
  stop.ending = text(record, "ending");
  return stop;
}

/// Little-endian bytes of a number in hexadecimal digits.
std::vector<uint8_t> little_endian(std::string_view digits, size_t bytes) {
  std::vector<uint8_t> value(bytes);
  for (size_t i = 0; i < 2 * bytes && i < digits.size(); ++i) {
    const uint8_t digit = hex_digit(digits[digits.size() - 1 - i]).value_or(0);
    value[i / 2] = static_cast<uint8_t>(value[i / 2] | (i % 2 == 0 ? digit : digit << 4));
  }
  return value;
}

}  // namespace

std::string thread_name(Thread thread) { return fmt::format("VP{}.VTL{}", thread.vp, thread.vtl); }

Done Target::connect() {
  const Json about = TRY(api_.call("hello", {{"client", "gdb"}}));
  const Json status = TRY(api_.call("status", Json::object()));
  processors_ = static_cast<uint32_t>(std::clamp<uint64_t>(number(about, "processors"), 1, 64));
  arrive({{"reason", "place"}, {"focus", part(status, "focus")}, {"instruction", number(status, "instructions")}});
  return support::Unit{};
}

void Target::moved(const Json& parameters) { arrive(parameters); }

void Target::arrive(const Json& stop) {
  stop_ = read_stop(stop);
  values_.clear();
}

Json Target::focus(Thread thread) const { return {{"at", stop_.at}, {"vp", thread.vp}, {"vtl", thread.vtl}}; }

std::vector<Thread> Target::threads() {
  std::vector<Thread> all;
  for (uint32_t vp = 0; vp < processors_; ++vp) {
    for (uint32_t vtl = 0; vtl < levels; ++vtl)
      if (vtl == 0 || exists({vp, vtl})) all.push_back({vp, vtl});
  }
  return all;
}

bool Target::exists(Thread thread) {
  if (thread.vp >= processors_ || thread.vtl >= levels) return false;
  const auto known = values(thread);
  return known.ok();
}

bool Target::active(Thread thread) {
  const auto known = values(thread);
  return known && known.value()->active;
}

std::string Target::place(Thread thread) {
  const auto rip = register_value(thread, "rip", 8);
  if (!rip || !rip.value()) return {};
  uint64_t address = 0;
  for (size_t i = 0; i < 8; ++i) address |= uint64_t{(*rip.value())[i]} << (8 * i);
  const auto answer = api_.call("symbols.at", {{"focus", focus(thread)}, {"address", hex(address)}});
  return answer ? text(part(answer.value(), "place"), "text") : hex(address);
}

Answered<const Target::Values*> Target::values(Thread thread) {
  const auto known = values_.find(thread);
  if (known != values_.end()) {
    if (known->second) return &*known->second;
    return Refusal{Code::NotThere, thread_name(thread) + " does not exist now"};
  }
  const auto answer = api_.call("registers", {{"focus", focus(thread)}});
  if (!answer) {
    values_[thread] = std::nullopt;
    return answer.error();
  }
  if (answer.value().contains("enabled") && !flag(answer.value(), "enabled")) {
    values_[thread] = std::nullopt;
    return Refusal{Code::NotThere, thread_name(thread) + " does not exist yet"};
  }
  Values values;
  values.active = flag(answer.value(), "active");
  for (const Json& row : part(answer.value(), "registers")) {
    std::string digits = text(row, "value");
    if (digits.starts_with("0x")) values.digits[text(row, "name")] = digits.substr(2);
  }
  return &*(values_[thread] = std::move(values));
}

Answered<std::optional<std::vector<uint8_t>>> Target::register_value(Thread thread, std::string_view name,
                                                                     size_t bytes) {
  const Values* known = TRY(values(thread));
  const auto value = known->digits.find(name);
  if (value == known->digits.end()) return std::optional<std::vector<uint8_t>>{};
  return std::optional{little_endian(value->second, bytes)};
}

Done Target::write_register(Thread thread, std::string_view name, const std::vector<uint8_t>& value) {
  const std::string digits = to_hex(std::vector<uint8_t>{value.rbegin(), value.rend()});
  const Json parameters = {{"name", name}, {"value", "0x" + digits}, {"vtl", thread.vtl}, {"vp", thread.vp}};
  const auto answer = api_.call("registers.write", parameters);
  values_.clear();
  if (!answer) return answer.error();
  return support::Unit{};
}

Answered<Json> Target::read_parts(Thread thread, Space space, uint64_t address, uint64_t length,
                                  const std::string& process) {
  Json parameters = {{"focus", focus(thread)},
                     {"space", space == Space::Gva ? "gva" : "gpa"},
                     {"address", hex(address)},
                     {"length", std::min(length, longest_read)}};
  if (!process.empty()) parameters["process"] = process;
  const Json answer = TRY(api_.call("memory.read", parameters));
  return part(answer, "parts");
}

Answered<std::vector<uint8_t>> Target::read(Thread thread, Space space, uint64_t address, uint64_t length,
                                            const std::string& process) {
  std::vector<uint8_t> bytes;
  if (length == 0) return bytes;
  const Json parts = TRY(read_parts(thread, space, address, length, process));
  for (const Json& piece : parts) {
    const auto some = from_hex(text(piece, "bytes"));
    if (text(piece, "state") != "readable" || !some || number(piece, "offset") != bytes.size()) break;
    bytes.insert(bytes.end(), some->begin(), some->end());
  }
  return bytes;
}

Answered<std::vector<uint8_t>> Target::read_all(Thread thread, uint64_t address, uint64_t length,
                                                const std::string& process) {
  std::vector<uint8_t> bytes(length);
  for (uint64_t done = 0; done < length; done += longest_read) {
    const uint64_t now = std::min(longest_read, length - done);
    const Json parts = TRY(read_parts(thread, Space::Gva, address + done, now, process));
    for (const Json& piece : parts) {
      const auto some = from_hex(text(piece, "bytes"));
      const uint64_t offset = number(piece, "offset");
      if (!some || offset > now || some->size() > now - offset) continue;
      std::copy(some->begin(), some->end(), bytes.begin() + static_cast<std::ptrdiff_t>(done + offset));
    }
  }
  return bytes;
}

Done Target::write(Thread thread, Space space, uint64_t address, const std::vector<uint8_t>& bytes) {
  TRY(choose(thread));
  const auto answer = api_.call("memory.write", {{"space", space == Space::Gva ? "gva" : "gpa"},
                                                 {"address", hex(address)},
                                                 {"bytes", to_hex(bytes)},
                                                 {"vtl", thread.vtl}});
  values_.clear();
  if (!answer) return answer.error();
  return support::Unit{};
}

Answered<bool> Target::permits(Thread thread, uint64_t address, std::string_view access) {
  const Json answer = TRY(api_.call("walk", {{"focus", focus(thread)}, {"address", hex(address)}, {"access", access}}));
  return flag(answer, "granted");
}

Answered<Target::Region> Target::region(Thread thread, uint64_t address) {
  const Json parts = TRY(read_parts(thread, Space::Gva, address & ~(page - 1), longest_read, {}));
  const Json first = parts.empty() ? Json::object() : parts.front();
  Region region;
  if (text(first, "state") != "readable") {
    region.size = std::max(number(first, "length"), page);
    return region;
  }
  region.size = page;
  region.readable = true;
  region.writable = TRY(permits(thread, address, "write"));
  region.executable = TRY(permits(thread, address, "execute"));
  return region;
}

Done Target::choose(Thread thread) {
  if (thread == stop_.thread) return support::Unit{};
  const auto moved = motion("focus", {{"vp", thread.vp}, {"vtl", thread.vtl}});
  if (!moved) return moved.error();
  return support::Unit{};
}

Answered<Stop> Target::motion(std::string_view method, const Json& parameters) {
  const Json answer = TRY(api_.call(method, parameters));
  arrive(part(answer, "stop"));
  return stop_;
}

Answered<Stop> Target::step(bool back) { return motion("step", {{"kind", "into"}, {"back", back}}); }
Answered<Stop> Target::run(bool back) { return motion("run", {{"back", back}}); }

Answered<uint64_t> Target::set_breakpoint(const Json& parameters) {
  const Json answer = TRY(api_.call("breakpoint.set", parameters));
  return number(part(answer, "breakpoint"), "id");
}

void Target::remove_breakpoint(uint64_t id) { (void)api_.call("breakpoint.remove", {{"id", id}}); }

Answered<std::vector<Module>> Target::modules(Thread thread) {
  const Json answer = TRY(api_.call("modules", {{"focus", focus(thread)}}));
  std::vector<Module> modules;
  for (const Json& row : part(answer, "modules"))
    modules.push_back({text(row, "name"), text(row, "file"), text(row, "process"), number(row, "base"),
                       number(row, "size"), static_cast<uint32_t>(number(row, "vtl"))});
  return modules;
}

Answered<std::vector<Symbol>> Target::symbols() {
  constexpr uint64_t most = 1'000'000;
  const Json status = TRY(api_.call("status", Json::object()));
  std::vector<Symbol> symbols;
  for (const uint64_t at : {number(status, "end"), stop_.at}) {
    const Json focus = {{"at", at}, {"vp", 0}, {"vtl", 0}};
    const Json answer = TRY(api_.call("symbols.find", {{"focus", focus}, {"pattern", "*!*"}, {"maximum", most}}));
    for (const Json& row : part(answer, "symbols")) {
      const Json& place = part(row, "place");
      symbols.push_back({text(place, "text"), number(place, "address")});
    }
  }
  return symbols;
}

Answered<Target::Said> Target::console(const std::string& line) {
  const Json answer = TRY(api_.call("console", {{"line", line}}));
  const bool has_moved = answer.contains("stop") && answer.at("stop").is_object();
  if (has_moved) arrive(answer.at("stop"));
  else values_.clear();  // whatever it did
  return Said{text(answer, "output"), has_moved};
}

}  // namespace faces::gdb
