#pragma once
// Shared by thread.cpp and processor.cpp: the two ends of a thread switch.
#include "ske/thread.h"

namespace sk {

extern "C" {
void SkiSwapStack(uint64_t* save_rsp, uint64_t load_rsp);
void SkiThreadTrampoline();
[[noreturn]] void SkiEnterUserMode(uint64_t rip, uint64_t rsp);
}

/// A stack that SkiSwapStack can load: it calls `function`, which never returns. Gives the RSP.
uint64_t SkiPrepareStack(uint64_t top, void (*function)());
/// The frame that ends a request (state 1) with this status.
abi::sk::SkCall SkiFinished(NtStatus status);
/// A pool thread without work, or null.
SkThread* SkiFindIdleThread();
/// From the processor loop: runs the thread until it stops; thread.call is then what NTOS gets.
void SkiRunThread(SkThread& thread);
/// A service for a thread that is parked in a normal call: NTOS asks on its behalf while it serves the thread. It runs on
/// the same stack, below what is parked there, and the parked call goes on later. Returns the frame for NTOS.
abi::sk::SkCall SkiRunNested(SkThread& thread, const abi::sk::SkCall& request);
/// From a thread: back into the processor loop.
void SkiReturnToProcessor(SkThread& thread);

}  // namespace sk
