// VMSP.EXE, trustlet 2: the host side of the virtual TPM; gives its agent a security cookie through a mailbox (S111,
// S116). The key is {2, 0}: this trustlet has no instance GUID (decisions 3).
#include <string.h>

#include "iumbase/iumbase.h"
#include "rt/startup.h"
#include "trustlets/trustlets.h"

using abi::NtStatus;
using abi::sk::PolicyId;
using abi::sk::PolicyType;

TRUSTLET_POLICY(3) = {
    trustlet::metadata(abi::sk::TrustletId::Vmsp),
    {trustlet::entry(PolicyId::Etw, PolicyType::Bool, 1), trustlet::entry(PolicyId::Debug, PolicyType::UInt32, 0),
     trustlet::entry(PolicyId::CrashDump, PolicyType::Bool, 0)}};

static void require(bool good, uint32_t step) {
  if (!good) trustlet::exit_process(static_cast<NtStatus>(0xE0000000 | step));
}

// In a mailbox of 8 bytes of text and 8 of secret.
struct Cookie {
  char text[8];
  uint8_t value[8];
};

static NtStatus last_error() {
  uint32_t value;
  asm volatile("movl %%gs:0x68, %0" : "=r"(value));
  return static_cast<NtStatus>(value);
}

extern "C" void TrustletMain() {
  rt::run_static_initializers();
  uint8_t fips = 0xFF;
  require(GetFipsModeFromIumKernelState(&fips) != 0 && fips <= 1, 1);

  static Cookie cookie{{'C', 'O', 'O', 'K', 'I', 'E', ':', ' '}, {}};
  uint64_t seeded = 0;
  require(GetSeedFromIumKernelState(cookie.value, sizeof cookie.value, &seeded) != 0, 2);
  require(seeded == sizeof cookie.value, 3);
  require(PostMailbox(0, &cookie, sizeof cookie) != 0, 4);
  // S69: a filled slot must be retrieved before it is used again.
  require(PostMailbox(0, &cookie, sizeof cookie) == 0 && last_error() == NtStatus::MailboxSlotFull, 5);
  // S73: putting into storage is trustlet 3's right.
  require(SecureStoragePut(0, &cookie, sizeof cookie) == 0 && last_error() == NtStatus::AccessDenied, 6);

  // S96: no registry, and the clock comes from VTL 1 itself.
  ium::Handle key = 0;
  const uint64_t object_attributes[6] = {48};
  require(NtOpenKey(&key, 0x20019, object_attributes) == NtStatus::ObjectNameNotFound, 7);
  uint64_t now = 0, frequency = 0;
  require(abi::succeeded(NtQueryPerformanceCounter(&now, &frequency)) && frequency != 0, 8);

  // NTOS keeps the handles and does not know this one: the call goes out as a system call (state 2) and comes back.
  require(NtClose(0x7FFC) == NtStatus::InvalidHandle, 9);

  trustlet::wait_for_alert();
  // The agent has retrieved the cookie meanwhile: the slot is free.
  require(PostMailbox(0, &cookie, sizeof cookie) != 0, 10);
  trustlet::exit_process(NtStatus::Success);
}
