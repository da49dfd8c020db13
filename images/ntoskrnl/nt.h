#pragma once
// What every component of this kernel shares. Windows' own things keep Windows' names; layouts are
// published ones where a source names them and ours otherwise. The normal kernel runs in VTL 0 and
// is not trusted by the secure kernel (S67).
#include <stddef.h>
#include <stdint.h>

#include <string_view>

#include "abi/boot/nt_loader_block.h"
#include "abi/boot/virtual_layout.h"
#include "abi/sk/status.h"
#include "rt/arch.h"
#include "rt/print.h"

using abi::NtStatus;
using abi::succeeded;
using abi::boot::NtLoaderBlock;

struct KTHREAD;
struct EPROCESS;

inline constexpr uint64_t PAGE_SIZE = 4096;
inline constexpr uint64_t page_of(uint64_t address) {
  return address / PAGE_SIZE;
}
inline constexpr uint64_t pages_for(uint64_t bytes) {
  return (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

/// Status values that do not cross between the worlds and are therefore not in abi/sk/status.h.
namespace nt_status {
inline constexpr auto Breakpoint = static_cast<NtStatus>(0x80000003);
inline constexpr auto DivideByZero = static_cast<NtStatus>(0xC0000094);
inline constexpr auto InvalidCid = static_cast<NtStatus>(0xC000000B);
inline constexpr auto SemaphoreLimitExceeded = static_cast<NtStatus>(0xC0000047);
}  // namespace nt_status

extern NtLoaderBlock* KeLoaderBlock;

/// Debug output: one Print record at the observation port, and COM1.
void DbgPrintText(std::string_view text);
template <typename... T>
void DbgPrintEx(std::string_view pattern, const T&... values) {
  char text[256];
  DbgPrintText(rt::print(text, pattern, values...));
}
