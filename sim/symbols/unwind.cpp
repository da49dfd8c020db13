#include "sim/symbols/unwind.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/symbols/follower.h"

namespace symbols {
namespace {

using loader::Bytes;
using support::Error;
using support::Result;
using support::Status;
using support::Unit;

/// UNWIND_CODE operations.
enum Operation : uint8_t {
  push_nonvolatile,
  allocate_large,
  allocate_small,
  set_frame_register,
  save_nonvolatile,
  save_nonvolatile_far,
  epilogue,
  spare,
  save_xmm128,
  save_xmm128_far,
  push_machine_frame
};
constexpr uint8_t flag_chained = 4;
constexpr int longest_chain = 32;
constexpr uint16_t volatile_registers = 1 << vtl::Rax | 1 << vtl::Rcx | 1 << vtl::Rdx | 0xf << vtl::R8;

struct Code {
  uint8_t offset{};  ///< of the end of its instruction in the prologue
  uint8_t operation{}, info{};
  uint32_t operand{};  ///< of those that have more slots, in bytes
};

/// UNWIND_INFO, checked.
struct Info {
  uint8_t version{}, flags{}, prologue{}, frame_register{}, frame_offset{};
  std::vector<Code> codes;
  struct Epilogue {
    uint32_t from_end{}, size{};  ///< bytes
  };
  std::vector<Epilogue> epilogues;  ///< version 2
  std::optional<UnwindTable::Entry> chained;
};

uint32_t slots_of(uint8_t version, uint8_t operation, uint8_t info) {
  switch (operation) {
    case allocate_large: return info == 0 ? 2 : 3;
    case save_nonvolatile:
    case save_xmm128: return 2;
    case save_nonvolatile_far:
    case save_xmm128_far: return 3;
    case epilogue: return version >= 2 ? 1 : 2;  // version 1: UWOP_SAVE_XMM, never used on x64
    case spare: return 3;
    default: return 1;
  }
}

/// The operand of `operation` in the slots behind it, in bytes.
uint32_t operand_of(Bytes slots, uint8_t operation, uint8_t info) {
  const uint32_t one = loader::read_at<uint16_t>(slots, 2).value_or(0);
  const uint32_t two = loader::read_at<uint32_t>(slots, 2).value_or(0);
  switch (operation) {
    case allocate_large: return info == 0 ? one * 8 : two;
    case allocate_small: return info * 8u + 8;
    case save_nonvolatile: return one * 8;
    case save_nonvolatile_far: return two;
    default: return 0;
  }
}

/// The first one says how long each epilogue is, and whether one ends the function; the others where they begin.
void note_epilogue(Info& info, Bytes slot, uint8_t offset, uint8_t bits) {
  (void)slot;
  if (info.epilogues.empty()) {
    info.epilogues.push_back({(bits & 1) != 0 ? offset : 0u, offset});
  } else if (const uint32_t from_end = offset | static_cast<uint32_t>(bits) << 8; from_end != 0) {
    info.epilogues.push_back({from_end, info.epilogues[0].size});
  }
}

Result<Info> read_info(const UnwindTable& table, uint32_t rva) {
  const Bytes header = table.bytes(rva, 4);
  if (header.size() < 4 || rva % 4 != 0)
    return Error{fmt::format("the unwind information at {:#x} lies outside the image", rva)};
  Info info;
  info.version = header[0] & 7;
  info.flags = header[0] >> 3;
  info.prologue = header[1];
  info.frame_register = header[3] & 15;
  info.frame_offset = header[3] >> 4;
  if (info.version != 1 && info.version != 2)
    return Error{fmt::format("the unwind information at {:#x} has version {}", rva, info.version)};
  const uint32_t count = header[2];
  const Bytes codes = table.bytes(rva + 4, count * 2u);
  if (codes.size() < count * 2u) return Error{fmt::format("the unwind codes at {:#x} lie outside the image", rva + 4)};
  for (uint32_t i = 0; i < count;) {
    const Bytes slots = codes.subspan(i * 2u);
    const Code code{slots[0], static_cast<uint8_t>(slots[1] & 15), static_cast<uint8_t>(slots[1] >> 4),
                    operand_of(slots, slots[1] & 15, static_cast<uint8_t>(slots[1] >> 4))};
    const uint32_t size = slots_of(info.version, code.operation, code.info);
    if (code.operation > push_machine_frame || i + size > count)
      return Error{fmt::format("the unwind code at {:#x} is not one", rva + 4 + i * 2)};
    if (code.operation == epilogue && info.version >= 2) note_epilogue(info, slots, code.offset, code.info);
    else info.codes.push_back(code);
    i += size;
  }
  if ((info.flags & flag_chained) != 0) {
    const Bytes next = table.bytes(rva + 4 + (count + 1) / 2 * 4, sizeof(UnwindTable::Entry));
    info.chained = loader::read_at<UnwindTable::Entry>(next, 0);
    if (!info.chained) return Error{fmt::format("the unwind information at {:#x} is chained to nothing", rva)};
  }
  return info;
}

/// One frame of a function that .pdata describes.
class DescribedFrame {
 public:
  DescribedFrame(const Frame& frame, const UnwindWorld& world, const UnwindWorld::Code& code,
                 const UnwindTable::Entry& entry)
      : in_{frame}, out_{frame}, world_{world}, code_{code}, entry_{entry} {}

  Result<Frame> caller() {
    const uint64_t position = in_.pc() - code_.base - entry_.begin;
    Info info = TRY(read_info(*code_.table, entry_.unwind));
    if (in_.entered != Entered::Call) {
      const bool listed = in_listed_epilogue(info, position);
      if (in_epilogue(info, listed)) return leave_through_epilogue();
      out_.registers.gpr[vtl::Rsp] += flags_in_transit();
    }
    TRY(undo(info, position));
    for (int depth = 0; info.chained && !machine_frame_; ++depth) {
      if (depth == longest_chain) return Error{"the chain of unwind information does not end"};
      info = TRY(read_info(*code_.table, info.chained->unwind));
      TRY(undo(info, ~uint64_t{0}));
    }
    if (machine_frame_) {
      // Where the entry code put the volatile registers, no unwind code says.
      out_.registers.known &= static_cast<uint16_t>(~volatile_registers);
      return pop_machine_frame(out_, world_, out_.sp());
    }
    TRY(pop(out_.registers.rip));
    out_.entered = Entered::Call;
    return finish();
  }

 private:
  Result<Frame> finish() {
    out_.registers.known &= static_cast<uint16_t>(~volatile_registers);
    out_.trusted = true;
    return out_;
  }

  Status pop(uint64_t& value) {
    const auto word = read_word(out_, world_, out_.sp());
    if (!word) return Error{fmt::format("the stack at {:#x} cannot be read", out_.sp())};
    value = *word;
    out_.registers.gpr[vtl::Rsp] += 8;
    return Unit{};
  }
  Status load(uint8_t gpr, uint64_t address) {
    const auto word = read_word(out_, world_, address);
    if (!word) return Error{fmt::format("the stack at {:#x} cannot be read", address)};
    out_.registers.gpr[gpr] = *word;
    out_.registers.known |= static_cast<uint16_t>(1u << gpr);
    return Unit{};
  }

  /// Kernels save and restore RFLAGS with a PUSH and a POP in the middle of compiled functions. Bytes that lie on the
  /// stack between the two, which no unwind code tells.
  [[nodiscard]] uint64_t flags_in_transit() const {
    const std::vector<uint8_t> bytes = read_code(in_, world_, in_.pc());
    if (!bytes.empty() && bytes[0] == 0x9d) return 8;  // POPFQ is next
    std::array<uint8_t, 1> before{};
    const bool pushed = world_.read(in_.vtl, in_.cr3, abi::Gva{in_.pc() - 1}, before) && before[0] == 0x9c;
    const size_t rex = !bytes.empty() && bytes[0] == 0x41 ? 1 : 0;
    return pushed && bytes.size() > rex && (bytes[rex] & 0xf8) == 0x58 ? 8 : 0;
  }

  /// Takes back what the prologue did up to `position`.
  Status undo(const Info& info, uint64_t position) {
    const auto done = [&](const Code& code) { return position >= info.prologue || position >= code.offset; };
    // Where saves are counted from: RSP after the prologue, or what the frame register keeps of it.
    uint64_t base = out_.sp();
    if (info.frame_register != 0) {
      for (const Code& code : info.codes) {
        if (code.operation != set_frame_register || !done(code)) continue;
        if (!out_.knows(info.frame_register))
          return Error{"the frame's register is not known: another VTL uses it now"};
        base = frame_base(info);
      }
    }
    for (const Code& code : info.codes) {
      if (!done(code)) continue;
      switch (code.operation) {
        case push_nonvolatile:
          TRY(load(code.info, out_.sp()));
          if (code.info != vtl::Rsp) out_.registers.gpr[vtl::Rsp] += 8;
          break;
        case allocate_large:
        case allocate_small: out_.registers.gpr[vtl::Rsp] += code.operand; break;
        case set_frame_register: out_.registers.gpr[vtl::Rsp] = frame_base(info); break;
        case save_nonvolatile:
        case save_nonvolatile_far: TRY(load(code.info, base + code.operand)); break;
        case push_machine_frame:
          machine_frame_ = true;
          if (code.info != 0) out_.registers.gpr[vtl::Rsp] += 8;  // the error code
          return Unit{};
        default: break;  // vector registers are not followed
      }
    }
    return Unit{};
  }
  [[nodiscard]] uint64_t frame_base(const Info& info) const {
    return out_.registers.gpr[info.frame_register] - info.frame_offset * 16u;
  }

  [[nodiscard]] bool in_listed_epilogue(const Info& info, uint64_t position) const {
    const uint64_t from_end = entry_.end - entry_.begin - position;
    return std::any_of(info.epilogues.begin(), info.epilogues.end(), [&](const Info::Epilogue& one) {
      return from_end <= one.from_end && one.from_end - from_end < one.size;
    });
  }

  /// The rest of an epilogue: [ADD RSP, n or LEA RSP, [frame register + n]], POPs, RET or a jump out of the function.
  bool in_epilogue(const Info& info, bool listed) {
    epilogue_ = out_;
    for (bool first = true;; first = false) {
      const std::vector<uint8_t> bytes = read_code(epilogue_, world_, epilogue_.pc());
      const size_t length = first ? release_length(bytes, info) : 0;
      if (length != 0) {
        epilogue_.registers.rip += length;
        continue;
      }
      const size_t rex = !bytes.empty() && (bytes[0] & 0xf0) == 0x40 ? 1 : 0;
      if (bytes.size() > rex && (bytes[rex] & 0xf8) == 0x58 && (rex == 0 || bytes[0] == 0x41)) {
        const auto word = read_word(epilogue_, world_, epilogue_.sp());
        if (!word) return false;
        const auto gpr = static_cast<uint8_t>((bytes[rex] & 7) + (rex != 0 ? 8 : 0));
        epilogue_.registers.gpr[vtl::Rsp] += 8;
        epilogue_.registers.gpr[gpr] = *word;
        epilogue_.registers.known |= static_cast<uint16_t>(1u << gpr);
        epilogue_.registers.rip += rex + 1;
        continue;
      }
      return leaves(bytes, listed);
    }
  }

  /// Bytes of an instruction that gives the frame's space back, which is done to epilogue_; 0 if it is none.
  size_t release_length(Bytes bytes, const Info& info) {
    if (bytes.size() < 8) return 0;
    uint64_t& sp = epilogue_.registers.gpr[vtl::Rsp];
    if (bytes[0] == 0x48 && bytes[1] == 0x83 && bytes[2] == 0xc4) {
      sp += static_cast<uint64_t>(int64_t{static_cast<int8_t>(bytes[3])});
      return 4;
    }
    if (bytes[0] == 0x48 && bytes[1] == 0x81 && bytes[2] == 0xc4) {
      sp += static_cast<uint64_t>(int64_t{*loader::read_at<int32_t>(bytes, 3)});
      return 7;
    }
    const bool lea = (bytes[0] & 0xfe) == 0x48 && bytes[1] == 0x8d && (bytes[2] & 0x38) == 0x20;
    const auto from = static_cast<uint8_t>((bytes[2] & 7) + (bytes[0] & 1) * 8);
    if (!lea || info.frame_register == 0 || from != info.frame_register || (bytes[2] & 7) == 4) return 0;
    const uint8_t mode = bytes[2] >> 6;
    if ((mode != 1 && mode != 2) || !epilogue_.knows(from)) return 0;
    const int64_t offset =
        mode == 1 ? int64_t{static_cast<int8_t>(bytes[3])} : int64_t{*loader::read_at<int32_t>(bytes, 3)};
    sp = epilogue_.registers.gpr[from] + static_cast<uint64_t>(offset);
    return mode == 1 ? 4 : 7;
  }

  [[nodiscard]] bool leaves(Bytes bytes, bool listed) const {
    if (bytes.empty()) return false;
    if (bytes[0] == 0xc3 || bytes[0] == 0xc2) return true;
    if (bytes.size() >= 2 && bytes[0] == 0xf3 && bytes[1] == 0xc3) return true;
    const uint64_t at = epilogue_.pc() - code_.base;
    const auto outside = [&](uint64_t target) { return target <= entry_.begin || target >= entry_.end; };
    if (bytes[0] == 0xeb && bytes.size() >= 2)
      return listed || outside(at + 2 + static_cast<uint64_t>(int64_t{static_cast<int8_t>(bytes[1])}));
    if (bytes[0] == 0xe9 && bytes.size() >= 5)
      return listed || outside(at + 5 + static_cast<uint64_t>(int64_t{*loader::read_at<int32_t>(bytes, 1)}));
    // JMP through memory or a register: only with REX.W is it an epilogue's, by the rules of version 1.
    const size_t rex = (bytes[0] & 0xf0) == 0x40 ? 1 : 0;
    const bool indirect = bytes.size() >= rex + 2 && bytes[rex] == 0xff && (bytes[rex + 1] & 0x38) == 0x20;
    return indirect && (listed || (rex != 0 && (bytes[0] & 8) != 0) || bytes[rex + 1] == 0x25);
  }

  Result<Frame> leave_through_epilogue() {
    out_ = epilogue_;
    TRY(pop(out_.registers.rip));
    out_.entered = Entered::Call;
    return finish();
  }

  const Frame& in_;
  Frame out_, epilogue_;
  const UnwindWorld& world_;
  UnwindWorld::Code code_;
  UnwindTable::Entry entry_;
  bool machine_frame_{};
};

bool canonical(uint64_t address) {
  const uint64_t top = address >> 47;
  return top == 0 || top == 0x1ffff;
}

Result<Frame> find_caller(const Frame& frame, const UnwindWorld& world) {
  // A call may be the last instruction of a function: what decides is the call, not what follows it.
  const uint64_t within = frame.entered == Entered::Call ? frame.pc() - 1 : frame.pc();
  const auto code = world.code(frame.vtl, frame.cr3, within);
  if (code && code->table != nullptr && within - code->base <= 0xffffffff)
    if (const auto* entry = code->table->find(static_cast<uint32_t>(within - code->base)))
      return DescribedFrame{frame, world, *code, *entry}.caller();
  auto followed = Follower{world}.follow(frame);
  if (followed || frame.entered == Entered::Call) return followed;
  // A leaf whose end cannot be found, or a call that led where no code is: it has not touched the stack.
  const auto caller = read_word(frame, world, frame.sp());
  if (!caller || *caller == 0 || !world.code(frame.vtl, frame.cr3, *caller)) return followed;
  Frame out = frame;
  out.registers.gpr[vtl::Rsp] += 8;
  out.registers.rip = *caller;
  out.entered = Entered::Call;
  out.trusted = false;
  return out;
}

}  // namespace

std::string_view word_of(Entered entered) {
  switch (entered) {
    case Entered::Call: return "call";
    case Entered::Interrupt: return "interrupt";
    case Entered::SystemCall: return "system_call";
    case Entered::VtlCall: return "vtl_call";
    case Entered::VtlReturn: return "vtl_return";
    case Entered::Start: break;
  }
  return "start";
}

Result<Frame> pop_machine_frame(const Frame& frame, const UnwindWorld& world, uint64_t sp) {
  constexpr uint64_t words = 5;
  uint64_t value[words] = {};
  for (uint64_t i = 0; i < words; ++i) {
    const auto word = read_word(frame, world, sp + i * 8);
    if (!word) return Error{fmt::format("the interrupt's frame at {:#x} cannot be read", sp)};
    value[i] = *word;
  }
  Frame out = frame;
  out.ring = value[1] & 3;
  out.registers.rip = value[0];
  out.registers.gpr[vtl::Rsp] = value[3];
  out.registers.known |= static_cast<uint16_t>(1u << vtl::Rsp);
  out.trusted = true;
  // Kernels leave SYSCALL by IRET too: then SYSCALL is what lies before.
  std::array<uint8_t, 2> before{};
  const bool called = out.ring != frame.ring && world.read(out.vtl, out.cr3, abi::Gva{out.pc() - 2}, before) &&
                      before[0] == 0x0f && before[1] == 0x05;
  out.entered = called ? Entered::SystemCall : Entered::Interrupt;
  return out;
}

Result<Frame> unwind_once(const Frame& frame, const UnwindWorld& world) {
  if (!frame.knows(vtl::Rsp)) return Error{"the stack pointer is not known"};
  Frame caller = TRY(find_caller(frame, world));
  caller.index = frame.index + 1;
  if (caller.pc() == 0) return Error{"the return address is 0"};
  if (!canonical(caller.pc())) return Error{fmt::format("the return address {:#x} is none", caller.pc())};
  if (caller.pc() == frame.pc() && caller.sp() == frame.sp()) return Error{"the frame is its own caller"};
  return caller;
}

Stack unwind(const Frame& innermost, const UnwindWorld& world, size_t maximum) {
  Stack stack;
  stack.frames.push_back(innermost);
  stack.why = "there are more frames than were asked for";
  vtl::VtlArray<bool> left{};
  while (stack.frames.size() < maximum) {
    const Frame& last = stack.frames.back();
    auto next = unwind_once(last, world);
    if (next) {
      stack.frames.push_back(next.value());
      continue;
    }
    stack.why = next.error().message;
    if (left[last.vtl] || !world.beyond) break;
    left[last.vtl] = true;
    auto beyond = world.beyond(last.vtl);
    if (!beyond) break;
    beyond->index = last.index + 1;
    stack.frames.push_back(*beyond);
  }
  return stack;
}

}  // namespace symbols
