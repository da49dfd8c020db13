// Runs every recipe of this folder and judges it.
#include "tests/support/catch.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "sim/loader/machine_file.h"
#include "sim/machine/event_fanout.h"
#include "sim/replay/recorder.h"
#include "sim/replay/replayer.h"
#include "sim/trace/event_names.h"
#include "tests/support/disk_variant.h"
#include "tests/support/recorder.h"

namespace {

/// What a run left behind.
struct Outcome {
  machine::StopReason stop{};
  std::string fingerprint;
  std::unique_ptr<test::Recorder> seen;
  std::unique_ptr<machine::Machine> machine;
};

machine::MachineParts build_parts() {
  machine::MachineParts parts;
  parts.firmware = test::read_file(test::guest_firmware);
  auto disk = machine::DiskImage::open(test::guest_disk);
  REQUIRE(disk.ok());
  parts.disk = std::move(disk.value());
  return parts;
}

/// Makes the run, records it to `path`, and replays the recording with verification.
Outcome run_recipe(const loader::MachineConfig& config, const std::string& path) {
  machine::MachineParts parts = build_parts();
  auto recorder = replay::Recorder::create(path, config, parts, {"regressions", uint64_t{1} << 20, false, 0});
  REQUIRE(recorder.ok());
  Outcome out;
  out.seen = std::make_unique<test::Recorder>();
  machine::EventFanout events;
  events.add(*recorder.value());
  events.add(*out.seen);
  auto machine = machine::Machine::create(config, std::move(parts), &events);
  REQUIRE(machine.ok());
  out.machine = std::move(machine.value());
  out.stop = recorder.value()->run(*out.machine, {config.instruction_limit});
  out.fingerprint = out.machine->fingerprint().to_string();
  REQUIRE(recorder.value()->close().ok());

  const auto recording = replay::Recording::open(path);
  REQUIRE(recording.ok());
  replay::Replayer replayer{recording.value(), true};
  auto again = machine::Machine::create(recording.value().facts().config, build_parts(), &replayer);
  REQUIRE(again.ok());
  replay::Subject subject{std::move(again.value())};
  replayer.run(subject, support::never);
  INFO((replayer.divergence() ? replayer.divergence()->what : std::string{}));
  EXPECT(!replayer.divergence().has_value());
  EXPECT(replayer.reached_end());
  std::remove(path.c_str());
  return out;
}

std::vector<std::string> strings(const toml::node_view<toml::node>& list) {
  std::vector<std::string> out;
  if (const auto* array = list.as_array())
    for (const auto& each : *array) out.push_back(each.value<std::string>().value());
  return out;
}

std::vector<std::string> said(const test::Recorder& seen) {
  std::vector<std::string> texts;
  for (const test::Seen& each : seen.events())
    if (each.kind() == support::EventKind::Milestone || each.kind() == support::EventKind::DebugPrint) texts.push_back(each.text);
  return texts;
}

void judge_texts(toml::table& verdict, const std::vector<std::string>& texts) {
  auto from = texts.begin();
  for (const std::string& wanted : strings(verdict["in_order"])) {
    INFO("in_order: " << wanted);
    from = std::find_if(from, texts.end(), [&](const std::string& text) { return text.find(wanted) != std::string::npos; });
    REQUIRE(from != texts.end());
  }
  for (const std::string& forbidden : strings(verdict["never"])) {
    INFO("never: " << forbidden);
    EXPECT(std::none_of(texts.begin(), texts.end(),
                        [&](const std::string& text) { return text.find(forbidden) != std::string::npos; }));
  }
}

void judge_events(toml::table& verdict, const test::Recorder& seen) {
  const auto* wanted = verdict["at_least"].as_table();
  if (wanted == nullptr) return;
  for (const auto& [name, count] : *wanted) {
    const auto kind = trace::event_kind(name.str());
    INFO("at_least: " << name.str());
    REQUIRE(kind.has_value());
    EXPECT(seen.count(*kind) >= static_cast<size_t>(count.value<int64_t>().value()));
  }
}

void judge_secret(toml::table& verdict, const Outcome& outcome) {
  const auto wanted = verdict["secret"].value<std::string>();
  if (!wanted) return;
  REQUIRE((*wanted == "unreadable" || *wanted == "readable"));
  const std::string victim = verdict["victim"].value<std::string>().value();
  uint64_t cr3 = 0;
  for (const test::Seen& each : outcome.seen->of(support::EventKind::ProcessCreated))
    if (each.text == victim && each.event.vtl == abi::hv::Vtl::Vtl0) cr3 = each.event.b;
  INFO(victim);
  REQUIRE(cr3 != 0);
  uint8_t bytes[128];
  const size_t readable = mmu::read_gva(outcome.machine->translator(), outcome.machine->view(abi::hv::Vtl::Vtl0, cr3),
                                        mmu::Gva{0x2779cbb0000}, bytes);
  EXPECT(readable == (*wanted == "readable" ? sizeof bytes : 0));
}

void refuse_unknown(const toml::table& table, const std::set<std::string_view>& known) {
  for (const auto& [key, value] : table) {
    INFO(key.str());
    REQUIRE(known.contains(key.str()));
  }
}

void run_file(const std::filesystem::path& file) {
  toml::table recipe = toml::parse_file(file.string());
  refuse_unknown(recipe, {"name", "found", "machine", "gears", "verdict"});
  auto& verdict = *recipe["verdict"].as_table();
  refuse_unknown(verdict, {"stop", "in_order", "never", "at_least", "secret", "victim"});
  REQUIRE(!recipe["name"].value<std::string>().value().empty());
  REQUIRE(!recipe["found"].value<std::string>().value().empty());
  auto config = loader::parse_machine_text(recipe["machine"].value<std::string>().value(), file.string());
  INFO((config ? std::string{} : config.error().message));
  REQUIRE(config.ok());
  const std::vector<std::string> gears = strings(recipe["gears"]);
  REQUIRE(!gears.empty());

  std::string fingerprint;
  std::vector<std::string> events;
  for (const std::string& gear : gears) {
    INFO("gear " << gear);
    config.value().gear = gear == "exact" ? loader::GearSetting::Exact : loader::GearSetting::Fast;
    const Outcome outcome = run_recipe(config.value(), "regression_" + file.stem().string() + ".air");
    EXPECT(machine::word(outcome.stop) == verdict["stop"].value<std::string>().value());
    judge_texts(verdict, said(*outcome.seen));
    judge_events(verdict, *outcome.seen);
    judge_secret(verdict, outcome);
    std::vector<std::string> described;
    for (const test::Seen& each : outcome.seen->events()) described.push_back(test::describe(each));
    if (!fingerprint.empty()) {
      EXPECT(outcome.fingerprint == fingerprint);
      EXPECT(described == events);
    }
    fingerprint = outcome.fingerprint;
    events = std::move(described);
  }
}

}  // namespace

TEST_CASE("What once went wrong does not go wrong again") {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{REGRESSIONS_FOLDER})
    if (entry.path().extension() == ".toml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  REQUIRE(!files.empty());
  for (const auto& file : files) {
    DYNAMIC_SECTION(file.stem().string()) { run_file(file); }
  }
}
