// Memory and instructions.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/faces/dap/session.h"

namespace faces::dap {
namespace {

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint64_t most_read = 1 << 20, most_written = 64 << 10, most_instructions = 4096;

/// memoryReference and offset.
support::Result<uint64_t> address_of(const Json& arguments) {
  const auto base = number_of(arguments, "memoryReference");
  if (!base) return support::Error{"a memory reference that is no address"};
  const Json* offset = member(arguments, "offset");
  const int64_t by = offset != nullptr && offset->is_number_integer() ? offset->get<int64_t>() : 0;
  return *base + static_cast<uint64_t>(by);
}

int64_t signed_of(const Json& arguments, const char* name) {
  const Json* value = member(arguments, name);
  return value != nullptr && value->is_number_integer() ? value->get<int64_t>() : 0;
}

}  // namespace

std::string base64(const std::vector<uint8_t>& bytes) {
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - at);
    uint32_t group = 0;
    for (size_t byte = 0; byte < 3; ++byte) group = group << 8 | (byte < count ? bytes[at + byte] : 0U);
    for (size_t digit = 0; digit < 4; ++digit) text += digit <= count ? digits[group >> (18 - 6 * digit) & 63] : '=';
  }
  return text;
}

std::optional<std::vector<uint8_t>> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  while (!text.empty() && text.back() == '=' && text.size() % 4 != 2) text.remove_suffix(1);
  std::vector<uint8_t> bytes;
  uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const size_t value = digits.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    group = group << 6 | static_cast<uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<uint8_t>(group >> bits));
  }
  return bytes;
}

Session::Answer Session::read_memory(const Json& arguments) {
  const uint64_t address = TRY(address_of(arguments));
  const uint64_t count = std::min(number_or_zero(arguments, "count"), most_read);
  Json body{{"address", hex(address)}};
  if (count == 0) return body;
  const Json answer = TRY(ask("memory.read", {{"space", "gva"}, {"address", hex(address)}, {"length", count}}));
  std::vector<uint8_t> bytes;
  uint64_t unreadable = 0;
  for (const Json& part : list_of(answer, "parts")) {
    if (text_of(part, "state") != "readable") {
      unreadable = number_or_zero(part, "length");
      break;
    }
    const std::vector<uint8_t> its = bytes_of(part, "bytes");
    bytes.insert(bytes.end(), its.begin(), its.end());
  }
  if (!bytes.empty()) body["data"] = base64(bytes);
  if (unreadable != 0) body["unreadableBytes"] = unreadable;
  return body;
}

support::Status Session::need_branch() {
  const Json status = TRY(ask("status"));
  if (!text_of(status, "branch").empty()) return support::Unit{};
  const Json answer = TRY(ask("branch.begin"));
  output("important", fmt::format("A what-if branch begins here ({}): the recording stays as it is. `.branch end` in the debug console goes back to it.\n",
                                  text_of(answer, "branch")));
  return support::Unit{};
}

/// Tells the client what it must read again.
void Session::changed(std::optional<uint64_t> address, uint64_t bytes) {
  if (address && knows_memory_events_) event("memory", {{"memoryReference", hex(*address)}, {"offset", 0}, {"count", bytes}});
  if (knows_invalidated_) event("invalidated", {{"areas", {"stacks", "variables"}}});
}

Session::Answer Session::write_memory(const Json& arguments) {
  const uint64_t address = TRY(address_of(arguments));
  const auto bytes = from_base64(text_of(arguments, "data"));
  if (!bytes) return support::Error{"data that is not base64"};
  if (bytes->size() > most_written) return support::Error{fmt::format("more than {} bytes", most_written)};
  if (bytes->empty()) return Json{{"bytesWritten", 0}};
  TRY(need_branch());
  TRY(ask("memory.write", {{"space", "gva"}, {"address", hex(address)}, {"bytes", hex_bytes(*bytes)}}));
  after([this, address, count = bytes->size()] { changed(address, count); });
  return Json{{"bytesWritten", bytes->size()}};
}

Session::Answer Session::disassemble(const Json& arguments) {
  const uint64_t address = TRY(address_of(arguments));
  const uint64_t count = std::min(number_or_zero(arguments, "instructionCount"), most_instructions);
  const int64_t from = std::clamp<int64_t>(signed_of(arguments, "instructionOffset"), -static_cast<int64_t>(most_instructions), most_instructions);
  if (count == 0) return Json{{"instructions", Json::array()}};
  // Lines before the address, the line at it, lines behind it: what is asked for is a window over these.
  const uint64_t before = from < 0 ? static_cast<uint64_t>(-from) : 0;
  const int64_t behind = from + static_cast<int64_t>(count);
  Json parameters{{"address", hex(address)}, {"count", std::clamp<int64_t>(behind, 1, most_instructions)}};
  if (before != 0) parameters["before"] = before;
  const Json answer = TRY(ask("disassemble", parameters));
  const Json& lines = list_of(answer, "lines");
  const auto at_address = std::ranges::find_if(lines, [&](const Json& line) { return number_or_zero(object_of(line, "place"), "address") >= address; });
  const int64_t first = std::distance(lines.begin(), at_address) + from;
  Json list = Json::array();
  for (int64_t at = first; at < first + static_cast<int64_t>(count); ++at) {
    if (at < 0 || at >= static_cast<int64_t>(lines.size())) {  // the protocol wants as many as it asked for
      const uint64_t nowhere = at < 0 ? address - static_cast<uint64_t>(first + static_cast<int64_t>(before) - at) : address + static_cast<uint64_t>(at);
      list.push_back({{"address", hex(nowhere)}, {"instruction", "??"}, {"presentationHint", "invalid"}});
      continue;
    }
    const Json& line = lines[static_cast<size_t>(at)];
    const Json& place = object_of(line, "place");
    Json row{{"address", text_of(place, "address")}, {"instruction", text_of(line, "text")}};
    std::string spaced;
    for (const uint8_t byte : bytes_of(line, "bytes")) spaced += fmt::format("{}{:02x}", spaced.empty() ? "" : " ", byte);
    if (!spaced.empty()) row["instructionBytes"] = spaced;
    if (!text_of(place, "symbol").empty()) row["symbol"] = text_of(place, "text");
    if (const std::string file = text_of(place, "file"); !file.empty()) {
      row["location"] = source_of(file);
      row["line"] = to_client_line(number_or_zero(place, "line"));
    }
    if (text_of(line, "text") == "??") row["presentationHint"] = "invalid";
    list.push_back(std::move(row));
  }
  return Json{{"instructions", list}};
}

}  // namespace faces::dap
