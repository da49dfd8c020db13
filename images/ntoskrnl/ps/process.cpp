#include "ps/ps.h"

#include <string.h>

#include "boot/debug.h"
#include "hvl/hvl.h"
#include "io/io.h"

void KiInitializeIdleThread(KTHREAD* thread, EPROCESS* process, uint64_t stack_top,
                            uint64_t stack_size);
void MmMapSharedUserData(EPROCESS* process);

EPROCESS* PsInitialSystemProcess;

namespace {

constexpr uint32_t process_tag = 0x636F7250;  // "Proc"
constexpr uint32_t thread_tag = 0x65726854;   // "Thre"
constexpr uint64_t kernel_stack_pages = 6;    // 24 KiB, as on x64 Windows
constexpr uint64_t user_stack_size = 0x20000;
constexpr uint64_t teb_size = 0x2000;

EPROCESS* process_list;
uint64_t next_pid = 4;

EPROCESS* allocate_process(const char* name, uint64_t root) {
  auto process = ExAllocate<EPROCESS>(process_tag);
  process->header.type = DispatcherType::Process;
  process->pid = next_pid;
  next_pid += 4;
  process->directory_table_base = root;
  strncpy_name(process->name, name);
  EPROCESS** link = &process_list;
  while (*link != nullptr)
    link = &(*link)->next;
  *link = process;
  return process;
}

KTHREAD* allocate_thread(EPROCESS* process, ThreadStart start, void* context) {
  auto thread = ExAllocate<KTHREAD>(thread_tag);
  const uint64_t size = kernel_stack_pages * PAGE_SIZE;
  const uint64_t limit = MiDirectMap(MiAllocateContiguousPages(kernel_stack_pages) * PAGE_SIZE);
  KeInitializeThread(thread, process, limit + size, size, start,
                     context == nullptr ? thread : context);
  thread->next_in_process = process->threads;
  process->threads = thread;
  return thread;
}

void free_thread(KTHREAD* thread) {
  MiFreePages(page_of(thread->stack_limit - abi::boot::direct_map_base),
              pages_for(thread->stack_top - thread->stack_limit));
  ExFreePoolWithTag(thread, thread_tag);
}

// The first code of a thread that belongs to a process with user mode.
void PspUserThreadStartup(void* context) {
  auto thread = static_cast<KTHREAD*>(context);
  if (thread->process->secure_pid != 0) {
    // There is no VTL 0 user mode in a trustlet: the thread lends its time to its secure half and
    // serves its requests (S78).
    const NtStatus status = HvlStartSecureThread(thread);
    PspExitThread(status);
  }
  KiReleaseKernel();
  KiEnterUserMode(thread->user_rip, thread->user_rsp, thread->process->image_base);
}

// Stack and TEB of an ordinary process's thread. The TEB holds what ntdll's start-up reads: its own
// address at +30.
NtStatus prepare_user_thread(KTHREAD* thread, uint64_t entry) {
  EPROCESS* process = thread->process;
  uint64_t stack = 0, stack_size = user_stack_size, teb = 0, size = teb_size;
  NtStatus status = MmAllocateVirtualMemory(process, &stack, &stack_size, MEM_COMMIT | MEM_RESERVE,
                                            PAGE_READWRITE);
  if (succeeded(status))
    status =
        MmAllocateVirtualMemory(process, &teb, &size, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
  if (!succeeded(status)) return status;
  *MiPhysicalToVirtual<uint64_t>(MiTranslate(process->directory_table_base, teb + 0x30)) = teb;
  thread->teb = teb;
  thread->user_rip = entry;
  thread->user_rsp =
      stack + stack_size - 0x28;  // as if called: home space above, RSP 8 below a multiple of 16
  return status;
}

NtStatus create_ordinary(EPROCESS* process, const char* image_name, KTHREAD* thread) {
  uint64_t base{}, entry{};
  NtStatus status = PspMapUserImage(process, image_name, &base, &entry);
  if (!succeeded(status)) return status;
  process->image_base = base;
  return prepare_user_thread(thread, entry);
}

NtStatus create_secure(EPROCESS* process, const BOOT_FILE& file, uint64_t trustlet_id,
                       KTHREAD* thread) {
  const NtStatus status = HvlCreateSecureProcess(process, file.data, file.size, trustlet_id);
  return succeeded(status) ? HvlCreateSecureThread(thread) : status;
}

// S103: the attribute's value is one 64-bit trustlet id; in 10240 any other size is refused
// (decisions 7).
NtStatus find_trustlet_id(const PS_ATTRIBUTE* attributes, uint32_t count, bool* secure,
                          uint64_t* id) {
  *secure = false;
  for (uint32_t i = 0; i < count; ++i) {
    if (attributes[i].attribute != PS_ATTRIBUTE_SECURE_PROCESS) continue;
    if (attributes[i].size != sizeof *id) return NtStatus::InvalidParameter;
    *id = attributes[i].value;
    *secure = true;
  }
  return NtStatus::Success;
}

}  // namespace

void strncpy_name(char (&to)[64], const char* from) {
  size_t n = 0;
  for (; n < sizeof to - 1 && from[n] != 0; ++n)
    to[n] = from[n];
  to[n] = 0;
}

void PsInitSystem() {
  static KTHREAD idle_thread;
  PsInitialSystemProcess = allocate_process("System", MiSystemRoot);
  KiInitializeIdleThread(&idle_thread, PsInitialSystemProcess, KeLoaderBlock->kernel_stack,
                         KeLoaderBlock->kernel_stack_size);
}

// "Secure System": the process that stands for the secure kernel in NTOS's lists. Trustlet 0
// (S111).
EPROCESS* PsCreateSecureSystemProcess() {
  return allocate_process("Secure System", MiCreateAddressSpace());
}

KTHREAD* PsCreateSystemThread(ThreadStart start, void* context) {
  KTHREAD* thread = allocate_thread(PsInitialSystemProcess, start, context);
  KeReadyThread(thread);
  return thread;
}

NtStatus PspCreateUserProcess(const char* image_name, const PS_ATTRIBUTE* attributes,
                              uint32_t attribute_count, EPROCESS** process, KTHREAD** thread) {
  bool secure{};
  uint64_t trustlet_id{};
  NtStatus status = find_trustlet_id(attributes, attribute_count, &secure, &trustlet_id);
  if (!succeeded(status)) return status;
  const BOOT_FILE file = IoFindBootFile(image_name);
  if (file.data == nullptr) return NtStatus::ObjectNameNotFound;

  *process = allocate_process(image_name, MiCreateAddressSpace());
  MmMapSharedUserData(*process);
  *thread = allocate_thread(*process, PspUserThreadStartup, nullptr);
  (*thread)->previous_mode = Mode::User;
  status = secure ? create_secure(*process, file, trustlet_id, *thread)
                  : create_ordinary(*process, image_name, *thread);
  if (succeeded(status)) {
    PsAnnounceProcess(*process);
    return status;
  }
  (*thread)->state = ThreadState::Terminated;
  (*thread)->header.signal_state = 1;
  PspDeleteProcess(*process);
  return status;
}

void PspResumeThread(KTHREAD* thread) {
  KeReadyThread(thread);
}

void PspExitThread(NtStatus status) {
  KTHREAD* thread = KeGetCurrentThread();
  thread->exit_status = status;
  // The secure half first: with the cookie gone, the call runs on a pool thread.
  if (const uint32_t cookie = thread->secure_thread_cookie; cookie != 0) {
    thread->secure_thread_cookie = 0;
    HvlTerminateSecureThread(cookie);
  }
  EPROCESS* process = thread->process;
  bool last = true;
  for (KTHREAD* t = process->threads; t != nullptr; t = t->next_in_process)
    if (t != thread && t->state != ThreadState::Terminated) last = false;
  if (last) {
    if (!process->terminating) process->exit_status = status;
    process->terminating = true;
    PsAnnounceProcessExit(process);
    KiSignal(&process->header, 1);
  }
  KiTerminateCurrentThread();
}

// Processes of this system have one thread each: ending it ends them.
void PspTerminateCurrentProcess(NtStatus status) {
  EPROCESS* process = PsGetCurrentProcess();
  process->terminating = true;
  process->exit_status = status;
  PspExitThread(status);
}

void PspDeleteProcess(EPROCESS* process) {
  for (KTHREAD* t = process->threads; t != nullptr; t = t->next_in_process)
    KeWaitForSingleObject(&t->header, nullptr);
  if (process->secure_pid != 0) {
    // Only after this are the pages ordinary memory again (secure_services.def, 10).
    if (const NtStatus status = HvlRundownSecureProcess(process); !succeeded(status))
      DbgPrintEx("ntoskrnl: rundown of process {}: {:#010x}\n", process->pid, status);
  }
  for (KTHREAD* t = process->threads; t != nullptr;) {
    KTHREAD* next = t->next_in_process;
    free_thread(t);
    t = next;
  }
  ObCloseAllHandles(process);
  MmCleanProcessAddressSpace(process);
  for (EPROCESS** link = &process_list; *link != nullptr; link = &(*link)->next) {
    if (*link != process) continue;
    *link = process->next;
    break;
  }
  ExFreePoolWithTag(process, process_tag);
}

NtStatus PsLookupProcessByProcessId(uint64_t pid, EPROCESS** process) {
  for (*process = process_list; *process != nullptr; *process = (*process)->next)
    if ((*process)->pid == pid) return NtStatus::Success;
  return nt_status::InvalidCid;
}

const char* PsGetProcessImageFileName(const EPROCESS* process) {
  return process->name;
}

KTHREAD* PsLookupThreadByThreadId(uint64_t tid) {
  for (EPROCESS* p = process_list; p != nullptr; p = p->next)
    for (KTHREAD* t = p->threads; t != nullptr; t = t->next_in_process)
      if (t->tid == tid) return t;
  return nullptr;
}

// True when the address is that of a live process: the secure kernel names processes by what NTOS
// gave it.
bool PsIsProcess(const EPROCESS* candidate) {
  for (EPROCESS* p = process_list; p != nullptr; p = p->next)
    if (p == candidate) return true;
  return false;
}

static void announce(const EPROCESS* process, abi::boot::DebugEvent event) {
  abi::boot::DebugProcess record{};
  record.pid = process->pid;
  record.cr3 = process->directory_table_base;
  record.secure_handle = process->secure_pid;
  while (process->name[record.name_length] != 0) {
    record.name[record.name_length] = process->name[record.name_length];
    ++record.name_length;
  }
  boot::announce(event, &record);
}

void PsAnnounceProcess(const EPROCESS* process) {
  announce(process, abi::boot::DebugEvent::ProcessCreated);
}

void PsAnnounceProcessExit(const EPROCESS* process) {
  announce(process, abi::boot::DebugEvent::ProcessExited);
}

void PsShutdownSystem() {
  for (const EPROCESS* p = process_list; p != nullptr; p = p->next)
    if (p != PsInitialSystemProcess && !p->terminating && p->threads != nullptr) PsAnnounceProcessExit(p);
}
