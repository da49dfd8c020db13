#include "sim/debugger/processes.h"

#include <algorithm>
#include <cctype>

namespace debugger {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

}  // namespace

void ProcessList::on(const support::Event& event) {
  if (event.kind == support::EventKind::ProcessCreated) {
    processes_.push_back({std::string{event.text}, event.vtl, event.a, event.b, event.c, false});
  } else if (event.kind == support::EventKind::ProcessExited) {
    const auto gone = std::find_if(processes_.rbegin(), processes_.rend(), [&](const Process& process) {
      return process.vtl == event.vtl && process.cr3 == event.b && process.pid == event.a;
    });
    if (gone != processes_.rend()) gone->exited = true;
  }
}

const ProcessList::Process* ProcessList::find(std::string_view name, abi::hv::Vtl vtl) const {
  const auto found = std::find_if(processes_.rbegin(), processes_.rend(), [&](const Process& process) {
    return process.vtl == vtl && same_name(process.name, name);
  });
  return found == processes_.rend() ? nullptr : &*found;
}

const ProcessList::Process* ProcessList::with_cr3(uint64_t cr3, abi::hv::Vtl vtl) const {
  const auto found = std::find_if(processes_.rbegin(), processes_.rend(), [&](const Process& process) {
    return process.vtl == vtl && process.cr3 >> 12 == cr3 >> 12;
  });
  return found == processes_.rend() ? nullptr : &*found;
}

}  // namespace debugger
