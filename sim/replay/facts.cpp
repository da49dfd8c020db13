#include "sim/replay/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "sim/cpu/engine_name.h"
#include "sim/loader/machine_file.h"
#include "sim/loader/pe_image.h"
#include "sim/machine/semantics.h"
#include "sim/replay/disk_files.h"
#include "sim/replay/recording_format.h"
#include "sim/trace/event_names.h"

namespace replay {
namespace {

using support::Error;
using support::Result;
using support::Status;

constexpr size_t maximum_files = 4096;
constexpr size_t maximum_files_text = 512u << 10;

ImageFacts facts_of(loader::Bytes bytes) { return {loader::sha256({bytes}), bytes.size()}; }

loader::Bytes disk_bytes(const machine::DiskImage& disk) {
  return disk.read(0, static_cast<uint32_t>(disk.sectors()));
}

const char* on_off(bool value) { return value ? "true" : "false"; }
const char* launch(loader::LaunchType type) { return type == loader::LaunchType::Auto ? "auto" : "off"; }
const char* hvci_word(loader::HvciSetting setting) {
  switch (setting) {
    case loader::HvciSetting::Off: return "off";
    case loader::HvciSetting::On: return "on";
    case loader::HvciSetting::Strict: return "strict";
  }
  return "off";
}
const char* policy_word(loader::SchedulerPolicy policy) {
  switch (policy) {
    case loader::SchedulerPolicy::RoundRobin: return "round-robin";
    case loader::SchedulerPolicy::Random: return "random";
    case loader::SchedulerPolicy::Adversarial: return "adversarial";
  }
  return "round-robin";
}

/// The inside of a TOML basic string: printable ASCII is all that a command line can be.
std::string quoted(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

std::string image_text(const ImageFacts& image) { return fmt::format("{} {}", to_hex(image.hash), image.size); }

Result<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size())
    return Error{fmt::format("\"{}\" is no number", loader::printable(text.substr(0, 40)))};
  return value;
}

/// "<64 hexadecimal digits> <size>"
Result<ImageFacts> parse_image(std::string_view text) {
  ImageFacts image;
  const Error malformed{fmt::format("\"{}\" is no SHA-256 and size", loader::printable(text.substr(0, 100)))};
  if (text.size() < 66 || text[64] != ' ') return malformed;
  for (size_t i = 0; i < image.hash.size(); ++i) {
    const char* const digits = text.data() + 2 * i;
    const auto [end, failure] = std::from_chars(digits, digits + 2, image.hash[i], 16);
    if (failure != std::errc{} || end != digits + 2) return malformed;
  }
  image.size = TRY(parse_number(text.substr(65)));
  if (image.size > maximum_image) return Error{fmt::format("an image of {} bytes is too large", image.size)};
  return image;
}

std::vector<std::optional<support::EventKind>> parse_kinds(std::string_view names) {
  std::vector<std::optional<support::EventKind>> kinds;
  while (kinds.size() < 256) {
    const size_t comma = names.find(',');
    kinds.push_back(trace::event_kind(names.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    names.remove_prefix(comma + 1);
  }
  return kinds;
}

using Lines = std::multimap<std::string, std::string, std::less<>>;

Result<Lines> split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    const size_t tab = line.find('\t');
    if (end == std::string_view::npos || tab == std::string_view::npos)
      return Error{fmt::format("malformed line: \"{}\"", loader::printable(line.substr(0, 80)))};
    lines.emplace(line.substr(0, tab), line.substr(tab + 1));
    text.remove_prefix(end + 1);
  }
  return lines;
}

/// The one value of `key`.
Result<std::string> only(const Lines& lines, std::string_view key) {
  const auto [first, last] = lines.equal_range(key);
  if (first == last) return Error{fmt::format("\"{}\" is missing", key)};
  if (std::next(first) != last) return Error{fmt::format("\"{}\" is there twice", key)};
  return first->second;
}

Result<uint64_t> only_number(const Lines& lines, std::string_view key) {
  const std::string text = TRY(only(lines, key));
  return parse_number(text);
}

Result<ImageFacts> only_image(const Lines& lines, std::string_view key) {
  const std::string text = TRY(only(lines, key));
  return parse_image(text);
}

Status parse_config(const Lines& lines, loader::MachineConfig& config) {
  std::string text;
  for (const char* section : {"machine", "scheduler", "hypervisor", "boot", "limits"})
    text += fmt::format("{} = {}\n", section, TRY(only(lines, section)));
  config = TRY(loader::parse_machine_text(text, "configuration"));
  if (!config.disk.empty() || !config.firmware.empty() || !config.kernel.empty() || !config.initrd.empty())
    return Error{"the configuration names a file"};
  return support::Unit{};
}

Result<Facts> parse(std::string_view text) {
  const Lines lines = TRY(split(text));
  Facts facts;
  const uint64_t semantics = TRY(only_number(lines, "semantics"));
  facts.semantics = static_cast<uint32_t>(std::min<uint64_t>(semantics, ~uint32_t{0}));
  facts.engine = TRY(only(lines, "engine"));
  facts.program = TRY(only(lines, "program"));
  facts.point_interval = TRY(only_number(lines, "point-interval"));
  facts.embedded = TRY(only(lines, "embedded")) == "true";
  facts.firmware = TRY(only_image(lines, "firmware"));
  const std::string disk = TRY(only(lines, "disk"));
  if (disk != "none") facts.disk = TRY(parse_image(disk));
  if (lines.contains("initrd")) facts.initrd = TRY(only_image(lines, "initrd"));
  const auto [first, last] = lines.equal_range("file");
  for (auto line = first; line != last && facts.files.size() < maximum_files; ++line) {
    const size_t space = line->second.find(' ', std::min<size_t>(line->second.size(), 65));
    if (space == std::string::npos) return Error{"a file has no name"};
    facts.files.push_back({line->second.substr(space + 1), TRY(parse_image(line->second.substr(0, space)))});
  }
  const std::string kinds = TRY(only(lines, "events"));
  facts.kinds = parse_kinds(kinds);
  TRY(parse_config(lines, facts.config));
  return facts;
}

std::string difference(const char* what, const ImageFacts& recorded, const ImageFacts& here) {
  if (recorded == here) return "";
  return fmt::format("{} is not the one that was recorded: SHA-256 {} with {} bytes, recorded {} with {} bytes", what,
                     to_hex(here.hash), here.size, to_hex(recorded.hash), recorded.size);
}

/// "; other files: a, b"
std::string differing_files(const std::vector<FileFacts>& recorded, const std::vector<FileFacts>& here) {
  constexpr size_t shown = 8;
  std::vector<std::string> names;
  const auto missing_in = [&](const std::vector<FileFacts>& list, const FileFacts& file) {
    return std::find(list.begin(), list.end(), file) == list.end();
  };
  for (const FileFacts& file : recorded)
    if (missing_in(here, file)) names.push_back(loader::printable(file.path));
  for (const FileFacts& file : here)
    if (missing_in(recorded, file)) names.push_back(loader::printable(file.path));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), shown); ++i) text += (i == 0 ? "; other files: " : ", ") + names[i];
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

}  // namespace

std::string to_hex(const loader::Sha256& hash) {
  std::string text;
  for (const uint8_t byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

std::string canonical(const loader::MachineConfig& config) {
  // A new setting must be added here and to machine_file.cpp, or it would not be replayed.
  const auto& [memory_bytes, seed, gear, processors, board, clock, policy, scheduler_seed, quantum,
               maximum_vtl, child_processors, disk, firmware, kernel, initrd, append, hypervisor, vsm, secure_boot, test_signing, hvci, instruction_limit] = config;
  for (const std::string* path : {&disk, &firmware, &kernel, &initrd}) static_cast<void>(path);
  return fmt::format(
      "machine\t{{ memory = \"{}MiB\", seed = {}, gear = \"{}\", processors = {}, board = \"{}\", clock = {} }}\n"
      "scheduler\t{{ policy = \"{}\", seed = {}, quantum = {} }}\n"
      "hypervisor\t{{ maximum_vtl = {}, child_processors = {} }}\n"
      "boot\t{{ hypervisorlaunchtype = \"{}\", vsmlaunchtype = \"{}\", secure_boot = {}, test_signing = {}, hvci = "
      "\"{}\", append = \"{}\" }}\n"
      "limits\t{{ instructions = {} }}\n",
      memory_bytes >> 20, seed, gear == loader::GearSetting::Exact ? "exact" : "fast", processors,
      board == loader::Board::Pc ? "pc" : "native", clock, policy_word(policy), scheduler_seed, quantum,
      maximum_vtl, child_processors, launch(hypervisor), launch(vsm), on_off(secure_boot), on_off(test_signing), hvci_word(hvci), quoted(append),
      instruction_limit);
}

Facts facts_of(const loader::MachineConfig& config, const machine::MachineParts& parts) {
  Facts facts;
  facts.semantics = machine::semantics_version;
  facts.engine = cpu::engine_name();
  facts.config = config;
  facts.config.disk.clear();
  facts.config.firmware.clear();
  facts.config.kernel.clear();
  facts.config.initrd.clear();
  if (!parts.initrd.empty()) facts.initrd = facts_of(parts.initrd);
  facts.firmware = facts_of(parts.firmware);
  if (parts.disk) {
    facts.disk = facts_of(disk_bytes(*parts.disk));
    facts.files = files_on(disk_bytes(*parts.disk));
  }
  return facts;
}

std::string to_meta(const Facts& facts) {
  std::string text = fmt::format("events\t{}\nsemantics\t{}\nengine\t{}\nprogram\t{}\n", trace::event_kind_list(),
                                 facts.semantics, facts.engine, facts.program);
  text += fmt::format("point-interval\t{}\nembedded\t{}\n", facts.point_interval, on_off(facts.embedded));
  text += canonical(facts.config);
  text += fmt::format("firmware\t{}\n", image_text(facts.firmware));
  text += fmt::format("disk\t{}\n", facts.disk ? image_text(*facts.disk) : "none");
  if (facts.initrd) text += fmt::format("initrd\t{}\n", image_text(*facts.initrd));
  for (const FileFacts& file : facts.files) {
    if (text.size() > maximum_files_text) break;  // a disk made to burst the chunk
    text += fmt::format("file\t{} {}\n", image_text(file.image), loader::printable(file.path));
  }
  return text;
}

Result<Facts> parse_meta(loader::Bytes meta) {
  Result<Facts> facts = parse({reinterpret_cast<const char*>(meta.data()), meta.size()});
  if (!facts) return Error{fmt::format("META: {}", facts.error().message)};
  return facts;
}

std::string mismatch(const Facts& facts) {
  if (facts.semantics != machine::semantics_version)
    return fmt::format("the recording was made by a machine of semantics version {} (program {}); this program is version {}",
                       facts.semantics, loader::printable(facts.program), machine::semantics_version);
  if (facts.engine != cpu::engine_name())
    return fmt::format("the recording was made with the engine \"{}\"; this program has \"{}\"",
                       loader::printable(facts.engine), cpu::engine_name());
  return "";
}

std::string mismatch(const Facts& facts, const machine::MachineParts& parts) {
  const char* const first = facts.config.board == loader::Board::Pc ? "the kernel" : "the firmware";
  if (std::string why = difference(first, facts.firmware, facts_of(parts.firmware)); !why.empty()) return why;
  if (std::string why = difference("the initrd", facts.initrd.value_or(facts_of(loader::Bytes{})), facts_of(parts.initrd));
      !why.empty())
    return why;
  if (facts.disk.has_value() != parts.disk.has_value())
    return facts.disk ? "the recording was made with a disk, and there is none" : "the recording was made without a disk";
  if (!facts.disk) return "";
  std::string why = difference("the disk", *facts.disk, facts_of(disk_bytes(*parts.disk)));
  if (!why.empty()) why += differing_files(facts.files, files_on(disk_bytes(*parts.disk)));
  return why;
}

}  // namespace replay
