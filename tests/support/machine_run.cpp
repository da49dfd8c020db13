#include "tests/support/machine_run.h"

#include "tests/support/catch.h"

#include <algorithm>

namespace test {

using support::EventKind;

loader::MachineConfig bare_machine() {
  loader::MachineConfig config;
  config.hypervisor_launch_type = loader::LaunchType::Off;
  config.vsm_launch_type = loader::LaunchType::Off;
  config.hvci = loader::HvciSetting::Off;
  return config;
}

loader::MachineConfig hypervisor_only() {
  loader::MachineConfig config;
  config.vsm_launch_type = loader::LaunchType::Off;
  config.hvci = loader::HvciSetting::Off;
  return config;
}

loader::MachineConfig with_vsm() { return {}; }

MachineRun::MachineRun(loader::MachineConfig config) {
  if (config.firmware.empty()) config.firmware = guest_firmware;
  if (config.disk.empty()) config.disk = guest_disk;
  machine::MachineParts parts;
  parts.firmware = read_file(config.firmware);
  if (config.disk != "none") {
    auto disk = machine::DiskImage::open(config.disk);
    if (!disk) FAIL(disk.error().message);
    parts.disk = std::move(disk.value());
  }
  auto created = machine::Machine::create(config, std::move(parts), &recorder_);
  if (!created) FAIL(created.error().message);
  machine_ = std::move(created.value());
}

machine::StopReason MachineRun::finish() {
  do {
    stop_ = machine_->run({instruction_limit});
  } while (stop_ == machine::StopReason::Requested);
  return stop_;
}

bool MachineRun::run_to_milestone(std::string_view text) {
  struct Wish {
    std::string text;
    bool granted{};
  };
  // The watcher stays; the wish does not.
  const auto wish = std::make_shared<Wish>(Wish{std::string{text}});
  recorder_.watch([this, wish](const Seen& seen) {
    if (wish->granted || seen.kind() != EventKind::Milestone || seen.text.find(wish->text) == std::string::npos) return;
    wish->granted = true;
    machine_->request_stop();
  });
  stop_ = machine_->run({instruction_limit});
  const bool reached = wish->granted;
  wish->granted = true;
  return reached;
}

uint64_t MachineRun::process_cr3(std::string_view name) const {
  const std::vector<Seen> created = recorder_.of(EventKind::ProcessCreated);
  const auto found = std::find_if(created.rbegin(), created.rend(), [&](const Seen& seen) { return seen.text == name; });
  INFO(name << "\n" << recorder_.milestones());
  REQUIRE(found != created.rend());
  return found->event.b;
}

MachineRun::Image MachineRun::image(std::string_view name) const {
  const std::vector<Seen> loaded = recorder_.of(EventKind::ImageLoaded);
  const auto found = std::find_if(loaded.rbegin(), loaded.rend(), [&](const Seen& seen) { return seen.text == name; });
  INFO(name << "\n" << recorder_.milestones());
  REQUIRE(found != loaded.rend());
  return {found->event.a, found->event.b};
}

std::string MachineRun::image_at(uint64_t address) const {
  std::string name;
  for (const Seen& seen : recorder_.of(EventKind::ImageLoaded))
    if (seen.event.a >> 63 != 0 && Image{seen.event.a, seen.event.b}.contains(address)) name = seen.text;
  return name;
}

std::string MachineRun::caller_in(abi::hv::Vtl vtl) const {
  uint64_t address = 0;
  const std::span<uint8_t> bytes{reinterpret_cast<uint8_t*>(&address), sizeof address};
  const mmu::Gva stack{machine_->processor().contexts[vtl].rsp};
  if (mmu::read_gva(machine_->translator(), machine_->view(vtl), stack, bytes) != bytes.size()) return "";
  return image_at(address);
}

InstructionCount::InstructionCount(MachineRun& run) {
  run.seen().watch([this](const Seen& seen) { on(seen); });
  run.machine().observe(this);
}

void InstructionCount::on(const Seen& seen) {
  if (seen.kind() == EventKind::ImageLoaded)
    images_.push_back({.name = seen.text, .base = seen.event.a, .size = seen.event.b, .cr3 = seen.event.c});
  if (seen.kind() == EventKind::ImageUnloaded)
    for (Loaded& image : images_)
      if (image.name == seen.text && image.base == seen.event.a) image.present = false;
}

InstructionCount::Loaded* InstructionCount::image_at(uint64_t rip, uint64_t cr3) {
  if (latest_ < images_.size() && images_[latest_].covers(rip, cr3)) return &images_[latest_];
  for (size_t i = images_.size(); i-- > 0;) {
    if (!images_[i].covers(rip, cr3)) continue;
    latest_ = i;
    return &images_[i];
  }
  return nullptr;
}

void InstructionCount::before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) {
  ++(vp.cpl() == 3 ? user_ : kernel_)[vp.active];
  Loaded* image = image_at(vp.context().rip, vp.context().cr3);
  if (image == nullptr) return;
  if (image->executed++ == 0) image->first = now;
}

support::Instant InstructionCount::first_in_image(std::string_view name) const {
  support::Instant first = support::never;
  for (const Loaded& image : images_)
    if (image.name == name) first = std::min(first, image.first);
  return first;
}

uint64_t InstructionCount::in_image(std::string_view name) const {
  uint64_t sum = 0;
  for (const Loaded& image : images_)
    if (image.name == name) sum += image.executed;
  return sum;
}

uint64_t InstructionCount::total() const {
  return in(abi::hv::Vtl::Vtl0) + in(abi::hv::Vtl::Vtl1);
}

}  // namespace test
