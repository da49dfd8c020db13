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

std::optional<Trophy> look_at_secret(const Session& session, const machine::Machine& machine) {
  const char* keeper = world_of(machine) == World::Vsm ? "lsaiso.exe" : "lsass.exe";
  const ProcessList::Process* process = session.processes().find(keeper);
  if (process == nullptr) return std::nullopt;
  Trophy trophy{process->name, process->pid, process->cr3, {}};
  trophy.bytes = machine::view_memory(machine.translator(), machine.view(abi::hv::Vtl::Vtl0, process->cr3),
                                      secret_address, secret_view_bytes);
  return trophy;
}

std::string verdict(World world, const std::optional<Trophy>& trophy) {
  const char* setting = world == World::Vsm              ? "With VSM"
                        : world == World::HypervisorOnly ? "With a hypervisor but without VTL 1"
                                                         : "On the bare machine";
  if (!trophy) return fmt::format("{}: the run ended before any process kept a secret.", setting);
  const size_t readable = trophy->readable();
  if (readable == 0 && world == World::Vsm) {
    return fmt::format(
        "{}: {} keeps its secret in VTL 1, and the kernel of VTL 0 cannot read one byte of the page.", setting,
        trophy->process);
  }
  return fmt::format("{}: the kernel of VTL 0 reads {} of {} bytes of the secret page of {}.", setting, readable,
                     trophy->bytes.size(), trophy->process);
}

}  // namespace cli
