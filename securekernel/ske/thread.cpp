#include "ske/thread.h"

#include <string.h>

#include "ke/descriptor_tables.h"
#include "ium/secure_services.h"
#include "rt/arch.h"
#include "ske/thread_switch.h"
#include "skmm/boot_memory.h"
#include "skmm/page_tables.h"
#include "skmm/pfn.h"
#include "skmm/pool.h"
#include "skps/process.h"

namespace sk {

using abi::sk::State;

static constexpr uint32_t msr_kernel_gs_base = 0xC0000102;
static constexpr uint64_t stack_canary = 0x5EC0DE5AFE57ACC5;

static SkThread* table[maximum_threads];
static uint32_t generations[maximum_threads];

// A cookie is the slot in the low byte (never 0) and the slot's generation above it.
static uint32_t make_cookie(size_t slot) { return generations[slot] << 8 | static_cast<uint32_t>(slot + 1); }

SkThread* SkeFindThread(uint32_t cookie) {
  const uint32_t slot = (cookie & 0xFF) - 1;
  if (slot >= maximum_threads || table[slot] == nullptr || table[slot]->cookie != cookie) return nullptr;
  return table[slot];
}

SkThread* SkeNextThread(const SkProcess* process, SkThread* after) {
  bool seen = after == nullptr;
  for (SkThread* thread : table) {
    if (seen && thread != nullptr && thread->process == process) return thread;
    if (thread == after) seen = true;
  }
  return nullptr;
}

uint64_t SkiPrepareStack(uint64_t top, void (*function)()) {
  auto* frame = reinterpret_cast<uint64_t*>(top & ~uint64_t{15}) - 10;
  memset(frame, 0, 10 * sizeof(uint64_t));
  frame[7] = reinterpret_cast<uint64_t>(function);           // RBX, popped last
  frame[8] = reinterpret_cast<uint64_t>(&SkiThreadTrampoline);
  return reinterpret_cast<uint64_t>(frame);
}

static SkThread* create(SkProcess* process, void (*function)()) {
  for (size_t slot = 0; slot < maximum_threads; ++slot) {
    if (table[slot] != nullptr) continue;
    auto* thread = static_cast<SkThread*>(SkAllocatePool(0, sizeof(SkThread), pool_tag("SkTh")));
    const uint64_t stack = SkmmAllocatePages(kernel_stack_pages);
    if (thread == nullptr || stack == 0) {
      SkFreePool(thread);
      if (stack != 0) SkmmFreePages(stack);
      return nullptr;
    }
    ++generations[slot];
    thread->cookie = make_cookie(slot);
    thread->process = process;
    thread->root = process == nullptr ? SkmmKernelRoot : process->root;
    thread->stack_base = reinterpret_cast<uint64_t>(SkmmFromPhysical(stack));
    thread->stack_top = thread->stack_base + kernel_stack_pages * page_size;
    *reinterpret_cast<uint64_t*>(thread->stack_base) = stack_canary;
    thread->saved_rsp = SkiPrepareStack(thread->stack_top, function);
    thread->state = process == nullptr ? ThreadState::Idle : ThreadState::Ready;
    table[slot] = thread;
    return thread;
  }
  return nullptr;
}

// A pool thread: one request after the other, each ended by state 1 (S87).
static void pool_thread() {
  for (;;) {
    SkThread& thread = *SkeCurrentThread();
    IumInvokeSecureService(thread.call);
    thread.state = ThreadState::Idle;
    SkiReturnToProcessor(thread);
  }
}

NtStatus SkeInitThreads() {
  for (uint32_t i = 0; i < abi::sk::secure_thread_pool_size; ++i)
    if (create(nullptr, pool_thread) == nullptr) return NtStatus::NoMemory;
  return NtStatus::Success;
}

SkThread* SkiFindIdleThread() {
  for (SkThread* thread : table)
    if (thread != nullptr && thread->state == ThreadState::Idle) return thread;
  return nullptr;
}

SkThread* SkeCreateThread(SkProcess* process) { return create(process, SkpsStartUserThread); }

void SkeDeleteThread(SkThread* thread) {
  for (SkThread*& slot : table)
    if (slot == thread) slot = nullptr;
  SkmmFreePages(SkmmToPhysical(reinterpret_cast<const void*>(thread->stack_base)));
  SkFreePool(thread);
}

void SkiRunThread(SkThread& thread) {
  SkPcr& pcr = *SkiCurrentPcr();
  pcr.current_thread = &thread;
  pcr.current_process = thread.process;
  pcr.kernel_rsp = thread.stack_top;
  pcr.tss->rsp0 = thread.stack_top;
  if (arch::read_cr3() != thread.root) arch::write_cr3(thread.root);
  arch::write_msr(msr_kernel_gs_base, thread.teb);
  thread.state = ThreadState::Running;
  SkiSwapStack(&pcr.processor_rsp, thread.saved_rsp);
  if (*reinterpret_cast<const uint64_t*>(thread.stack_base) != stack_canary) SkeBugCheck("a kernel stack overflowed");
  pcr.current_thread = nullptr;
  pcr.current_process = nullptr;
}

void SkiReturnToProcessor(SkThread& thread) { SkiSwapStack(&thread.saved_rsp, SkiCurrentPcr()->processor_rsp); }

namespace {
struct NestedCall {
  abi::sk::SkCall call;
  uint64_t parked_rsp;
  ThreadState parked_state;
};
constexpr uint32_t maximum_nesting = 3;
}  // namespace

static void nested_service() {
  SkThread& thread = *SkeCurrentThread();
  NestedCall& nested = *static_cast<NestedCall*>(thread.nested);
  IumInvokeSecureService(nested.call);
  thread.call = nested.call;
  thread.saved_rsp = nested.parked_rsp;
  thread.state = nested.parked_state;
  --thread.nesting;
  uint64_t discarded;  // this stretch of the stack ends here
  SkiSwapStack(&discarded, SkiCurrentPcr()->processor_rsp);
}

abi::sk::SkCall SkiRunNested(SkThread& thread, const abi::sk::SkCall& request) {
  const bool can_run = thread.state == ThreadState::Parked || thread.state == ThreadState::Ready;
  if (!can_run || thread.nesting == maximum_nesting) return SkiFinished(NtStatus::InvalidParameter);
  auto* nested = reinterpret_cast<NestedCall*>((thread.saved_rsp - sizeof(NestedCall)) & ~uint64_t{15});
  *nested = {request, thread.saved_rsp, thread.state};
  thread.nested = nested;
  ++thread.nesting;
  thread.saved_rsp = SkiPrepareStack(reinterpret_cast<uint64_t>(nested), nested_service);
  SkiRunThread(thread);
  return thread.call;
}

abi::sk::SkCall SkiFinished(NtStatus status) {
  abi::sk::SkCall frame{};
  frame.state = static_cast<uint8_t>(State::Finished);
  frame.parameter[0] = static_cast<uint32_t>(status);
  return frame;
}

void SkCallNormalMode(abi::sk::SkCall& frame) {
  SkThread& thread = *SkeCurrentThread();
  frame.operation = 0;
  frame.cookie = thread.cookie;
  thread.call = frame;
  thread.state = ThreadState::Parked;
  SkiReturnToProcessor(thread);
  frame = thread.call;
}

AttachedProcess::AttachedProcess(SkProcess& process) : previous_root_{SkeCurrentThread()->root} {
  SkeCurrentThread()->root = process.root;
  arch::write_cr3(process.root);
}

AttachedProcess::~AttachedProcess() {
  SkeCurrentThread()->root = previous_root_;
  arch::write_cr3(previous_root_);
}

}  // namespace sk
