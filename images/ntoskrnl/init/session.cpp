// What a session manager would start. With VSM: lsaiso.exe (trustlet 1) and vmsp.exe (trustlet 2).
// Without: lsass.exe, which keeps the same secret at the same address in ordinary memory. Then the
// same two drivers in every world.
#include <string.h>

#include "boot/debug.h"
#include "hvl/hvl.h"
#include "init/init.h"
#include "io/io.h"
#include "ps/ps.h"

namespace {

struct RunningProcess {
  EPROCESS* process;
  KTHREAD* thread;
};

// Starts a process and lets it work until it waits to be alerted.
RunningProcess start(const char* name, uint64_t trustlet_id) {
  const PS_ATTRIBUTE attribute{PS_ATTRIBUTE_SECURE_PROCESS, sizeof(uint64_t), trustlet_id, 0};
  RunningProcess p{};
  const NtStatus status =
      PspCreateUserProcess(name, &attribute, trustlet_id != 0 ? 1 : 0, &p.process, &p.thread);
  if (!succeeded(status)) {
    boot::milestone("ntoskrnl: NtCreateUserProcess {}: {:#010x}", name, status);
    return {};
  }
  boot::milestone("ntoskrnl: process {} {}{}", p.process->pid, name,
                  trustlet_id != 0 ? " (trustlet)" : "");
  PspResumeThread(p.thread);
  for (int tries = 0;
       tries < 1000 && !p.thread->waits_for_alert && p.thread->state != ThreadState::Terminated;
       ++tries)
    KeDelayExecutionThread(one_second / 100);
  if (p.thread->state == ThreadState::Terminated)
    boot::milestone("ntoskrnl: {} ended early: {:#010x}", name, p.process->exit_status);
  return p;
}

// Lets the process end and gives its pages back.
void finish(const RunningProcess& p) {
  if (p.process == nullptr) return;
  KeSetEvent(&p.thread->alert);
  KeWaitForSingleObject(&p.process->header, nullptr);
  boot::milestone("ntoskrnl: {} ended with {:#010x}", static_cast<const char*>(p.process->name),
                  p.process->exit_status);
  PspDeleteProcess(p.process);
}

// Text as text, everything else as hexadecimal digits.
std::string_view printable(const char* bytes, uint64_t length, std::span<char> out) {
  size_t used = 0;
  for (uint64_t i = 0; i < length && used + 3 < out.size(); ++i) {
    const char c = bytes[i];
    used += c >= ' ' && c < 0x7F
                ? rt::print(out.subspan(used), "{}", c).size()
                : rt::print(out.subspan(used), "\\{:02x}", static_cast<uint8_t>(c)).size();
  }
  return {out.data(), used};
}

// The agent's side of the mailbox (S71): key of build 10240 = trustlet id until the trustlet has an
// instance.
void retrieve_mailbox() {
  constexpr uint64_t vmsp_id = 2;
  constexpr uint32_t mail_tag = 0x6C69614D;
  const uint64_t key[2]{vmsp_id, 0};
  auto buffer = static_cast<char*>(ExAllocatePoolWithTag(0, 4092, mail_tag));
  uint64_t length = 4092;
  const NtStatus status = VslRetrieveMailbox(vmsp_id, key, 0, buffer, &length);
  if (succeeded(status)) {
    char text[128];
    boot::milestone("ntoskrnl: VslRetrieveMailbox: {} bytes from trustlet 2: \"{}\"", length,
                    printable(buffer, length, text));
  } else {
    boot::milestone("ntoskrnl: VslRetrieveMailbox: {:#010x}", status);
  }
  ExFreePoolWithTag(buffer, mail_tag);
}

// DriverEntry through KeTryAccess: a driver that faults ends its own start, not the system.
struct Start {
  DRIVER_OBJECT* driver;
};
NtStatus call_entry(void* context) {
  const auto start = static_cast<const Start*>(context);
  return reinterpret_cast<DRIVER_INITIALIZE>(start->driver->entry)(start->driver, nullptr);
}

void enter(DRIVER_OBJECT* driver) {
  Start context{driver};
  EXCEPTION_RECORD64 record{};
  const NtStatus status = KeTryAccess(call_entry, &context, &record);
  if (record.address == 0) {
    boot::milestone("ntoskrnl: {}: DriverEntry returned {:#010x}",
                    static_cast<const char*>(driver->name), status);
  } else if (record.address == driver->entry) {
    boot::milestone("ntoskrnl: {}: not one instruction ran: exception {} at its entry {:#x}",
                    static_cast<const char*>(driver->name), record.vector, record.address);
  } else {
    boot::milestone("ntoskrnl: {}: exception {} at {:#x}", static_cast<const char*>(driver->name),
                    record.vector, record.address);
  }
}

void run_driver(const char* name) {
  DRIVER_OBJECT driver;
  NtStatus verdict{};
  const NtStatus status = IopLoadDriver(name, DriverLoad::Validated, &driver, &verdict);
  if (!succeeded(status)) {
    boot::milestone("ntoskrnl: NtLoadDriver {}: {:#010x}{}", name, status,
                    !succeeded(verdict) ? ", refused by SKCI" : "");
    return;
  }
  boot::milestone(
      "ntoskrnl: NtLoadDriver {}: {}", name,
      HvlHvciInForce() ? "validated by SKCI" : "nobody checks signatures in this world");
  enter(&driver);
  IopUnloadDriver(&driver);
}

// S68, scenario 4: NTOS's refusal patched out, page tables made to say executable, a jump to the
// entry.
void force_driver(const char* name) {
  DRIVER_OBJECT driver;
  NtStatus verdict{};
  if (!succeeded(IopLoadDriver(name, DriverLoad::Forced, &driver, &verdict))) return;
  boot::milestone("ntoskrnl: {} loaded by force, its PTEs are executable", name);
  enter(&driver);
  IopUnloadDriver(&driver);
}

}  // namespace

void SmRunSession() {
  RunningProcess second{};
  if (HvlVsmActive()) {
    start("lsaiso.exe", 1);
    second = start("vmsp.exe", 2);
    if (second.process != nullptr) retrieve_mailbox();
  } else {
    start("lsass.exe", 0);
  }
  // Long enough for the balance set manager to come round once.
  KeDelayExecutionThread(one_second + one_second / 10);
  run_driver("thief.sys");
  run_driver("unsigned.sys");
  if (HvlHvciInForce()) force_driver("unsigned.sys");
  // One rundown is enough: the holder of the secret lives until the power goes, as LsaIso does.
  finish(second);
}
