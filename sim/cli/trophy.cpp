#include "sim/cli/trophy.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/machine/memory_view.h"

namespace cli {

World world_of(const machine::Machine& machine) {
  if (!machine.hypervisor().launched()) return World::Bare;
  return machine.hypervisor().partition().enabled(abi::hv::Vtl::Vtl1) ? World::Vsm : World::HypervisorOnly;
}

const char* word(World world) {
  switch (world) {
    case World::Bare: return "bare";
    case World::HypervisorOnly: return "hypervisor";
    case World::Vsm: return "vsm";
  }
  return "";
}

size_t Trophy::readable() const {
  return static_cast<size_t>(std::count_if(bytes.begin(), bytes.end(), [](const auto& b) { return b.has_value(); }));
}

void TrophyHunter::on(const support::Event& event) {
  if (event.vtl != abi::hv::Vtl::Vtl0) return;  // the secure kernel names its own tables, which VTL 0 cannot walk
  if (event.kind == support::EventKind::ProcessCreated) {
    const char* keeper = world_of(*machine_) == World::Vsm ? "lsaiso.exe" : "lsass.exe";
    if (event.text != keeper) return;
    process_ = event.text;
    pid_ = event.a;
    cr3_ = event.b;
    seen_.reset();
  }
  if (event.kind == support::EventKind::ProcessExited && !process_.empty() && event.a == pid_ && !seen_) {
    seen_ = look(event.at);
  }
}

Trophy TrophyHunter::look(support::Instant at) const {
  Trophy trophy{at, process_, pid_, cr3_, {}, {}};
  const mmu::AddressSpace space = machine_->view(abi::hv::Vtl::Vtl0, cr3_);
  trophy.rule = mmu::explain(machine_->translator(), space, {.address = secret_address}).rule;
  trophy.bytes = machine::view_memory(machine_->translator(), space, secret_address, secret_view_bytes);
  return trophy;
}

std::optional<Trophy> TrophyHunter::result() const {
  if (seen_ || process_.empty()) return seen_;
  return look(machine_->now());
}

std::string verdict(World world, const std::optional<Trophy>& trophy) {
  const char* setting = world == World::Vsm              ? "With VSM"
                        : world == World::HypervisorOnly ? "With a hypervisor but without VTL 1"
                                                         : "On the bare machine";
  if (!trophy) return fmt::format("{}: the run ended before any process kept a secret.", setting);
  const size_t readable = trophy->readable();
  if (readable == 0 && trophy->rule == mmu::WalkRule::SlatNoRead) {
    return fmt::format(
        "{}: {} keeps its secret in VTL 1. VTL 0 has the page in its tables and cannot read one byte of it: the second "
        "stage denies.",
        setting, trophy->process);
  }
  if (readable == 0) {
    return fmt::format("{}: {} has no readable page at the secret's address ({}).", setting, trophy->process,
                       mmu::describe(trophy->rule));
  }
  return fmt::format("{}: the kernel of VTL 0 reads {} of {} bytes of the secret page of {}.", setting, readable,
                     trophy->bytes.size(), trophy->process);
}

}  // namespace cli
