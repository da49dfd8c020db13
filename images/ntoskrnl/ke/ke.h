#pragma once
// The kernel proper: processor structures, traps, threads and what they wait for, time.
#include "nt.h"
#include "ntoskrnl/exception_record.h"

// ---- Processor ----

/// Selectors as on Windows x64; SYSCALL and SYSRET need this order.
enum Selector : uint16_t {
  KGDT64_R0_CODE = 0x10,
  KGDT64_R0_DATA = 0x18,
  KGDT64_R3_CMCODE = 0x20,
  KGDT64_R3_DATA = 0x28,
  KGDT64_R3_CODE = 0x30,
  KGDT64_SYS_TSS = 0x40,
};

/// The processor control region, at GS in kernel mode. Offsets that assembly uses are asserted;
/// they are Windows' own.
struct KPCR {
  void* gdt_base;     // 000
  void* tss_base;     // 008
  uint64_t user_rsp;  // 010: where KiSystemCall64 parks the caller's stack pointer
  KPCR* self;         // 018
  uint64_t unused_20[45];
  KTHREAD* current_thread;  // 188: KPRCB.CurrentThread
  KTHREAD* next_thread;     // 190
  KTHREAD* idle_thread;     // 198
  uint32_t mx_csr;          // 1A0
  uint32_t number;          // 1A4: KPRCB.Number, which is the HV_VP_INDEX too
  uint64_t rsp_base;  // 1A8: KPRCB.RspBase: the kernel stack that a system call starts on
};
static_assert(offsetof(KPCR, user_rsp) == 0x10 && offsetof(KPCR, tss_base) == 8 &&
              offsetof(KPCR, idle_thread) == 0x198 && offsetof(KPCR, number) == 0x1A4 && offsetof(KPCR, current_thread) == 0x188 &&
              offsetof(KPCR, rsp_base) == 0x1A8);

inline KTHREAD* KeGetCurrentThread() {
  return reinterpret_cast<KTHREAD*>(arch::read_gs64(0x188));
}
EPROCESS* PsGetCurrentProcess();
inline uint32_t KeGetCurrentProcessorNumber() {
  return arch::read_gs32(0x1A4);
}

enum Irql : uint8_t {
  PASSIVE_LEVEL = 0,
  APC_LEVEL = 1,
  DISPATCH_LEVEL = 2,
  CLOCK_LEVEL = 13,
  HIGH_LEVEL = 15
};
inline uint8_t KeGetCurrentIrql() {
  return static_cast<uint8_t>(arch::read_cr8());
}

void KiInitializeProcessor();  ///< the boot processor
/// How many run.
extern uint32_t KeNumberProcessors;
/// Starts the others, where a hypervisor can (HvCallStartVirtualProcessor), and waits until they run.
void KeStartAllProcessors();

// ---- The kernel lock (ke/lock.cpp) ----

/// One processor at a time runs NTOS's kernel; user code, VTL 1 and halted processors are outside. It belongs to the
/// processor, not to the thread: a thread that was switched out goes on under whichever processor runs it.
/// False if this processor has it already; then the caller must not release it.
extern "C" bool KiAcquireKernel();
extern "C" void KiReleaseKernel();

class KernelLock {
 public:
  KernelLock() : taken_{KiAcquireKernel()} {}
  ~KernelLock() {
    if (taken_) KiReleaseKernel();
  }
  KernelLock(const KernelLock&) = delete;
  KernelLock& operator=(const KernelLock&) = delete;

 private:
  bool taken_;
};

/// Interrupts a halted processor so that it looks for threads that are ready; nothing if none is halted.
void KiWakeIdleProcessor();

// ---- Traps ----

/// What KiTrapCommon pushes (ke/trap.S), lowest address first.
struct KTRAP_FRAME {
  uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  uint64_t vector, error_code;
  uint64_t rip, cs, rflags, rsp, ss;
  bool from_user() const { return (cs & 3) != 0; }
};

/// A point to come back to: the non-volatile registers of a KeTryAccess call (ke/trap.S).
/// Lives on the stack.
struct KTRY_FRAME {
  uint64_t rbx, rbp, rsi, rdi, r12, r13, r14, r15, rsp;
  KTRY_FRAME* previous;
  EXCEPTION_RECORD64* record;
};

using TryRoutine = NtStatus (*)(void* context);
/// Calls routine(context). An exception inside ends the call: `record` (may be null) is filled, its
/// status is returned.
extern "C" NtStatus KeTryAccess(TryRoutine routine, void* context, EXCEPTION_RECORD64* record);

[[noreturn]] void KeBugCheckEx(uint32_t code, uint64_t p1 = 0, uint64_t p2 = 0, uint64_t p3 = 0,
                               uint64_t p4 = 0);

// ---- Threads ----

enum class ThreadState : uint8_t { Initialized, Ready, Running, Waiting, Terminated };
enum class Mode : uint8_t { Kernel = 0, User = 1 };
enum class DispatcherType : uint8_t {
  NotificationEvent,
  SynchronizationEvent,
  Semaphore,
  Thread,
  Process
};

/// The head of everything that can be waited for.
struct DISPATCHER_HEADER {
  DispatcherType type;
  int32_t signal_state;
  KTHREAD* first_waiter;
};
struct KEVENT {
  DISPATCHER_HEADER header;
};
struct KSEMAPHORE {
  DISPATCHER_HEADER header;
  int32_t limit;
};

using ThreadStart = void (*)(void* context);

struct KTHREAD {
  DISPATCHER_HEADER header;
  uint64_t kernel_stack;  ///< RSP while the thread does not run
  uint64_t stack_top, stack_limit;
  EPROCESS* process;
  EPROCESS* attached;  ///< whose address space it uses instead, or null
  ThreadState state;
  Mode previous_mode;
  bool has_deadline;
  int16_t kernel_apc_disable;
  uint32_t secure_thread_cookie;  ///< index in the secure kernel's thread table, or 0 (section 7.6)
  KTHREAD* next_ready;
  KTHREAD* next_waiter;
  KTHREAD* next_sleeper;
  DISPATCHER_HEADER* wait_object;
  uint64_t deadline;  ///< in units of 100 ns since boot
  NtStatus wait_status;
  KTRY_FRAME* try_frame;
  ThreadStart start;
  void* context;
  uint64_t tid;
  NtStatus exit_status;
  KEVENT alert;  ///< alert by thread id (normal services 10 and 11)
  bool waits_for_alert;
  uint64_t user_rip, user_rsp, teb;
  uint64_t offered_buffer;  ///< where normal service 13 may copy to while a secure service runs
  uint64_t offered_size;
  KTHREAD* next_in_process;
};

void KeInitializeThread(KTHREAD* thread, EPROCESS* process, uint64_t stack_top, uint64_t stack_size,
                        ThreadStart start, void* context);
void KeReadyThread(KTHREAD* thread);
/// Gives the processor to the next ready thread; the caller has put itself on whatever list will
/// wake it.
void KiSwapThread();
void KeYield();
[[noreturn]] void KiTerminateCurrentThread();
[[noreturn]] void KiIdleLoop();

extern "C" void KeStackAttachProcess(EPROCESS* process);
extern "C" void KeUnstackDetachProcess();
inline void KeEnterCriticalRegion() {
  --KeGetCurrentThread()->kernel_apc_disable;
}
inline void KeLeaveCriticalRegion() {
  ++KeGetCurrentThread()->kernel_apc_disable;
}

/// The dispatcher database is guarded by interrupts off, and by the kernel lock, which all kernel code holds.
class DispatcherLock {
 public:
  DispatcherLock() : flags_{arch::read_flags()} { arch::disable_interrupts(); }
  ~DispatcherLock() { arch::write_flags(flags_); }
  DispatcherLock(const DispatcherLock&) = delete;
  DispatcherLock& operator=(const DispatcherLock&) = delete;

 private:
  uint64_t flags_;
};

// ---- Waiting and time ----

void KeInitializeEvent(KEVENT* event, DispatcherType type, bool signaled);
void KeInitializeSemaphore(KSEMAPHORE* semaphore, int32_t count, int32_t limit);
int32_t KeSetEvent(KEVENT* event);
void KeClearEvent(KEVENT* event);
/// False when the limit would be exceeded.
bool KeReleaseSemaphore(KSEMAPHORE* semaphore, int32_t adjustment, int32_t* previous);
/// `timeout`: null = forever, negative = relative, in units of 100 ns, as everywhere in NT.
NtStatus KeWaitForSingleObject(DISPATCHER_HEADER* object, const int64_t* timeout);
void KeDelayExecutionThread(uint64_t hundred_nanoseconds);
void KiSignal(DISPATCHER_HEADER* object, int32_t increment);

void KeInitializeClock();
void KiInitializeClockOnProcessor();  ///< a further processor's local APIC and its timer
void KiRequestInterrupt(uint32_t processor, uint8_t vector);
void KiEndInterrupt();
void KeUpdateSystemTime();        ///< the clock interrupt
uint64_t KeQueryInterruptTime();  ///< 100 ns since boot
uint64_t KeQueryPerformanceCounter(uint64_t* frequency);
inline constexpr uint64_t one_second = 10'000'000;

// ---- System calls ----

using SystemService = uint64_t (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                                   uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
/// Dispatches by the 10240 number. Anything outside the table: STATUS_INVALID_SYSTEM_SERVICE.
NtStatus KiDispatchSystemService(uint32_t number, const uint64_t (&arguments)[12]);
void KiInitializeSystemCalls();
extern "C" [[noreturn]] void KiEnterUserMode(uint64_t rip, uint64_t rsp, uint64_t argument);
