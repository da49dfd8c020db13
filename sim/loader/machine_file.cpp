#include "sim/loader/machine_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <span>

#include "sim/loader/pe_image.h"

#include "sim/loader/toml.h"

namespace loader {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

constexpr uint64_t maximum_file_size = 1u << 20;
constexpr uint64_t mebibyte = 1u << 20;

/// What a key's reader needs: the value, where messages point, and the configuration to change.
struct Reading {
  const toml::node& value;
  std::string key;
  std::string path;
  MachineConfig& config;
};

std::string place(const std::string& path, const toml::source_region& source) {
  return fmt::format("{}:{}:{}", path, source.begin.line, source.begin.column);
}

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a floating-point number";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

Error refuse(const Reading& reading, std::string_view problem, std::string_view allowed) {
  return Error{fmt::format("{}: {} {}; allowed: {}", place(reading.path, reading.value.source()),
                           reading.key, problem, allowed)};
}

Result<std::string> text(const Reading& reading, std::string_view allowed) {
  const auto* value = reading.value.as_string();
  if (value == nullptr)
    return refuse(reading, fmt::format("is {}", type_name(reading.value)), allowed);
  return value->get();
}

Result<uint64_t> whole_number(const Reading& reading, std::string_view allowed) {
  const auto* value = reading.value.as_integer();
  if (value == nullptr)
    return refuse(reading, fmt::format("is {}", type_name(reading.value)), allowed);
  if (value->get() < 0) return refuse(reading, fmt::format("is {}", value->get()), allowed);
  return static_cast<uint64_t>(value->get());
}

Status boolean(const Reading& reading, bool& out) {
  const auto* value = reading.value.as_boolean();
  if (value == nullptr)
    return refuse(reading, fmt::format("is {}", type_name(reading.value)), "true or false");
  out = value->get();
  return Unit{};
}

template <class T>
struct Choice {
  std::string_view name;
  T value;
};

template <class T, size_t N>
Status choice(const Reading& reading, const Choice<T> (&choices)[N], T& out) {
  std::string allowed;
  for (const auto& each : choices)
    allowed += fmt::format("{}\"{}\"", allowed.empty() ? "" : ", ", each.name);
  const std::string value = TRY(text(reading, allowed));
  for (const auto& each : choices) {
    if (each.name != value) continue;
    out = each.value;
    return Unit{};
  }
  return refuse(reading, fmt::format("is \"{}\"", printable(value)), allowed);
}

std::optional<uint64_t> parse_size(std::string_view size) {
  static constexpr Choice<uint64_t> units[] = {
      {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}};
  uint64_t number = 0;
  const auto [end, failure] = std::from_chars(size.data(), size.data() + size.size(), number);
  if (failure != std::errc{} || number == 0) return std::nullopt;
  const std::string_view unit = size.substr(static_cast<size_t>(end - size.data()));
  for (const auto& each : units)
    if (each.name == unit && number <= ~uint64_t{0} / each.value) return number * each.value;
  return std::nullopt;
}

Status read_memory(const Reading& reading) {
  const std::string allowed = allowed_memory_sizes();
  const std::string value = TRY(text(reading, allowed));
  const auto size = parse_memory_size(value);
  if (!size)
    return refuse(reading, fmt::format("is \"{}\"", printable(value)), allowed);
  reading.config.memory_bytes = *size;
  return Unit{};
}

Status read_seed(const Reading& reading) {
  reading.config.seed = TRY(whole_number(reading, "an integer from 0 to 2^63-1"));
  return Unit{};
}

Status bounded(const Reading& reading, uint64_t least, uint64_t most, uint32_t& out) {
  const std::string allowed = fmt::format("an integer from {} to {}", least, most);
  const uint64_t value = TRY(whole_number(reading, allowed));
  if (value < least || value > most) return refuse(reading, fmt::format("is {}", value), allowed);
  out = static_cast<uint32_t>(value);
  return Unit{};
}

Status read_processors(const Reading& reading) {
  return bounded(reading, 1, maximum_processors, reading.config.processors);
}

Status read_board(const Reading& reading) {
  static constexpr Choice<Board> boards[] = {{"native", Board::Native}, {"pc", Board::Pc}};
  return choice(reading, boards, reading.config.board);
}

Status read_clock(const Reading& reading) {
  const std::string allowed =
      fmt::format("seconds since 1970-01-01 00:00:00, from 0 to {}", maximum_clock);
  const uint64_t value = TRY(whole_number(reading, allowed));
  if (value > uint64_t{maximum_clock}) return refuse(reading, fmt::format("is {}", value), allowed);
  reading.config.clock = static_cast<int64_t>(value);
  return Unit{};
}

Status read_policy(const Reading& reading) {
  static constexpr Choice<SchedulerPolicy> policies[] = {
      {"round-robin", SchedulerPolicy::RoundRobin},
      {"random", SchedulerPolicy::Random},
      {"adversarial", SchedulerPolicy::Adversarial}};
  return choice(reading, policies, reading.config.scheduler_policy);
}

Status read_scheduler_seed(const Reading& reading) {
  reading.config.scheduler_seed = TRY(whole_number(reading, "an integer from 0 to 2^63-1"));
  return Unit{};
}

Status read_quantum(const Reading& reading) {
  return bounded(reading, minimum_quantum, maximum_quantum, reading.config.quantum);
}

Status read_gear(const Reading& reading) {
  static constexpr Choice<GearSetting> gears[] = {{"fast", GearSetting::Fast},
                                                  {"exact", GearSetting::Exact}};
  return choice(reading, gears, reading.config.gear);
}

Status read_path(const Reading& reading, std::string& out) {
  const std::string_view allowed =
      "the path of a file, absolute or relative to the machine file's folder";
  const std::string value = TRY(text(reading, allowed));
  if (value.empty()) return refuse(reading, "is empty", allowed);
  if (value.find('\0') != std::string::npos)
    return refuse(reading, "holds a NUL character", allowed);
  out = (std::filesystem::path{reading.path}.parent_path() / value).lexically_normal().string();
  return Unit{};
}
Status read_maximum_vtl(const Reading& reading) {
  return bounded(reading, 1, 2, reading.config.maximum_vtl);
}

Status read_child_processors(const Reading& reading) {
  return bounded(reading, 0, maximum_child_processors, reading.config.child_processors);
}

Status read_disk(const Reading& reading) {
  return read_path(reading, reading.config.disk);
}
Status read_firmware(const Reading& reading) {
  return read_path(reading, reading.config.firmware);
}

Status read_kernel(const Reading& reading) {
  return read_path(reading, reading.config.kernel);
}
Status read_initrd(const Reading& reading) {
  return read_path(reading, reading.config.initrd);
}
Status read_append(const Reading& reading) {
  const std::string allowed = fmt::format("printable ASCII, at most {} characters", maximum_append);
  const std::string value = TRY(text(reading, allowed));
  if (!is_command_line(value)) return refuse(reading, "is something else", allowed);
  reading.config.append = value;
  return Unit{};
}

constexpr Choice<LaunchType> launch_types[] = {{"off", LaunchType::Off},
                                               {"auto", LaunchType::Auto}};
Status read_hypervisor_launch_type(const Reading& reading) {
  return choice(reading, launch_types, reading.config.hypervisor_launch_type);
}
Status read_vsm_launch_type(const Reading& reading) {
  return choice(reading, launch_types, reading.config.vsm_launch_type);
}
Status read_secure_boot(const Reading& reading) {
  return boolean(reading, reading.config.secure_boot);
}
Status read_test_signing(const Reading& reading) {
  return boolean(reading, reading.config.test_signing);
}
Status read_hvci(const Reading& reading) {
  static constexpr Choice<HvciSetting> settings[] = {
      {"off", HvciSetting::Off}, {"on", HvciSetting::On}, {"strict", HvciSetting::Strict}};
  return choice(reading, settings, reading.config.hvci);
}

Status read_instructions(const Reading& reading) {
  reading.config.instruction_limit =
      TRY(whole_number(reading, "a count of instructions, or 0 for no limit"));
  return Unit{};
}

struct Key {
  std::string_view name;
  Status (*read)(const Reading&);
};
struct Section {
  std::string_view name;
  std::span<const Key> keys;
};
constexpr Key machine_keys[] = {{"memory", read_memory}, {"seed", read_seed}, {"gear", read_gear},
                                {"processors", read_processors}, {"board", read_board},
                                {"clock", read_clock}};
constexpr Key scheduler_keys[] = {
    {"policy", read_policy}, {"seed", read_scheduler_seed}, {"quantum", read_quantum}};
constexpr Key hypervisor_keys[] = {{"maximum_vtl", read_maximum_vtl},
                                   {"child_processors", read_child_processors}};
constexpr Key boot_keys[] = {{"disk", read_disk},
                             {"firmware", read_firmware},
                             {"kernel", read_kernel},
                             {"initrd", read_initrd},
                             {"append", read_append},
                             {"hypervisorlaunchtype", read_hypervisor_launch_type},
                             {"vsmlaunchtype", read_vsm_launch_type},
                             {"secure_boot", read_secure_boot},
                             {"test_signing", read_test_signing},
                             {"hvci", read_hvci}};
constexpr Key limit_keys[] = {{"instructions", read_instructions}};
constexpr Section sections[] = {
    {"machine", machine_keys}, {"scheduler", scheduler_keys}, {"hypervisor", hypervisor_keys}, {"boot", boot_keys}, {"limits", limit_keys}};

template <class Rows>
std::string names(const Rows& rows) {
  std::string list;
  for (const auto& row : rows)
    list += fmt::format("{}{}", list.empty() ? "" : ", ", row.name);
  return list;
}

std::string section_names() {
  std::string list;
  for (const Section& section : sections)
    list += fmt::format("{}[{}]", list.empty() ? "" : ", ", section.name);
  return list;
}

template <class Rows>
auto find(const Rows& rows, std::string_view name) {
  return std::find_if(std::begin(rows), std::end(rows),
                      [&](const auto& row) { return row.name == name; });
}

Status read_section(const Section& section, const toml::node& node, const std::string& path,
                    MachineConfig& config) {
  const toml::table* table = node.as_table();
  if (table == nullptr)
    return Error{fmt::format("{}: [{}] is {}; allowed: a table with {}", place(path, node.source()),
                             section.name, type_name(node), names(section.keys))};
  for (const auto& [name, value] : *table) {
    const auto key = find(section.keys, name.str());
    if (key == section.keys.end())
      return Error{fmt::format("{}: [{}] has an unknown key \"{}\"; allowed: {}",
                               place(path, name.source()), section.name, printable(name.str()),
                               names(section.keys))};
    TRY(key->read(Reading{value, std::string{name.str()}, path, config}));
  }
  return Unit{};
}

/// Settings that need others: those which the file does not name follow; those which it names
/// contradict.
Status settle(const toml::table& root, const std::string& path, MachineConfig& config) {
  if (const toml::node* board = root["machine"]["board"].node();
      !config.kernel.empty() && board != nullptr && config.board != Board::Pc)
    return Error{fmt::format("{}: board is \"native\", but [boot] names a kernel; allowed: \"pc\"",
                             place(path, board->source()))};
  if (!config.kernel.empty()) config.board = Board::Pc;
  const toml::node* vsm = root["boot"]["vsmlaunchtype"].node();
  const toml::node* hvci = root["boot"]["hvci"].node();
  if (config.hypervisor_launch_type == LaunchType::Off &&
      config.vsm_launch_type == LaunchType::Auto) {
    if (vsm != nullptr)
      return Error{
          fmt::format("{}: vsmlaunchtype is \"auto\", but hypervisorlaunchtype is \"off\"; "
                      "allowed: \"off\", as "
                      "no VTL exists without the hypervisor",
                      place(path, vsm->source()))};
    config.vsm_launch_type = LaunchType::Off;
  }
  if (config.vsm_launch_type == LaunchType::Off && config.hvci != HvciSetting::Off) {
    if (hvci != nullptr)
      return Error{fmt::format(
          "{}: hvci is not \"off\", but VSM is off; allowed: \"off\", as VTL 1 enforces it",
          place(path, hvci->source()))};
    config.hvci = HvciSetting::Off;
  }
  return Unit{};
}

bool gives_up(std::string_view text) {
  try {
    static_cast<void>(toml::parse(text));
  } catch (const TomlGaveUp&) {
    return true;
  } catch (const toml::parse_error&) {
  }
  return false;
}

/// The first line with which the parser gives up: it reads forwards, so whatever follows does not
/// matter.
size_t line_of_giving_up(std::string_view text) {
  std::vector<size_t> ends;
  for (size_t at = 0; at < text.size(); ++at)
    if (text[at] == '\n' || at + 1 == text.size()) ends.push_back(at + 1);
  const auto first = std::partition_point(
      ends.begin(), ends.end(), [&](size_t end) { return !gives_up(text.substr(0, end)); });
  return static_cast<size_t>(first - ends.begin()) + 1;
}

Result<toml::table> parse_toml(std::string_view text, const std::string& path) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return Error{
        fmt::format("{}: {}", place(path, error.source()), printable(error.description()))};
  } catch (const TomlGaveUp&) {
    return Error{fmt::format("{}:{}:1: this line is not TOML", path, line_of_giving_up(text))};
  }
}

}  // namespace

std::optional<uint64_t> parse_memory_size(std::string_view text) {
  const auto size = parse_size(text);
  if (!size || *size < minimum_memory || *size > maximum_memory || *size % memory_granule != 0) return std::nullopt;
  return size;
}

std::string allowed_memory_sizes() {
  return fmt::format("a size such as \"128MiB\", from {} MiB to {} MiB in steps of {} MiB",
                     minimum_memory / mebibyte, maximum_memory / mebibyte, memory_granule / mebibyte);
}

bool is_command_line(std::string_view text) {
  return text.size() <= maximum_append &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

Result<MachineConfig> parse_machine_text(std::string_view text, const std::string& path) {
  const toml::table root = TRY(parse_toml(text, path));
  MachineConfig config;
  for (const auto& [name, value] : root) {
    const auto* const section = find(sections, name.str());
    if (section == std::end(sections))
      return Error{
          fmt::format("{}: unknown section or key \"{}\"; allowed: {}", place(path, name.source()),
                      printable(name.str()), section_names())};
    TRY(read_section(*section, value, path, config));
  }
  TRY(settle(root, path, config));
  return config;
}

Result<MachineConfig> read_machine_file(const std::string& path) {
  const std::vector<uint8_t> bytes = TRY(read_file(path, maximum_file_size));
  return parse_machine_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

}  // namespace loader
