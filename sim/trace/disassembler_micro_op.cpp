#include "sim/trace/micro_op.h"

#include <capstone/capstone.h>

#include <algorithm>

#include "sim/support/check.h"
#include "sim/trace/disassembler_registers.h"

namespace trace {
namespace {

struct OpRow {
  unsigned id;
  Op op;
};
/// Sorted by nothing: looked up once for each instruction of the code, not of the run.
constexpr OpRow rows[] = {
    {X86_INS_MOV, Op::Mov},       {X86_INS_MOVABS, Op::Mov},      {X86_INS_MOVZX, Op::Mov},
    {X86_INS_MOVSX, Op::MovSigned}, {X86_INS_MOVSXD, Op::MovSigned}, {X86_INS_LEA, Op::Lea},
    {X86_INS_ADD, Op::Add},       {X86_INS_ADC, Op::Adc},         {X86_INS_SUB, Op::Sub},
    {X86_INS_SBB, Op::Sbb},       {X86_INS_CMP, Op::Cmp},         {X86_INS_AND, Op::And},
    {X86_INS_OR, Op::Or},         {X86_INS_XOR, Op::Xor},         {X86_INS_TEST, Op::Test},
    {X86_INS_INC, Op::Inc},       {X86_INS_DEC, Op::Dec},         {X86_INS_NEG, Op::Neg},
    {X86_INS_NOT, Op::Not},       {X86_INS_SHL, Op::Shl},         {X86_INS_SAL, Op::Shl},
    {X86_INS_SHR, Op::Shr},       {X86_INS_SAR, Op::Sar},         {X86_INS_ROL, Op::Rol},
    {X86_INS_ROR, Op::Ror},       {X86_INS_MUL, Op::Mul},         {X86_INS_PUSH, Op::Push},
    {X86_INS_POP, Op::Pop},       {X86_INS_CALL, Op::Call},       {X86_INS_RET, Op::Ret},
    {X86_INS_JMP, Op::Jmp},       {X86_INS_XCHG, Op::Xchg},       {X86_INS_BSWAP, Op::Bswap},
    {X86_INS_BT, Op::BitTest},    {X86_INS_LEAVE, Op::Leave},     {X86_INS_CBW, Op::SignExtend},
    {X86_INS_CWDE, Op::SignExtend}, {X86_INS_CDQE, Op::SignExtend}, {X86_INS_CWD, Op::SignFill},
    {X86_INS_CDQ, Op::SignFill},  {X86_INS_CQO, Op::SignFill},    {X86_INS_MOVSB, Op::MoveString},
    {X86_INS_MOVSW, Op::MoveString}, {X86_INS_MOVSQ, Op::MoveString}, {X86_INS_STOSB, Op::StoreString},
    {X86_INS_STOSW, Op::StoreString}, {X86_INS_STOSD, Op::StoreString}, {X86_INS_STOSQ, Op::StoreString},
};

Op op_of(const cs_insn& instruction) {
  const cs_x86& x86 = instruction.detail->x86;
  const uint8_t first = x86.opcode[0], second = x86.opcode[1];
  if ((first & 0xf0) == 0x70 || (first == 0x0f && (second & 0xf0) == 0x80)) return Op::Jcc;
  if (first == 0x0f && (second & 0xf0) == 0x90) return Op::Setcc;
  if (first == 0x0f && (second & 0xf0) == 0x40) return Op::Cmovcc;
  // MOVSD is also a move of a double.
  if (instruction.id == X86_INS_MOVSD) return first == 0xa5 ? Op::MoveString : Op::Other;
  if (instruction.id == X86_INS_IMUL) return x86.op_count == 1 ? Op::ImulWide : Op::Imul;
  // Moves from and to control, debug and segment registers look like moves.
  if (first == 0x0f && (second >= 0x20 && second <= 0x23)) return Op::Other;
  if (first == 0x8c || first == 0x8e) return Op::Other;
  const auto* row = std::find_if(std::begin(rows), std::end(rows),
                                 [&](const OpRow& r) { return r.id == instruction.id; });
  return row == std::end(rows) ? Op::Other : row->op;
}

bool is_high_byte(x86_reg name) {
  return name == X86_REG_AH || name == X86_REG_BH || name == X86_REG_CH || name == X86_REG_DH;
}

/// False where it names a register that a trace does not keep.
bool read_operand(const cs_x86_op& from, Operand& to) {
  to.size = from.size;
  switch (from.type) {
    case X86_OP_REG:
      to.kind = is_high_byte(from.reg) ? Operand::Kind::HighByte : Operand::Kind::Register;
      if (to.kind == Operand::Kind::HighByte)
        to.number = from.reg == X86_REG_AH   ? vtl::Rax
                    : from.reg == X86_REG_BH ? vtl::Rbx
                    : from.reg == X86_REG_CH ? vtl::Rcx
                                             : vtl::Rdx;
      else
        to.number = static_cast<uint8_t>(register_index(from.reg));
      return to.number < vtl::gpr_count;
    case X86_OP_IMM:
      to.kind = Operand::Kind::Immediate;
      to.value = static_cast<uint64_t>(from.imm);
      return true;
    case X86_OP_MEM:
      to.kind = Operand::Kind::Memory;
      return true;
    default:
      return false;
  }
}

uint8_t address_register(x86_reg name) {
  if (name == X86_REG_RIP || name == X86_REG_EIP) return MicroOp::instruction_pointer;
  const uint32_t index = register_index(name);
  return index < vtl::gpr_count ? static_cast<uint8_t>(index) : MicroOp::no_register;
}

void read_address(const cs_x86& x86, const x86_op_mem& from, MicroOp& to) {
  to.base = address_register(from.base);
  to.index = address_register(from.index);
  to.scale = static_cast<uint8_t>(from.scale);
  to.displacement = static_cast<uint64_t>(from.disp);
  if (x86.addr_size == 4) to.address_mask = 0xffffffff;
  if (from.segment == X86_REG_FS) to.segment_base = fs_base;
  if (from.segment == X86_REG_GS) to.segment_base = gs_base;
}

bool only_writes(Op op) {
  return op == Op::Mov || op == Op::Setcc || op == Op::Pop || op == Op::StoreString || op == Op::MoveString;
}

/// The explicit operand is read: it is not the first, or the operation is no plain store.
bool reads_explicit(const cs_insn& instruction, const MicroOp& op, uint8_t position) {
  switch (instruction.id) {
    case X86_INS_NOP:
    case X86_INS_LEA:
    case X86_INS_INVLPG:
    case X86_INS_CLFLUSH:
    case X86_INS_FXSAVE:
    case X86_INS_FXSAVE64:
    case X86_INS_SGDT:
    case X86_INS_SIDT:
      return false;
    default:
      break;
  }
  if (op.op == Op::Other)
    return position != 0 || (instruction.detail->x86.operands[position].access & CS_AC_READ) != 0;
  return position != 0 || !only_writes(op.op);
}

void find_source(const cs_insn& instruction, MicroOp& op, uint8_t memory_position) {
  const auto reads = [&](MicroOp::Source source, uint8_t size) {
    if (size == 0 || size > longest_memory) return;
    op.source = source;
    op.source_size = size;
  };
  if (op.op == Op::MoveString) return reads(MicroOp::Source::String, op.a.size);
  if (op.op == Op::StoreString) return;
  if (op.op == Op::Pop) return reads(MicroOp::Source::Stack, op.a.size == 2 ? 2 : 8);
  if (op.op == Op::Ret) return reads(MicroOp::Source::Stack, 8);
  if (op.op == Op::Leave) return reads(MicroOp::Source::Frame, 8);
  if (memory_position < 4 && reads_explicit(instruction, op, memory_position))
    reads(MicroOp::Source::Explicit, instruction.detail->x86.operands[memory_position].size);
}

}  // namespace

struct MicroOpDecoder::Engine {
  csh handle{};
  cs_insn* buffer{};
  Engine() {
    CHECK_MSG(cs_open(CS_ARCH_X86, CS_MODE_64, &handle) == CS_ERR_OK, "Capstone has no x86");
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    buffer = cs_malloc(handle);
  }
  ~Engine() {
    cs_free(buffer, 1);
    cs_close(&handle);
  }
};

MicroOpDecoder::MicroOpDecoder() : engine_{std::make_unique<Engine>()} {}
MicroOpDecoder::~MicroOpDecoder() = default;

MicroOp MicroOpDecoder::decode(uint8_t code_bits, loader::Bytes bytes) {
  MicroOp out;
  out.length = static_cast<uint8_t>(bytes.size());
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  uint64_t address = 0;
  if (code_bits != 64 || left == 0 || !cs_disasm_iter(engine_->handle, &at, &left, &address, engine_->buffer))
    return out;
  const cs_insn& instruction = *engine_->buffer;
  const cs_x86& x86 = instruction.detail->x86;
  out.op = op_of(instruction);
  out.condition = (x86.opcode[0] == 0x0f ? x86.opcode[1] : x86.opcode[0]) & 15;
  out.repeats = x86.prefix[0] == X86_PREFIX_REP || x86.prefix[0] == X86_PREFIX_REPNE;
  Operand* to[] = {&out.a, &out.b, &out.c};
  uint8_t memory_position = 0xff;
  bool known = x86.op_count <= 3;
  for (uint8_t i = 0; i < x86.op_count && i < 3; ++i) {
    known = read_operand(x86.operands[i], *to[i]) && known;
    if (x86.operands[i].type != X86_OP_MEM || memory_position != 0xff) continue;
    memory_position = i;
    read_address(x86, x86.operands[i].mem, out);
  }
  if (!known) out.op = Op::Other;
  // Branches by bytes of the opcode are given relative to address 0.
  find_source(instruction, out, memory_position);
  return out;
}

uint64_t MicroOp::address(const Registers& registers, uint64_t rip) const {
  const auto value = [&](uint8_t number) {
    return number == no_register ? 0 : number == instruction_pointer ? rip + length : registers[number];
  };
  const uint64_t offset = value(base) + value(index) * scale + displacement;
  return (segment_base == no_register ? 0 : registers[segment_base]) + (offset & address_mask);
}

uint64_t MicroOp::source_address(const Registers& registers, uint64_t rip) const {
  switch (source) {
    case Source::Explicit: return address(registers, rip);
    case Source::Stack: return registers[vtl::Rsp];
    case Source::Frame: return registers[vtl::Rbp];
    case Source::String: return registers[vtl::Rsi];
    case Source::None: break;
  }
  return 0;
}

}  // namespace trace
