#include "skps/process.h"

#include <string.h>

#include "abi/boot/vsm_loader_block.h"
#include "dbg/debug_port.h"
#include "ke/boot_block.h"
#include "rtl/wipe.h"
#include "ske/thread.h"
#include "skmm/pfn.h"
#include "skmm/pool.h"
#include "skmm/user_memory.h"
#include "skps/loader.h"
#include "skps/policy.h"

namespace sk {

static constexpr size_t maximum_processes = 32;
// Where ranges without a base of their own begin: PEB, TEBs, stacks.
static constexpr uint64_t first_dynamic_address = 0x00007FF000000000;
static constexpr uint64_t user_stack_pages = 8;
static constexpr uint16_t subsystem_windows_console = 3;

static SkProcess* processes[maximum_processes];
static SecureImage* system_dlls[2];  // iumdll.dll, iumbase.dll: in import order
static constexpr const char* system_dll_names[2] = {"iumdll.dll", "iumbase.dll"};

// Fields of PEB and TEB that code in the process expects at their Windows places.
static constexpr uint64_t peb_image_base = 0x10;
static constexpr uint64_t teb_stack_base = 0x08, teb_stack_limit = 0x10, teb_self = 0x30, teb_process_id = 0x40,
                          teb_thread_id = 0x48, teb_peb = 0x60;

static void write_user(uint64_t page, uint64_t offset, uint64_t value) {
  memcpy(reinterpret_cast<void*>(page + offset), &value, sizeof value);
}

static void free_mailboxes(SkProcess& process) {
  for (auto*& mailbox : process.mailboxes) {
    SkFreePool(mailbox);
    mailbox = nullptr;
  }
}

static void destroy_process(void* body) {
  auto* process = static_cast<SkProcess*>(body);
  SkmmDeleteUserMemory(*process);
  free_mailboxes(*process);
  SkFreePool(const_cast<TrustletPolicy*>(process->policy));
  if (process->root != 0) SkmmDeleteRoot(process->root);
}

static NtStatus create(uint64_t normal_process, uint64_t pid, bool system, uint64_t& secure_pid) {
  for (SkProcess*& slot : processes) {
    if (slot != nullptr) continue;
    auto* process =
        static_cast<SkProcess*>(SkobCreateObject(ObjectType::Process, sizeof(SkProcess), destroy_process));
    if (process == nullptr) return NtStatus::NoMemory;
    process->normal_process = normal_process;
    process->process_id = pid;
    process->system_process = system;
    process->next_address = first_dynamic_address;
    if (!system) process->root = SkmmCreateRoot();
    const bool made = system || process->root != 0;
    secure_pid = process->secure_pid = made ? SkobInsertHandle(process) : 0;
    if (secure_pid != 0) slot = process;
    SkobDereference(process);
    return secure_pid != 0 ? NtStatus::Success : NtStatus::InsufficientResources;
  }
  return NtStatus::InsufficientResources;
}

NtStatus SkpsRegisterSystemProcess(uint64_t pid, uint64_t normal_process, uint64_t& secure_pid) {
  for (const SkProcess* process : processes)
    if (process != nullptr && process->system_process) return NtStatus::InvalidParameter;
  SK_TRY(create(normal_process, pid, true, secure_pid));
  DbgProcessCreated(pid, SkmmKernelRoot, secure_pid, "Secure System");
  return NtStatus::Success;
}

NtStatus SkpsCreateProcess(uint64_t normal_process, uint64_t pid, uint64_t& secure_pid) {
  return create(normal_process, pid, false, secure_pid);
}

NtStatus SkpsRegisterSystemDlls(uint64_t iumdll_handle, uint64_t iumbase_handle) {
  if (system_dlls[0] != nullptr) return NtStatus::InvalidParameter;
  ImageReference iumdll{iumdll_handle}, iumbase{iumbase_handle};
  if (!iumdll || !iumbase) return NtStatus::InvalidHandle;
  if (!iumdll->accepted || !iumbase->accepted) return NtStatus::InvalidImageHash;
  if (iumdll->kind != ImageKind::Trustlet || iumbase->kind != ImageKind::Trustlet) return NtStatus::InvalidParameter;
  system_dlls[0] = &*iumdll;
  system_dlls[1] = &*iumbase;
  for (SecureImage* dll : system_dlls) SkobReference(dll);  // for good
  return NtStatus::Success;
}

// The name that the image's export directory carries, for observers: no decision depends on it.
static void read_name(SkProcess& process, const pe::Headers& headers, const uint8_t* mapped) {
  static constexpr uint32_t name_field = 12;
  const pe::DataDirectory& exports = headers.directories[pe::ExportDirectory];
  uint32_t name = 0;
  if (exports.size >= name_field + 4) memcpy(&name, mapped + exports.rva + name_field, sizeof name);
  const uint32_t end = headers.image_size - 1;
  for (size_t i = 0; i + 1 < sizeof process.name && name != 0 && name + i < end && mapped[name + i] != 0; ++i)
    process.name[i] = static_cast<char>(mapped[name + i]);
}

// S107, S118, decisions 8: the id must be the launch attribute's; console programs cannot be trustlets.
static NtStatus read_policy(SkProcess& process, const SecureImage& image, uint64_t trustlet_id) {
  if (image.headers.subsystem == subsystem_windows_console) return NtStatus::InvalidImageFormat;
  if (SkBootBlock.has(abi::boot::VsmKnownIdsOnly) && (trustlet_id == 0 || trustlet_id > 4))
    return NtStatus::AccessDenied;
  PoolBuffer mapped{image.headers.image_size, pool_tag("SkPo")};
  auto* policy = static_cast<TrustletPolicy*>(SkAllocatePool(0, sizeof(TrustletPolicy), pool_tag("SkPo")));
  if (!mapped || policy == nullptr) {
    SkFreePool(policy);
    return NtStatus::NoMemory;
  }
  pe::map_sections(image.headers, image.file, mapped.data());
  if (NtStatus status = SkpsReadPolicy(image.headers, mapped.data(), trustlet_id, *policy); !succeeded(status)) {
    SkFreePool(policy);
    return status;
  }
  read_name(process, image.headers, mapped.data());
  process.policy = policy;
  process.trustlet_id = trustlet_id;
  uint64_t etw = 0;
  if (SkpspFindPolicy(*policy, abi::sk::PolicyId::Etw, abi::sk::PolicyType::Bool, etw) && etw != 0)
    process.flags |= abi::sk::skprocess_flag_etw_allowed;
  return NtStatus::Success;
}

static NtStatus map_images(SkProcess& process, SecureImage& image) {
  LoadedUserImage modules[2];
  for (size_t i = 0; i < 2; ++i) {
    if (system_dlls[i] == nullptr) return NtStatus::DllNotFound;
    modules[i] = {system_dlls[i], 0, system_dll_names[i]};
    SK_TRY(SkmmMapSecureImage(process, *system_dlls[i], modules, i, modules[i].base));
    DbgImageLoaded(modules[i].base, system_dlls[i]->headers.image_size, modules[i].name);
  }
  SK_TRY(SkmmMapSecureImage(process, image, modules, 2, process.image_base));
  process.entry = process.image_base + image.headers.entry_rva;
  process.image_size = image.headers.image_size;
  DbgImageLoaded(process.image_base, image.headers.image_size, process.name);
  return NtStatus::Success;
}

static NtStatus make_peb(SkProcess& process) {
  SK_TRY(SkmmAllocateUserMemory(process, process.peb, 1));
  AttachedProcess attached{process};
  write_user(process.peb, peb_image_base, process.image_base);
  return NtStatus::Success;
}

NtStatus SkpsInitializeProcess(SkProcess& process, SecureImage& image, uint64_t trustlet_id) {
  if (process.system_process || process.initialized || process.policy != nullptr) return NtStatus::InvalidParameter;
  if (!image.accepted) return NtStatus::InvalidImageHash;
  if (image.kind != ImageKind::Trustlet || image.headers.entry_rva == 0) return NtStatus::InvalidImageFormat;
  SK_TRY(read_policy(process, image, trustlet_id));
  SK_TRY(map_images(process, image));
  SK_TRY(make_peb(process));
  process.initialized = true;
  DbgProcessCreated(process.process_id, process.root, process.secure_pid, process.name);
  DbgMilestone("securekernel: trustlet {} ({}) in secure process {:#x}: image at {:#x}, entry {:#x}", trustlet_id,
               process.name, process.secure_pid, process.image_base, process.entry);
  return NtStatus::Success;
}

SkProcess* SkpsFindTrustlet(uint64_t trustlet_id) {
  for (SkProcess* process : processes)
    if (process != nullptr && process->initialized && !process->terminating && process->trustlet_id == trustlet_id)
      return process;
  return nullptr;
}

static NtStatus make_user_part(SkProcess& process, SkThread& thread) {
  SK_TRY(SkmmAllocateUserMemory(process, thread.user_stack_base, user_stack_pages));
  thread.user_stack_top = thread.user_stack_base + user_stack_pages * page_size;
  SK_TRY(SkmmAllocateUserMemory(process, thread.teb, 1));
  AttachedProcess attached{process};
  write_user(thread.teb, teb_self, thread.teb);
  write_user(thread.teb, teb_stack_base, thread.user_stack_top);
  write_user(thread.teb, teb_stack_limit, thread.user_stack_base);
  write_user(thread.teb, teb_process_id, process.process_id);
  write_user(thread.teb, teb_thread_id, thread.tid);
  write_user(thread.teb, teb_peb, process.peb);
  return NtStatus::Success;
}

NtStatus SkpsCreateThread(SkProcess& process, uint64_t normal_thread, uint64_t tid, SkThread*& thread) {
  if (!process.initialized || process.terminating) return NtStatus::ProcessIsTerminating;
  thread = SkeCreateThread(&process);
  if (thread == nullptr) return NtStatus::InsufficientResources;
  thread->normal_thread = normal_thread;
  thread->tid = tid;
  thread->state = ThreadState::Terminated;  // not startable before it is complete
  if (NtStatus status = make_user_part(process, *thread); !succeeded(status)) {
    SkeDeleteThread(thread);
    return status;
  }
  thread->state = ThreadState::Ready;
  ++process.thread_count;
  process.normal_thread = normal_thread;
  return NtStatus::Success;
}

NtStatus SkpsTerminateThread(uint32_t cookie, uint64_t& exit_status) {
  SkThread* thread = SkeFindThread(cookie);
  if (thread == nullptr || thread->process == nullptr) return NtStatus::InvalidParameter;
  if (thread->state == ThreadState::Running || thread == SkeCurrentThread()) return NtStatus::InvalidDeviceState;
  exit_status = thread->exit_status;
  --thread->process->thread_count;
  SkeDeleteThread(thread);
  return NtStatus::Success;
}

static NtStatus rundown(SkProcess*& slot) {
  SkProcess& process = *slot;
  process.terminating = true;
  while (SkThread* thread = SkeNextThread(&process, nullptr)) {
    if (thread == SkeCurrentThread()) return NtStatus::InvalidDeviceState;
    SkeDeleteThread(thread);
  }
  // The memory goes back now, whoever may still hold a reference.
  SkmmDeleteUserMemory(process);
  free_mailboxes(process);
  slot = nullptr;
  return SkobCloseHandle(process.secure_pid);
}

NtStatus SkpsRundownProcess(uint64_t secure_pid) {
  for (SkProcess*& slot : processes)
    if (slot != nullptr && slot->secure_pid == secure_pid) return rundown(slot);
  return NtStatus::InvalidHandle;
}

void SkpsWipeAll() {
  for (SkProcess* process : processes) {
    if (process == nullptr) continue;
    process->terminating = true;
    SkmmWipeUserMemory(*process);
    free_mailboxes(*process);
  }
}

}  // namespace sk
