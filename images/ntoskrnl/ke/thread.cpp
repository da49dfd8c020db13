// Threads and the dispatcher. One priority, first come first served, on whichever processor has nothing to do; kernel code
// is not preempted.
#include <string.h>

#include "ke/ke.h"
#include "mm/mm.h"
#include "ps/ps.h"

extern "C" void KiSwapContext(uint64_t* save_rsp, uint64_t load_rsp);
extern "C" const uint8_t KiThreadStartup[];
void KiSetKernelStack(uint64_t top);
void KiSetCurrentThread(KTHREAD* thread);
void KiHaltUntilInterrupt();

namespace {

KTHREAD* ready_head;
KTHREAD* ready_tail;
KTHREAD* sleepers;
uint64_t next_tid = 8;

KTHREAD* take_ready() {
  KTHREAD* thread = ready_head;
  if (thread == nullptr) return nullptr;
  ready_head = thread->next_ready;
  if (ready_head == nullptr) ready_tail = nullptr;
  thread->next_ready = nullptr;
  return thread;
}

KTHREAD* idle_thread() {
  return reinterpret_cast<KTHREAD*>(arch::read_gs64(offsetof(KPCR, idle_thread)));
}

EPROCESS* address_space_of(const KTHREAD* thread) {
  return thread->attached != nullptr ? thread->attached : thread->process;
}

void remove_waiter(DISPATCHER_HEADER* object, KTHREAD* thread) {
  for (KTHREAD** link = &object->first_waiter; *link != nullptr; link = &(*link)->next_waiter) {
    if (*link != thread) continue;
    *link = thread->next_waiter;
    thread->next_waiter = nullptr;
    return;
  }
}

void remove_sleeper(KTHREAD* thread) {
  for (KTHREAD** link = &sleepers; *link != nullptr; link = &(*link)->next_sleeper) {
    if (*link != thread) continue;
    *link = thread->next_sleeper;
    thread->next_sleeper = nullptr;
    return;
  }
}

void wake(KTHREAD* thread, NtStatus status) {
  if (thread->wait_object != nullptr) remove_waiter(thread->wait_object, thread);
  if (thread->has_deadline) remove_sleeper(thread);
  thread->wait_object = nullptr;
  thread->has_deadline = false;
  thread->wait_status = status;
  KeReadyThread(thread);
}

// Takes what a satisfied wait consumes.
void consume(DISPATCHER_HEADER* object) {
  if (object->type == DispatcherType::SynchronizationEvent) object->signal_state = 0;
  if (object->type == DispatcherType::Semaphore) --object->signal_state;
}

}  // namespace

void KeInitializeThread(KTHREAD* thread, EPROCESS* process, uint64_t stack_top, uint64_t stack_size,
                        ThreadStart start, void* context) {
  memset(thread, 0, sizeof *thread);
  thread->header.type = DispatcherType::Thread;
  thread->process = process;
  thread->stack_top = stack_top;
  thread->stack_limit = stack_top - stack_size;
  thread->start = start;
  thread->context = context;
  thread->tid = next_tid;
  next_tid += 4;
  KeInitializeEvent(&thread->alert, DispatcherType::SynchronizationEvent, false);
  // What KiSwapContext pops: eight registers, then the address that it returns to.
  auto stack = reinterpret_cast<uint64_t*>(stack_top) - 10;
  memset(stack, 0, 10 * sizeof(uint64_t));
  stack[7] = reinterpret_cast<uint64_t>(thread);  // RBX
  stack[8] = reinterpret_cast<uint64_t>(KiThreadStartup);
  thread->kernel_stack = reinterpret_cast<uint64_t>(stack);
}

// The thread that a processor begins with becomes its idle thread.
void KiInitializeIdleThread(KTHREAD* thread, EPROCESS* process, uint64_t stack_top,
                            uint64_t stack_size) {
  memset(thread, 0, sizeof *thread);
  thread->header.type = DispatcherType::Thread;
  thread->process = process;
  thread->stack_top = stack_top;
  thread->stack_limit = stack_top - stack_size;
  thread->state = ThreadState::Running;
  KeInitializeEvent(&thread->alert, DispatcherType::SynchronizationEvent, false);
  arch::write_gs64(offsetof(KPCR, idle_thread), reinterpret_cast<uint64_t>(thread));
  KiSetCurrentThread(thread);
  KiSetKernelStack(stack_top);
}

extern "C" [[noreturn]] void KiStartThread(KTHREAD* thread) {
  arch::enable_interrupts();
  thread->start(thread->context);
  KiTerminateCurrentThread();
}

void KeReadyThread(KTHREAD* thread) {
  DispatcherLock lock;
  thread->state = ThreadState::Ready;
  thread->next_ready = nullptr;
  if (ready_tail != nullptr) {
    ready_tail->next_ready = thread;
  } else {
    ready_head = thread;
  }
  ready_tail = thread;
  KiWakeIdleProcessor();
}

void KiSwapThread() {
  DispatcherLock lock;
  KTHREAD* current = KeGetCurrentThread();
  KTHREAD* next = take_ready();
  if (next == nullptr) next = idle_thread();
  next->state = ThreadState::Running;
  if (next == current) return;
  EPROCESS* space = address_space_of(next);
  if (space != address_space_of(current)) arch::write_cr3(space->directory_table_base);
  KiSetCurrentThread(next);
  KiSetKernelStack(next->stack_top);
  KiSwapContext(&current->kernel_stack, next->kernel_stack);
}

void KeYield() {
  DispatcherLock lock;
  if (ready_head == nullptr) return;
  KTHREAD* current = KeGetCurrentThread();
  if (current != idle_thread()) KeReadyThread(current);
  KiSwapThread();
}

void KiTerminateCurrentThread() {
  arch::disable_interrupts();
  KTHREAD* thread = KeGetCurrentThread();
  thread->state = ThreadState::Terminated;
  KiSignal(&thread->header, 1);
  KiSwapThread();
  __builtin_trap();  // nothing makes a terminated thread ready
}

void KiIdleLoop() {
  for (;;) {
    arch::disable_interrupts();
    if (ready_head != nullptr) {
      KiSwapThread();
    } else {
      KiHaltUntilInterrupt();
    }
  }
}

void KeStackAttachProcess(EPROCESS* process) {
  DispatcherLock lock;
  KTHREAD* thread = KeGetCurrentThread();
  thread->attached = process;
  arch::write_cr3(process->directory_table_base);
}

void KeUnstackDetachProcess() {
  DispatcherLock lock;
  KTHREAD* thread = KeGetCurrentThread();
  thread->attached = nullptr;
  arch::write_cr3(thread->process->directory_table_base);
}

EPROCESS* PsGetCurrentProcess() {
  return address_space_of(KeGetCurrentThread());
}

// ---- Dispatcher objects ----

void KeInitializeEvent(KEVENT* event, DispatcherType type, bool signaled) {
  event->header = {type, signaled ? 1 : 0, nullptr};
}

void KeInitializeSemaphore(KSEMAPHORE* semaphore, int32_t count, int32_t limit) {
  semaphore->header = {DispatcherType::Semaphore, count, nullptr};
  semaphore->limit = limit;
}

void KiSignal(DISPATCHER_HEADER* object, int32_t increment) {
  DispatcherLock lock;
  object->signal_state =
      object->type == DispatcherType::Semaphore ? object->signal_state + increment : 1;
  while (object->first_waiter != nullptr && object->signal_state > 0) {
    consume(object);
    wake(object->first_waiter, NtStatus::Success);
  }
}

int32_t KeSetEvent(KEVENT* event) {
  DispatcherLock lock;
  const int32_t previous = event->header.signal_state;
  KiSignal(&event->header, 1);
  return previous;
}

void KeClearEvent(KEVENT* event) {
  event->header.signal_state = 0;
}

bool KeReleaseSemaphore(KSEMAPHORE* semaphore, int32_t adjustment, int32_t* previous) {
  DispatcherLock lock;
  if (previous != nullptr) *previous = semaphore->header.signal_state;
  if (adjustment <= 0 || adjustment > semaphore->limit - semaphore->header.signal_state)
    return false;
  KiSignal(&semaphore->header, adjustment);
  return true;
}

NtStatus KeWaitForSingleObject(DISPATCHER_HEADER* object, const int64_t* timeout) {
  DispatcherLock lock;
  if (object != nullptr && object->signal_state > 0) {
    consume(object);
    return NtStatus::Success;
  }
  if (timeout != nullptr && *timeout == 0) return NtStatus::Timeout;
  KTHREAD* thread = KeGetCurrentThread();
  thread->state = ThreadState::Waiting;
  thread->wait_object = object;
  if (object != nullptr) {
    KTHREAD** link = &object->first_waiter;
    while (*link != nullptr)
      link = &(*link)->next_waiter;
    thread->next_waiter = nullptr;
    *link = thread;
  }
  if (timeout != nullptr) {
    const uint64_t now = KeQueryInterruptTime();
    thread->deadline =
        *timeout < 0 ? now + static_cast<uint64_t>(-*timeout) : static_cast<uint64_t>(*timeout);
    thread->has_deadline = true;
    thread->next_sleeper = sleepers;
    sleepers = thread;
  }
  KiSwapThread();
  return thread->wait_status;
}

void KeDelayExecutionThread(uint64_t hundred_nanoseconds) {
  const int64_t timeout = -static_cast<int64_t>(hundred_nanoseconds);
  KeWaitForSingleObject(nullptr, &timeout);
}

// Called from the clock: wakes, oldest first, everybody whose time has come.
void KiExpireTimers(uint64_t now) {
  for (;;) {
    KTHREAD* due = nullptr;
    for (KTHREAD* t = sleepers; t != nullptr; t = t->next_sleeper)
      if (t->deadline <= now && (due == nullptr || t->deadline < due->deadline)) due = t;
    if (due == nullptr) return;
    wake(due, NtStatus::Timeout);
  }
}
