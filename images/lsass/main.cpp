// The ordinary holder of the secret, when there is no VSM: the same page at the same address as
// lsaiso.exe has it, in memory that every ring-0 driver can read. That is the contrast which
// Credential Guard is about (S114).
#include <string.h>

#include <string_view>

#include "ntdll/ntdll.h"
#include "rt/print.h"
#include "rt/startup.h"

namespace {

constexpr uint64_t secret_address = 0x2779cbb0000;  // Figure 4 of the first seed (S24)
constexpr uint64_t secret_size = 0x1000;

NtStatus allocate_secret_page(char** page) {
  void* base = reinterpret_cast<void*>(secret_address);
  uint64_t size = secret_size;
  const NtStatus status = NtAllocateVirtualMemory(NtCurrentProcess, &base, 0, &size,
                                                  MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
  *page = static_cast<char*>(base);
  return status;
}

// A credential as lsass keeps one: who, where, an NTLM hash and the machine's Kerberos key, both
// from the kernel's generator.
NtStatus fill(char* page) {
  uint8_t random[64];
  const NtStatus status =
      NtQuerySystemInformation(SystemBootEntropyInformation, random, sizeof random, nullptr);
  if (!abi::succeeded(status)) return status;
  std::span<char> text{page, 512};
  size_t used = rt::print(text, "UserName=Administrator Domain=CONTOSO NtlmHash=").size();
  for (int i = 0; i < 16; ++i)
    used += rt::print(text.subspan(used), "{:02x}", random[i]).size();
  used += rt::print(text.subspan(used), " MachineKey=").size();
  for (int i = 16; i < 32; ++i)
    used += rt::print(text.subspan(used), "{:02x}", random[i]).size();
  // The last bytes are RET instructions: whoever may execute this page comes back alive.
  memset(page + secret_size - 16, 0xC3, 16);
  memset(random, 0, sizeof random);
  return status;
}

}  // namespace

extern "C" [[noreturn]] void LsapMain(void*) {
  rt::run_static_initializers();
  char* page{};
  NtStatus status = allocate_secret_page(&page);
  if (abi::succeeded(status)) status = fill(page);
  if (abi::succeeded(status))
    NtWaitForAlertByThreadId(page, nullptr);  // until somebody wants us to end
  RtlExitUserProcess(status);
}
