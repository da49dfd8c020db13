#pragma once
#include "abi/hv/assist_page.h"
#include "abi/hv/hypercalls.h"
#include "abi/hv/messages.h"
#include "abi/hv/msrs.h"
#include "abi/hv/status.h"
#include "abi/hv/vp_registers.h"
#include "abi/hv/vsm_registers.h"
#include "tests/kernel/kernel.h"

// In this order: each list leaves the machine in the state that the next one begins with.
std::span<const kernel::Test> launch_tests();     ///< a bare machine becomes the root partition
std::span<const kernel::Test> call_tests();       ///< hypercalls with VTL 0 alone
std::span<const kernel::Test> vtl_tests();        ///< VTL 1 exists
std::span<const kernel::Test> intercept_tests();  ///< and protects memory
std::span<const kernel::Test> interrupt_tests();  ///< and has a timer of its own

extern "C" {
uint64_t raw_hypercall(uint64_t control, uint64_t input, uint64_t output);
void enter_vtl1(uint64_t stub);
void vtl1_start();
extern uint64_t border_rsp_before, border_rsp_after, border_flags, border_rax, border_rcx, border_r15, vtl1_first_flags;
}

// ---- Hypercalls from either level; parameters lie in pages of their own ----
namespace call {

using abi::hv::CallCode;
using abi::hv::HvStatus;
using abi::hv::RegisterName;
using abi::hv::RegisterValue;

struct Result {
  uint16_t status;
  uint16_t reps;
};
/// The pages that hypercalls read and write; both levels use the same.
uint8_t* input_page();
uint8_t* output_page();
Result issue(uint64_t control, uint64_t input, uint64_t output = 0);
/// Calls with a header alone; an output goes to output_page().
template <class Header>
Result simple(CallCode code, const Header& header) {
  __builtin_memcpy(input_page(), &header, sizeof header);
  return issue(abi::hv::control_for(code).raw, reinterpret_cast<uint64_t>(input_page()),
               reinterpret_cast<uint64_t>(output_page()));
}
/// A header and a list; the outputs of its elements go to output_page().
template <class Header, class Element, std::size_t Count>
Result list(CallCode code, const Header& header, const Element (&elements)[Count]) {
  __builtin_memcpy(input_page(), &header, sizeof header);
  __builtin_memcpy(input_page() + sizeof header, elements, sizeof elements);
  return issue(abi::hv::control_for(code, Count).raw, reinterpret_cast<uint64_t>(input_page()),
               reinterpret_cast<uint64_t>(output_page()));
}
template <class Header, class Element>
Result one(CallCode code, const Header& header, const Element& element) {
  const Element elements[] = {element};
  return list(code, header, elements);
}
/// Element `index` of the last output.
template <class Output>
Output output(std::size_t index = 0) {
  Output value;
  __builtin_memcpy(&value, output_page() + index * sizeof value, sizeof value);
  return value;
}
/// `vtl` -1: the caller's own.
Result get_register(RegisterName name, RegisterValue& value, int vtl = -1, uint32_t vp = abi::hv::vp_self);
Result set_register(RegisterName name, RegisterValue value, int vtl = -1, uint32_t vp = abi::hv::vp_self);
Result protect(uint64_t page, uint32_t flags, int vtl = -1);
/// Where and on which stack a level or a processor begins, and all else as it is here and now.
abi::hv::InitialVpContext context_here(uint64_t rip, uint64_t rsp);
/// Of this level's hypercall page.
uint64_t hypercall_page();

}  // namespace call

#define EXPECT_STATUS(result, wanted) EXPECT_EQUAL((result).status, static_cast<uint16_t>(abi::hv::HvStatus::wanted))

// ---- The software of VTL 1 (upper.cpp) ----
namespace upper {

/// Registers of VTL 0 as VTL 1 found them, and as they will be after a fast return.
struct Saved {
  uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
};
/// Runs in VTL 1 at the next call; it returns a sentence as tests do.
using Work = const char* (*)(Saved* saved);
/// Calls VTL 1 and has it do `work`. The answer, or null.
const char* run(Work work);
/// The same with a return that is not fast.
const char* run_and_return_slowly(Work work);

abi::hv::InitialVpContext initial_context();
/// The assist page and the message page, once VTL 1 has enabled them.
abi::hv::VpAssistPage* assist_page();
const char* enable_pages();
/// What the last intercept said.
struct Seen {
  uint32_t count;
  abi::hv::MessageType type;
  abi::hv::MemoryIntercept message;
  abi::hv::VtlEntryReason reason;
  abi::hv::Message whole;
};
extern Seen seen;
const char* enable_intercepts();
/// What VTL 1 does with an intercept, before it returns.
using Reply = void (*)(const abi::hv::Message& message);
void refuse(const abi::hv::Message& message);     ///< #GP in VTL 0 in place of what it wanted: at first
void pass_over(const abi::hv::Message& message);  ///< VTL 0 goes on behind its instruction
void reply_with(Reply reply);
/// From a reply: the general register that VTL 0 will find. The levels share them, so that VTL 1 gives it back last.
void give(uint64_t Saved::*name, uint64_t value);

}  // namespace upper
