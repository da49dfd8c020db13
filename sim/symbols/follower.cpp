#include "sim/symbols/follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace symbols {
namespace {

using loader::Bytes;
using support::Error;
using support::Result;
using trace::MicroOp;
using trace::Op;
using trace::Operand;
using Word = std::optional<uint64_t>;

constexpr int longest_path = 4096;          // instructions, over all branches
constexpr size_t most_alternatives = 32;
constexpr uint16_t volatile_registers = 1 << vtl::Rax | 1 << vtl::Rcx | 1 << vtl::Rdx | 0xf << vtl::R8;

bool begins(Bytes bytes, std::initializer_list<uint8_t> with) {
  return bytes.size() >= with.size() && std::equal(with.begin(), with.end(), bytes.begin());
}
uint64_t mask_of(uint8_t size) { return size >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * size)) - 1; }

}  // namespace

std::vector<uint8_t> read_code(const Frame& frame, const UnwindWorld& world, uint64_t address) {
  std::vector<uint8_t> bytes(trace::longest_instruction);
  if (world.read(frame.vtl, frame.cr3, abi::Gva{address}, bytes)) return bytes;
  const size_t in_page = std::min<size_t>(bytes.size(), abi::page_size - address % abi::page_size);
  bytes.resize(in_page);
  if (world.read(frame.vtl, frame.cr3, abi::Gva{address}, bytes)) return bytes;
  const auto code = world.code(frame.vtl, frame.cr3, address);
  if (!code || code->table == nullptr || address - code->base > 0xffffffff) return {};
  const Bytes from_file = code->table->bytes(static_cast<uint32_t>(address - code->base), trace::longest_instruction);
  return {from_file.begin(), from_file.end()};
}

Word read_word(const Frame& frame, const UnwindWorld& world, uint64_t address) {
  uint64_t value = 0;
  if (!world.read(frame.vtl, frame.cr3, abi::Gva{address}, {reinterpret_cast<uint8_t*>(&value), sizeof value}))
    return std::nullopt;
  return value;
}

Word Follower::load(const State& state, uint64_t address, uint8_t size) const {
  if (size == 0 || size > 8) return std::nullopt;
  for (const uint64_t word : {address / 8, (address + size - 1) / 8}) {
    const auto known = state.written.find(word);
    if (known == state.written.end()) continue;
    if (address % 8 != 0 || !known->second) return std::nullopt;
    return *known->second & mask_of(size);
  }
  uint64_t value = 0;
  if (!world_.read(state.frame.vtl, state.frame.cr3, abi::Gva{address}, {reinterpret_cast<uint8_t*>(&value), size}))
    return std::nullopt;
  return value;
}

void Follower::store(State& state, Word address, Word value, uint8_t size) {
  if (!address || size == 0) return;  // not to this stack, or there is nothing to be known
  if (size == 8 && *address % 8 == 0) {
    state.written[*address / 8] = value;
    return;
  }
  for (uint64_t word = *address / 8; word <= (*address + size - 1) / 8; ++word) state.written[word] = std::nullopt;
}

Word Follower::address(const State& state, const MicroOp& op) const {
  trace::Registers registers{};
  std::copy(state.frame.registers.gpr.begin(), state.frame.registers.gpr.end(), registers.begin());
  for (const uint8_t used : {op.base, op.index})
    if (used < vtl::gpr_count && !state.frame.knows(used)) return std::nullopt;
  if (op.segment_base == trace::fs_base) return std::nullopt;
  if (op.segment_base == trace::gs_base) {
    if (state.frame.registers.gs_base == 0) return std::nullopt;
    registers[trace::gs_base] = state.frame.registers.gs_base;
  }
  return op.address(registers, rip_);
}

Word Follower::get(const State& state, const MicroOp& op, const Operand& from) const {
  switch (from.kind) {
    case Operand::Kind::Register:
      if (!state.frame.knows(from.number)) return std::nullopt;
      return state.frame.registers.gpr[from.number] & mask_of(from.size);
    case Operand::Kind::Immediate: return from.value;
    case Operand::Kind::Memory: {
      const Word at = address(state, op);
      return at ? load(state, *at, from.size) : std::nullopt;
    }
    default: return std::nullopt;
  }
}

void Follower::set_register(State& state, uint8_t number, Word value) {
  FrameRegisters& registers = state.frame.registers;
  registers.gpr[number] = value.value_or(0);
  registers.known = static_cast<uint16_t>(value ? registers.known | 1u << number : registers.known & ~(1u << number));
}

void Follower::set(State& state, const MicroOp& op, const Operand& to, Word value) {
  if (to.kind == Operand::Kind::Memory) return store(state, address(state, op), value, to.size);
  if (to.kind != Operand::Kind::Register && to.kind != Operand::Kind::HighByte) return;
  if (to.kind == Operand::Kind::HighByte || to.size < 4) value.reset();  // a part of a register
  if (value) value = *value & mask_of(to.size);
  set_register(state, to.number, value);
}

void Follower::push(State& state, Word value) {
  const uint64_t sp = state.frame.sp() - 8;
  set_register(state, vtl::Rsp, sp);
  store(state, sp, value, 8);
}

bool Follower::pop(State& state, Word& value) {
  if (!state.frame.knows(vtl::Rsp)) {
    reason_ = "the stack pointer is not known";
    return false;
  }
  value = load(state, state.frame.sp(), 8);
  set_register(state, vtl::Rsp, state.frame.sp() + 8);
  return true;
}

Result<Frame> Follower::follow(const Frame& frame) {
  alternatives_.clear();
  reason_.clear();
  State state{frame, {}};
  std::string first_reason;
  for (int steps = 0; steps < longest_path; ++steps) {
    switch (step(state)) {
      case Next::On: continue;
      case Next::End: {
        Frame out = state.frame;
        out.trusted = false;
        return out;
      }
      case Next::Nowhere: break;
    }
    if (first_reason.empty()) first_reason = reason_;
    if (alternatives_.empty()) return Error{first_reason};
    state = std::move(alternatives_.back());
    alternatives_.pop_back();
  }
  return Error{fmt::format("the code at {:#x} does not end", frame.pc())};
}

Follower::Next Follower::step(State& state) {
  rip_ = state.frame.pc();
  std::vector<uint8_t> code = read_code(state.frame, world_, rip_);
  const uint8_t length = code.empty() ? uint8_t{0} : disassembler_.length(64, code);
  if (length == 0) {
    reason_ = fmt::format("there is no code at {:#x}", rip_);
    return Next::Nowhere;
  }
  code.resize(length);
  bool special = false;
  const Next next = step_special(state, code, special);
  if (special) return next;
  const MicroOp op = decoder_.decode(64, code);
  const uint64_t behind = rip_ + length;
  switch (op.op) {
    case Op::Ret: {
      Word caller;
      if (!pop(state, caller)) return Next::Nowhere;
      if (!caller) {
        reason_ = fmt::format("no return address can be read at {:#x}", state.frame.sp() - 8);
        return Next::Nowhere;
      }
      if (op.a.kind == Operand::Kind::Immediate) set_register(state, vtl::Rsp, state.frame.sp() + op.a.value);
      state.frame.registers.rip = *caller;
      state.frame.entered = Entered::Call;
      return Next::End;
    }
    case Op::Jmp: return jump(state, op, behind);
    case Op::Jcc:
      if (alternatives_.size() < most_alternatives) {
        alternatives_.push_back(state);
        alternatives_.back().frame.registers.rip = rip_ + op.a.value;
      }
      break;
    case Op::Call:
      state.frame.registers.known &= static_cast<uint16_t>(~volatile_registers);
      break;
    case Op::Other: execute_unknown(state, op, code); break;
    default: execute(state, op); break;
  }
  state.frame.registers.rip = behind;
  return Next::On;
}

/// What the decoder has no operation for, and what ends a path.
Follower::Next Follower::step_special(State& state, Bytes bytes, bool& special) {
  special = true;
  FrameRegisters& registers = state.frame.registers;
  if (begins(bytes, {0x0f, 0x0b}) || bytes[0] == 0xcc || bytes[0] == 0xf4) {
    reason_ = fmt::format("the code at {:#x} does not return", rip_);
    return Next::Nowhere;
  }
  if (begins(bytes, {0x48, 0xcf})) {
    if (!state.frame.knows(vtl::Rsp)) {
      reason_ = "the stack pointer is not known";
      return Next::Nowhere;
    }
    // What was pushed on the way is seen by this reader alone.
    UnwindWorld with_written = world_;
    with_written.read = [&](vtl::Vtl vtl, uint64_t cr3, abi::Gva at, std::span<uint8_t> to) {
      const auto known = state.written.find(at.value() / 8);
      if (known == state.written.end() || to.size() != 8) return world_.read(vtl, cr3, at, to);
      if (known->second) std::memcpy(to.data(), &*known->second, 8);
      return known->second.has_value();
    };
    auto outer = pop_machine_frame(state.frame, with_written, state.frame.sp());
    if (!outer) {
      reason_ = outer.error().message;
      return Next::Nowhere;
    }
    state.frame = outer.value();
    return Next::End;
  }
  if (begins(bytes, {0x48, 0x0f, 0x07})) {
    if (!state.frame.knows(vtl::Rcx)) {
      reason_ = "SYSRET's address is not known";
      return Next::Nowhere;
    }
    registers.rip = registers.gpr[vtl::Rcx];
    state.frame.ring = 3;
    state.frame.entered = Entered::SystemCall;
    return Next::End;
  }
  if (begins(bytes, {0x0f, 0x01, 0xf8})) {
    std::swap(registers.gs_base, registers.kernel_gs_base);
  } else if (bytes[0] == 0x9c) {
    push(state, std::nullopt);
  } else if (bytes[0] == 0x9d) {
    Word flags;
    if (!pop(state, flags)) return Next::Nowhere;
  } else {
    special = false;
    return Next::On;
  }
  registers.rip = rip_ + bytes.size();
  return Next::On;
}

Follower::Next Follower::jump(State& state, const MicroOp& op, uint64_t) {
  const Word target = op.a.kind == Operand::Kind::Immediate ? Word{rip_ + op.a.value} : get(state, op, op.a);
  if (!target) {
    reason_ = fmt::format("where the jump at {:#x} leads is not known", rip_);
    return Next::Nowhere;
  }
  state.frame.registers.rip = *target;
  // Into the beginning of a function with .pdata: its caller is what lies on the stack now.
  const auto code = world_.code(state.frame.vtl, state.frame.cr3, *target);
  if (!code || code->table == nullptr || *target - code->base > 0xffffffff) return Next::On;
  const auto rva = static_cast<uint32_t>(*target - code->base);
  const UnwindTable::Entry* entry = code->table->find(rva);
  if (entry == nullptr || entry->begin != rva) return Next::On;
  Word caller;
  if (!pop(state, caller) || !caller) {
    reason_ = fmt::format("no return address can be read for the function at {:#x}", *target);
    return Next::Nowhere;
  }
  state.frame.registers.rip = *caller;
  state.frame.entered = Entered::Call;
  return Next::End;
}

void Follower::execute(State& state, const MicroOp& op) {
  const Operand &a = op.a, &b = op.b;
  switch (op.op) {
    case Op::Mov: return set(state, op, a, get(state, op, b));
    case Op::Lea: return set(state, op, a, address(state, op));
    case Op::Push: return push(state, get(state, op, a));
    case Op::Pop: {
      Word value;
      if (pop(state, value)) set(state, op, a, value);
      return;
    }
    case Op::Leave: {
      const bool known = state.frame.knows(vtl::Rbp);
      set_register(state, vtl::Rsp, known ? Word{state.frame.registers.gpr[vtl::Rbp]} : Word{});
      Word value;
      if (pop(state, value)) set_register(state, vtl::Rbp, value);
      return;
    }
    case Op::Xchg: {
      const Word first = get(state, op, a), second = get(state, op, b);
      set(state, op, b, first);
      return set(state, op, a, second);
    }
    case Op::Cmp:
    case Op::Test:
    case Op::BitTest: return;
    default: return arithmetic(state, op);
  }
}

void Follower::arithmetic(State& state, const MicroOp& op) {
  const Word a = get(state, op, op.a), b = get(state, op, op.b);
  const bool known = a.has_value() && b.has_value();
  Word result;
  switch (op.op) {
    case Op::Add: if (known) result = *a + *b; break;
    case Op::Sub: if (known) result = *a - *b; break;
    case Op::And: if (known) result = *a & *b; break;
    case Op::Or: if (known) result = *a | *b; break;
    case Op::Xor:
      if (known) result = *a ^ *b;
      if (op.a.kind == Operand::Kind::Register && op.b.kind == op.a.kind && op.a.number == op.b.number) result = 0;
      break;
    case Op::Inc: if (a) result = *a + 1; break;
    case Op::Dec: if (a) result = *a - 1; break;
    case Op::MoveString:
    case Op::StoreString:
      for (const uint8_t gpr : {vtl::Rdi, vtl::Rsi, vtl::Rcx}) set_register(state, gpr, std::nullopt);
      return;
    case Op::SignExtend: return set_register(state, vtl::Rax, std::nullopt);
    case Op::SignFill: return set_register(state, vtl::Rdx, std::nullopt);
    case Op::Mul:
    case Op::ImulWide:
      set_register(state, vtl::Rax, std::nullopt);
      return set_register(state, vtl::Rdx, std::nullopt);
    default: break;
  }
  set(state, op, op.a, result);
}

/// System and vector instructions. Most leave the general registers alone; the others answer in RAX to RDX.
void Follower::execute_unknown(State& state, const MicroOp& op, Bytes bytes) {
  if (op.a.kind == Operand::Kind::Register) set_register(state, op.a.number, std::nullopt);
  if (op.a.kind == Operand::Kind::Memory) store(state, address(state, op), std::nullopt, op.a.size);
  const bool flag = bytes.size() == 1 && bytes[0] >= 0xf8 && bytes[0] <= 0xfd;  // CLC .. STD
  const auto first = std::find_if(bytes.begin(), bytes.end(), [](uint8_t b) {
    return !(b == 0x66 || b == 0xf2 || b == 0xf3 || (b >= 0x40 && b <= 0x4f));  // prefixes
  });
  const bool two = bytes.end() - first >= 2 && first[0] == 0x0f;
  const bool vector_move = two && ((first[1] >= 0x10 && first[1] <= 0x17) || (first[1] >= 0x28 && first[1] <= 0x29) ||
                                   (first[1] >= 0x54 && first[1] <= 0x57) || first[1] == 0x1e || first[1] == 0x1f ||
                                   first[1] == 0xae);
  const bool nop = bytes.end() - first == 1 && first[0] == 0x90;
  if (flag || vector_move || nop) return;
  for (const uint8_t gpr : {vtl::Rax, vtl::Rcx, vtl::Rdx, vtl::Rbx}) set_register(state, gpr, std::nullopt);
}

}  // namespace symbols
