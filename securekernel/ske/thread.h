#pragma once
// Secure threads. NTOS schedules them (S67): a secure thread runs when NTOS calls with its cookie, and stops when it
// returns or asks NTOS for something. Each processor has a loop, which owns its VTL return.
#include "ke/skpcr.h"

namespace sk {

inline constexpr size_t maximum_threads = 64;
inline constexpr uint64_t kernel_stack_pages = 8;

/// Makes the pool (8 threads, decisions 7).
NtStatus SkeInitThreads();

/// Serves VTL 0 of this processor for ever: returns to it, and acts on the next entry. The caller has entered the kernel
/// (ske/kernel_lock.h).
[[noreturn]] void SkeProcessorLoop();

/// A thread of a trustlet, Ready; null if the table is full or memory is short. It starts in SkpsStartUserThread.
SkThread* SkeCreateThread(SkProcess* process);
/// Frees kernel stack and slot; the thread must not run.
void SkeDeleteThread(SkThread* thread);
/// The thread with this cookie, or null: cookies of threads that are gone match nothing.
SkThread* SkeFindThread(uint32_t cookie);
/// Threads that belong to `process`, one after the other; null at the end.
SkThread* SkeNextThread(const SkProcess* process, SkThread* after);

inline SkThread* SkeCurrentThread() { return SkiCurrentPcr()->current_thread; }

/// Gives `frame` to NTOS (state, code and parameters are the caller's) and waits for the thread to be resumed; then
/// `frame` holds the answer, which is untrusted.
void SkCallNormalMode(abi::sk::SkCall& frame);

/// The current thread runs on the process's page tables for a while; restores what was there.
class AttachedProcess {
 public:
  explicit AttachedProcess(SkProcess& process);
  ~AttachedProcess();
  AttachedProcess(const AttachedProcess&) = delete;
  AttachedProcess& operator=(const AttachedProcess&) = delete;

 private:
  uint64_t previous_root_;
};

}  // namespace sk
