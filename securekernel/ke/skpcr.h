#pragma once
// SKPCR, SKTHREAD and SKPROCESS. The published offsets are contract (S63..S65) and checked here; what lies between them
// is ours. Offsets that assembly uses are checked too.
#include "abi/sk/call_frame.h"
#include "abi/sk/structures.h"
#include "ke/base.h"
#include "ke/bugcheck.h"

namespace sk {

struct SkThread;
struct SkProcess;
struct HypervisorData;
struct Tss;
struct VtlSwitch;

/// At gs:[0] while the secure kernel runs.
struct SkPcr {
  SkPcr* self;                 ///< 00
  SkThread* current_thread;    ///< 08
  HypervisorData* hypervisor;  ///< 10
  uint64_t user_rsp;           ///< 18: of the system call that is being entered
  uint64_t kernel_rsp;         ///< 20: where system calls of the current thread start their stack
  uint64_t processor_rsp;      ///< 28: the processor loop, while a thread runs
  Tss* tss;                    ///< 30
  VtlSwitch* vtl_switch;       ///< 38
  uint64_t number;             ///< 40: HV_VP_INDEX
  SkProcess* current_process;  ///< 48
};
static_assert(offsetof(SkPcr, current_thread) == abi::sk::skpcr_current_thread);
static_assert(offsetof(SkPcr, hypervisor) == abi::sk::skpcr_hypervisor_data);
static_assert(offsetof(SkPcr, current_process) == abi::sk::skpcr_current_process);
static_assert(offsetof(SkPcr, user_rsp) == 0x18 && offsetof(SkPcr, kernel_rsp) == 0x20);

extern SkPcr SkiBootPcr;
inline SkPcr* SkiCurrentPcr() {
  SkPcr* pcr;
  asm volatile("movq %%gs:0, %0" : "=r"(pcr));
  return pcr;
}

enum class ProcessorMode : uint8_t { Kernel = 0, User = 1 };
enum class ThreadState : uint32_t {
  Free,       ///< the slot is unused
  Idle,       ///< a pool thread that waits for a request
  Ready,      ///< created, not yet started
  Running,
  Parked,     ///< in a normal-mode call: NTOS has the answer to give
  Terminated
};

struct SkThread {
  uint64_t handle_reserved;    ///< 00
  uint32_t cookie;             ///< 08
  ThreadState state;           ///< 0C
  SkProcess* process;          ///< 10: null for pool threads
  uint64_t stack_base;         ///< 18: lowest address of the kernel stack
  uint64_t stack_top;          ///< 20
  uint64_t saved_rsp;          ///< 28: while it does not run
  ProcessorMode previous_mode; ///< 30
  bool exit_requested;         ///< 31
  uint8_t reserved_32[2];
  uint32_t nesting;            ///< 34: services that run on top of a parked call
  uint64_t root;               ///< 38: page tables it runs on
  uint64_t normal_thread;      ///< 40: ETHREAD, opaque
  uint64_t tid;                ///< 48
  uint64_t exit_status;        ///< 50
  uint64_t user_stack_base;    ///< 58
  uint64_t user_stack_top;     ///< 60
  uint64_t teb;                ///< 68
  abi::sk::SkCall call;        ///< 70: the request or answer that came in, the frame that goes out
  void* nested;                ///< D8: the service that starts on top of a parked call
};
static_assert(offsetof(SkThread, previous_mode) == abi::sk::skthread_previous_mode);
static_assert(offsetof(SkThread, teb) == abi::sk::skthread_teb);

struct SecureRange;
struct HandleTable;
struct TrustletPolicy;

struct SkProcess {
  uint64_t root;                    ///< 00: page tables in VTL 1
  uint64_t trustlet_id;             ///< 08
  abi::sk::Guid instance;           ///< 10: zero until IumSetTrustletInstance
  uint32_t flags;                   ///< 20: 0x20 = ETW allowed
  uint32_t thread_count;            ///< 24
  SecureRange* ranges;              ///< 28: what it owns of its address space
  uint64_t next_address;            ///< 30: where the secure kernel places what has no base of its own
  bool initialized, terminating;    ///< 38
  bool system_process;              ///< 3A: "Secure System": no address space of its own
  uint8_t reserved_3b[5];
  uint64_t secure_pid;              ///< 40: its handle
  uint64_t process_id;              ///< 48: NTOS's PID
  uint64_t normal_process;          ///< 50: EPROCESS, opaque
  uint64_t normal_thread;           ///< 58: KTHREAD that runs in it
  uint64_t image_base;              ///< 60
  uint64_t entry;                   ///< 68
  uint64_t image_size;              ///< 70
  char name[40];                    ///< 78
  uint64_t peb;                     ///< A0
  HandleTable* handle_table;        ///< A8: null; NTOS keeps the handles of 10240's trustlets
  uint64_t reserved_b0[2];
  const TrustletPolicy* policy;     ///< C0
  uint64_t reserved_c8;
  abi::sk::Mailbox* mailboxes[abi::sk::mailbox_slots];  ///< D0
};
static_assert(offsetof(SkProcess, trustlet_id) == abi::sk::skprocess_trustlet_id);
static_assert(offsetof(SkProcess, instance) == abi::sk::skprocess_instance_guid);
static_assert(offsetof(SkProcess, process_id) == abi::sk::skprocess_process_id);
static_assert(offsetof(SkProcess, normal_thread) == abi::sk::skprocess_normal_thread);
static_assert(offsetof(SkProcess, peb) == abi::sk::skprocess_peb);
static_assert(offsetof(SkProcess, handle_table) == abi::sk::skprocess_handle_table);
static_assert(offsetof(SkProcess, policy) == abi::sk::skprocess_policy);
static_assert(offsetof(SkProcess, mailboxes) == abi::sk::skprocess_mailboxes);

}  // namespace sk
