#pragma once
// Counting without a call. The library calls a block hook at the head of every block that it translates; here this call is
// replaced, in the translated code, by the counting itself (docs/decisions/0043-blocks-count-themselves.md).
#include <cstddef>
#include <cstdint>
#include <span>

namespace cpu {

/// What translated blocks work on. It lies before the engine's register file, which they address: the first word is the
/// library's, which each block tests for a request to stop; what follows is unused in it, as calibration confirms.
struct BlockCounter {
  int32_t stop_request;
  uint32_t entered;  ///< number of the block that counted itself last
  int64_t left;      ///< instructions up to the next look. A block that makes it negative calls the hook
};
static_assert(sizeof(BlockCounter) == 16);

/// A call of the block hook as the library translates it.
struct HookCall {
  const void* hook{};    ///< the function
  const void* engine{};  ///< uc_engine*, the first argument
  uint64_t address{};    ///< of the block
  uint32_t size{};       ///< in bytes
  const void* user{};    ///< the last argument
};

/// Bytes before and behind the return address that are looked at.
inline constexpr size_t longest_hook_call = 10 + 10 + 5 + 10 + 6, behind_hook_call = 3;

/// Rewrites a call of the hook in place. `code` has longest_hook_call bytes before the return address and behind_hook_call
/// bytes behind it. Afterwards the block takes `count` from BlockCounter::left, writes `number` to `entered` and goes on;
/// only if `left` has become negative, it calls the hook, with call.user + 1 as the last argument and the others undefined.
/// Null, and nothing changed, unless every byte is as expected and there is room; otherwise the place of the decision
/// whether to call. call.user is even.
[[nodiscard]] uint8_t* count_in_place(std::span<uint8_t, longest_hook_call + behind_hook_call> code, const HookCall& call,
                                  uint16_t count, uint32_t number);

/// Where coverage is kept, and what one block adds to it: see BlockCoverage. All places are below 2 GiB.
struct CoverageOfBlock {
  uint32_t* previous{};  ///< of the processor
  uint8_t* edges{};
  uint8_t* block{};      ///< its byte
  uint32_t target{};     ///< of edges to it
  uint32_t next{};       ///< what *previous becomes
  uint32_t nothing{};    ///< the bit of *previous that leads to counters of nobody
};

/// Longest code that a covered block has outside of its translation.
inline constexpr size_t longest_outside = 96;

/// The same with coverage, which needs room: the block jumps to `outside`, within 2 GiB of it, and comes back. Null also if
/// it is not that near.
[[nodiscard]] uint8_t* count_outside(std::span<uint8_t, longest_hook_call + behind_hook_call> code, const HookCall& call,
                                     uint16_t count, uint32_t number, const CoverageOfBlock& coverage,
                                     std::span<uint8_t, longest_outside> outside);

/// From now on block `number`, rewritten at `place`, calls the hook each time, or no longer. Nothing happens if the library
/// has put other code there in the meantime.
void call_always(uint8_t* place, uint32_t number, bool always);

/// Memory of this process that may be written and executed and holds `address`: empty if there is none.
[[nodiscard]] std::span<uint8_t> writable_code_at(const void* address);

}  // namespace cpu
