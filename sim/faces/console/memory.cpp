// d*, e*, s: memory as a VTL sees it. `??` is what the second stage denies, `--` what is not mapped.
#include <algorithm>
#include <array>

#include "sim/faces/console/state.h"

namespace faces::console {
namespace {

constexpr uint64_t most_bytes = 1 << 20;

/// A byte and whether it is one.
struct Cell {
  uint8_t value{};
  char state{'-'};  ///< 'r' readable, '?' denied, '-' unmapped, 'd' device
};

struct Fetched {
  std::vector<Cell> cells;
  std::vector<std::string> reasons;  ///< why something was denied, each once
};

support::Result<Fetched> fetch(Invocation& command, const Location& location, uint64_t bytes) {
  if (bytes > most_bytes) return support::Error{fmt::format("{:#x} bytes are more than is shown at once, which is {:#x}", bytes, most_bytes)};
  Json parameters{{"length", bytes}};
  put(parameters, location);
  if (location.privileged) parameters["privileged"] = true;
  const Json answer = TRY(command.ask("memory.read", parameters));
  Fetched fetched{std::vector<Cell>(bytes), {}};
  for (const Json& part : list_of(answer, "parts")) {
    const uint64_t from = number_or_zero(part, "offset"), length = number_or_zero(part, "length");
    const std::string state = text_of(part, "state"), why = text_of(part, "why");
    const std::vector<uint8_t> values = bytes_of(part, "bytes");
    for (uint64_t at = 0; at < length && from + at < bytes; ++at)
      fetched.cells[from + at] = {at < values.size() ? values[at] : uint8_t{},
                                  state == "readable" && at < values.size() ? 'r' : state == "denied" ? '?' : state == "device" ? 'd' : '-'};
    if (state == "denied" && !why.empty() && std::ranges::find(fetched.reasons, why) == fetched.reasons.end())
      fetched.reasons.push_back(why);
  }
  return fetched;
}

/// The letter that stands for an element of which a byte is missing; nothing if all are there.
std::optional<char> missing(std::span<const Cell> cells) {
  for (const Cell& cell : cells)
    if (cell.state != 'r') return cell.state == '?' ? '?' : '-';
  return std::nullopt;
}

uint64_t value_of(std::span<const Cell> cells) {
  uint64_t value = 0;
  for (size_t at = cells.size(); at-- > 0;) value = value << 8 | cells[at].value;
  return value;
}

char printable(const Cell& cell) {
  if (cell.state != 'r') return cell.state == '?' ? '?' : '-';
  return cell.value >= 0x20 && cell.value < 0x7f ? static_cast<char>(cell.value) : '.';
}

/// How an element is written.
struct Shape {
  uint64_t element, elements_a_row;
  bool text, split;  ///< characters beside it; 64 bits with a ` in the middle
};

Shape shape_of(std::string_view command) {
  if (command == "dw") return {2, 8, false, false};
  if (command == "dd") return {4, 4, false, false};
  if (command == "dc") return {4, 4, true, false};
  if (command == "dq" || command == "dp") return {8, 2, false, true};
  return {1, 16, true, false};
}

std::string element_text(const Invocation& command, const Shape& shape, std::span<const Cell> cells) {
  if (const auto mark = missing(cells)) {
    std::string text(2 * shape.element, *mark);
    if (shape.split) text.insert(8, "`");
    return *mark == '?' ? command.style.denied(text) : text;
  }
  const uint64_t value = value_of(cells);
  return shape.split ? kd_address(value) : fmt::format("{:0{}x}", value, 2 * shape.element);
}

void show_rows(Invocation& command, const Shape& shape, uint64_t address, std::span<const Cell> cells) {
  const uint64_t row = shape.element * shape.elements_a_row;
  for (uint64_t at = 0; at < cells.size(); at += row) {
    const std::span<const Cell> part = cells.subspan(at, std::min<uint64_t>(row, cells.size() - at));
    std::string text = command.style.address(kd_address(address + at)) + " ", characters;
    for (uint64_t element = 0; element < shape.elements_a_row; ++element) {
      const uint64_t begin = element * shape.element;
      if (begin >= part.size()) {
        if (shape.text) text += std::string(2 * shape.element + 1, ' ');
        continue;
      }
      const std::span<const Cell> its = part.subspan(begin, std::min<uint64_t>(shape.element, part.size() - begin));
      text += shape.element == 1 && element == 8 ? '-' : ' ';
      text += element_text(command, shape, its);
    }
    for (const Cell& cell : part) characters += printable(cell);
    command.line("{}{}{}", text, shape.text ? "  " : "", shape.text ? characters : "");
  }
}

void show_text(Invocation& command, uint64_t address, std::span<const Cell> cells, uint64_t width) {
  std::string text;
  for (uint64_t at = 0; at + width <= cells.size(); at += width) {
    const std::span<const Cell> its = cells.subspan(at, width);
    if (missing(its)) {
      if (text.empty()) text += std::string(1, *missing(its));
      break;
    }
    const uint64_t value = value_of(its);
    if (value == 0) break;
    text += value >= 0x20 && value < 0x7f ? static_cast<char>(value) : '.';
  }
  command.line("{}  \"{}\"", command.style.address(kd_address(address)), text);
}

support::Status show_symbols(Invocation& command, uint64_t address, std::span<const Cell> cells, uint64_t width) {
  for (uint64_t at = 0; at + width <= cells.size(); at += width) {
    const std::span<const Cell> its = cells.subspan(at, width);
    std::string name;
    if (!missing(its)) {
      const Json answer = TRY(command.ask("symbols.at", {{"address", hex(value_of(its))}}));
      const Json& where = object_of(answer, "place");
      if (!text_of(where, "symbol").empty()) name = command.place(where);
    }
    command.line("{}  {} {}", command.style.address(kd_address(address + at)), element_text(command, {width, 1, false, width == 8}, its), name);
  }
  return support::Unit{};
}

void say_reasons(Invocation& command, const Location& location, const Fetched& fetched) {
  for (const std::string& why : fetched.reasons) command.line("{}", command.style.denied(fmt::format("?? denied: {}", why)));
  const bool unmapped = std::ranges::any_of(fetched.cells, [](const Cell& cell) { return cell.state == '-'; });
  const bool device = std::ranges::any_of(fetched.cells, [](const Cell& cell) { return cell.state == 'd'; });
  if (unmapped) command.line("-- not mapped{}", location.space == "gva" ? " by the page tables" : "");
  if (device) command.line("-- a device: reading it could change it");
}

}  // namespace

support::Status display(Invocation& command) {
  std::string how = command.spelling();
  if (how == "d") how = command.memory.dump_command;
  const bool symbols = how.size() == 3, text = how == "da" || how == "du";
  const uint64_t width = how == "du" ? 2 : how == "dds" ? 4 : symbols ? 8 : text ? 1 : shape_of(how).element;
  const uint64_t otherwise = text ? 256 : 128 / width;
  Range range;
  if (command.words.empty() && command.memory.dumped)
    range = {command.memory.dump_next, otherwise * width};
  else if (command.words.empty())
    return support::Error{fmt::format("{} wants an address: {} ADDRESS [L COUNT]", command.spelling(), how)};
  else
    range = TRY(command.range(width, otherwise));
  TRY(command.end_of_words());
  range.bytes = (range.bytes + width - 1) / width * width;
  const Fetched fetched = TRY(fetch(command, range.location, range.bytes));
  const uint64_t address = range.location.address;
  if (text)
    show_text(command, address, fetched.cells, width);
  else if (symbols)
    TRY(show_symbols(command, address, fetched.cells, width));
  else
    show_rows(command, shape_of(how), address, fetched.cells);
  say_reasons(command, range.location, fetched);
  command.memory.dump_command = how;
  command.memory.dump_next = range.location;
  command.memory.dump_next.address += range.bytes;
  command.memory.dumped = true;
  return support::Unit{};
}

namespace {

/// The bytes that the words of e* and s stand for. `kind` is b, w, d, q, p, a, u (za and zu: with an end).
support::Result<std::vector<uint8_t>> values(Invocation& command, std::string_view kind) {
  std::vector<uint8_t> bytes;
  if (kind.back() == 'a' || kind.back() == 'u') {
    std::string text = command.words.rest();
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') return support::Error{"a text in quotes is wanted"};
    for (const char c : text.substr(1, text.size() - 2)) {
      bytes.push_back(static_cast<uint8_t>(c));
      if (kind.back() == 'u') bytes.push_back(0);
    }
    if (kind.front() == 'z') bytes.insert(bytes.end(), kind.back() == 'u' ? 2 : 1, 0);
    return bytes;
  }
  const unsigned width = kind == "w" ? 2 : kind == "d" ? 4 : kind == "q" || kind == "p" ? 8 : 1;
  while (!command.words.empty()) {
    const std::string word = command.words.next();
    const uint64_t value = TRY(command.evaluate(word));
    if (width < 8 && value >> (8 * width) != 0) return support::Error{fmt::format("{} is more than {} bytes hold", word, width)};
    for (unsigned at = 0; at < width; ++at) bytes.push_back(static_cast<uint8_t>(value >> (8 * at)));
  }
  return bytes;
}

}  // namespace

support::Status edit(Invocation& command) {
  const Location location = TRY(command.location());
  const std::vector<uint8_t> bytes = TRY(values(command, std::string_view{command.spelling()}.substr(1)));
  if (bytes.empty()) return support::Error{fmt::format("{} wants values: {} ADDRESS VALUE ...", command.spelling(), command.spelling())};
  const Json focus = TRY(command.where());
  TRY(need_branch(command));
  Json parameters = Json::object();
  put(parameters, location);
  parameters["bytes"] = hex_bytes(bytes);
  parameters["vtl"] = number_or_zero(focus, "vtl");
  TRY(command.ask("memory.write", parameters));
  command.line("{} {} at {}", bytes.size(), bytes.size() == 1 ? "byte" : "bytes", kd_address(location.address));
  return support::Unit{};
}

support::Status search(Invocation& command) {
  std::string kind = "b";
  if (const std::string_view option = command.words.peek(); option.size() == 2 && option[0] == '-') kind = command.words.next().substr(1);
  if (std::string_view{"bwdqau"}.find(kind) == std::string_view::npos) return support::Error{fmt::format("-{} is none of -b -w -d -q -a -u", kind)};
  const Range range = TRY(command.range(1, 0));
  if (range.bytes == 0) return support::Error{"s wants a length: s ADDRESS L COUNT VALUE ..."};
  const std::vector<uint8_t> pattern = TRY(values(command, kind));
  if (pattern.empty()) return support::Error{"s wants what to look for: s ADDRESS L COUNT VALUE ..."};
  Json parameters{{"length", hex(range.bytes)}, {"pattern", hex_bytes(pattern)}};
  put(parameters, range.location);
  const Json answer = TRY(command.ask("memory.search", parameters));
  const Json& found = list_of(answer, "found");
  for (const Json& place : found) {
    Location here = range.location;
    here.address = number_in(place).value_or(0);
    const Fetched fetched = TRY(fetch(command, here, 16));
    show_rows(command, shape_of("db"), here.address, fetched.cells);
  }
  if (found.empty()) command.line("Not found.");
  if (const uint64_t skipped = number_or_zero(answer, "skipped"); skipped != 0) command.line("{:#x} bytes could not be read and were passed over.", skipped);
  return support::Unit{};
}

}  // namespace faces::console
