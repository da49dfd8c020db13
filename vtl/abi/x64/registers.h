#pragma once
// Bits of the processor's registers, under their SDM names (SDM vol. 3, 2.3, 2.5; vol. 1, 3.4.3). Freestanding.
#include <stdint.h>

namespace abi::x64 {

/// RFLAGS (SDM vol. 1, 3.4.3).
namespace rflags {
inline constexpr uint64_t cf = 1u << 0, always_one = 1u << 1, pf = 1u << 2, af = 1u << 4,
                          zf = 1u << 6;
inline constexpr uint64_t sf = 1u << 7, tf = 1u << 8, if_ = 1u << 9, df = 1u << 10, of = 1u << 11;
inline constexpr uint64_t iopl = 3u << 12, nt = 1u << 14, rf = 1u << 16, vm = 1u << 17,
                          ac = 1u << 18;
inline constexpr uint64_t vif = 1u << 19, vip = 1u << 20, id = 1u << 21;
/// The six that arithmetic writes.
inline constexpr uint64_t arithmetic = cf | pf | af | zf | sf | of;
/// All that exist; bit 1 reads as one, everything else as zero.
inline constexpr uint64_t defined =
    arithmetic | tf | if_ | df | iopl | nt | rf | vm | ac | vif | vip | id;
}  // namespace rflags

/// CR0 (SDM vol. 3, 2.5).
namespace cr0 {
inline constexpr uint64_t pe = 1u << 0, mp = 1u << 1, em = 1u << 2, ts = 1u << 3, et = 1u << 4,
                          ne = 1u << 5;
inline constexpr uint64_t wp = 1u << 16, am = 1u << 18, nw = 1u << 29, cd = 1u << 30,
                          pg = uint64_t{1} << 31;
}  // namespace cr0

/// CR4 (SDM vol. 3, 2.5).
namespace cr4 {
inline constexpr uint64_t vme = 1u << 0, pvi = 1u << 1, tsd = 1u << 2, de = 1u << 3, pse = 1u << 4,
                          pae = 1u << 5;
inline constexpr uint64_t mce = 1u << 6, pge = 1u << 7, pce = 1u << 8, osfxsr = 1u << 9,
                          osxmmexcpt = 1u << 10;
inline constexpr uint64_t umip = 1u << 11, la57 = 1u << 12, vmxe = 1u << 13, fsgsbase = 1u << 16,
                          pcide = 1u << 17;
inline constexpr uint64_t osxsave = 1u << 18, smep = 1u << 20, smap = 1u << 21;
}  // namespace cr4

/// XCR0 and the area of XSAVE in the standard form (SDM vol. 1, 13.2 to 13.4). x87 and SSE are all there is.
namespace xcr0 {
inline constexpr uint64_t x87 = 1u << 0, sse = 1u << 1, supported = x87 | sse;
inline constexpr uint32_t area_bytes = 576;
}  // namespace xcr0

/// IA32_EFER (SDM vol. 3, 2.2.1).
namespace efer {
inline constexpr uint64_t sce = 1u << 0, lme = 1u << 8, lma = 1u << 10, nxe = 1u << 11;
}  // namespace efer

/// DR6 and DR7 (SDM vol. 3, 18.2).
namespace dr6 {
inline constexpr uint64_t fixed_ones = 0xffff0ff0, bs = 1u << 14, bd = 1u << 13, breakpoints = 0xf;
}  // namespace dr6
namespace dr7 {
inline constexpr uint64_t fixed_one = 1u << 10, gd = 1u << 13, enables = 0xff;
}  // namespace dr7

/// Attributes of a segment as HV_X64_SEGMENT_REGISTER has them (TLFS 7.8): bits 40:47 and 52:55 of the descriptor.
namespace segment {
inline constexpr uint16_t accessed = 1u << 0, writable_or_readable = 1u << 1,
                          expand_down_or_conforming = 1u << 2;
inline constexpr uint16_t code = 1u << 3, type = 0xf, s = 1u << 4, dpl = 3u << 5, present = 1u << 7;
inline constexpr uint16_t avl = 1u << 12, long_mode = 1u << 13, default_big = 1u << 14,
                          granularity = 1u << 15;
inline constexpr uint16_t dpl_shift = 5;
/// System types (SDM vol. 3, table 3-2), 64-bit forms.
inline constexpr uint16_t type_ldt = 2, type_tss_available = 9, type_tss_busy = 11,
                          type_call_gate = 12;
inline constexpr uint16_t type_interrupt_gate = 14, type_trap_gate = 15;
}  // namespace segment

}  // namespace abi::x64
