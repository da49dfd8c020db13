#include "sim/timing/instruction_plan.h"

#include <fmt/format.h>

#include "sim/trace/disassembler.h"
#include "tests/support/catch.h"

using namespace timing;

namespace {

trace::InstructionRecord record(std::initializer_list<uint8_t> bytes) {
  trace::InstructionRecord result;
  result.rip = 0x401000;
  result.length = static_cast<uint8_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), result.bytes.begin());
  for (size_t i = 0; i < result.registers.size(); ++i) result.registers[i] = 0x10000 * (i + 1) + i;
  return result;
}

InstructionPlan plan(std::initializer_list<uint8_t> bytes) {
  return plan_of({bytes.begin(), bytes.size()}, 64);
}

std::string text(uint64_t address, uint32_t size, bool read, bool write) {
  return fmt::format("{}{} {} at {:#x}; ", read ? "r" : "", write ? "w" : "", size, address);
}

std::string from_plan(const trace::InstructionRecord& in) {
  const InstructionPlan found = plan_of({in.bytes.data(), in.length}, 64);
  std::string result;
  for (const Operand& operand : found.memory())
    result += text(address_of(operand, in, found.length), operand.size, operand.touch != Touch::Write,
                   operand.touch != Touch::Read);
  return result;
}

std::string from_disassembler(const trace::InstructionRecord& in) {
  trace::Disassembler disassembler;
  std::string result;
  for (const trace::MemoryAccess& access : disassembler.decode(in).accesses)
    result += text(access.address, access.size, access.read, access.write);
  return result;
}

}  // namespace

TEST_CASE("memory operands are those that the disassembler finds") {
  const std::initializer_list<uint8_t> code[] = {
      {0x8b, 0x07},                                            // mov eax, [rdi]
      {0x48, 0x89, 0x44, 0x24, 0x08},                          // mov [rsp+8], rax
      {0x48, 0x8b, 0x04, 0xcd, 0x10, 0x20, 0x30, 0x00},        // mov rax, [rcx*8+0x302010]
      {0x4a, 0x8b, 0x44, 0xb0, 0xf8},                          // mov rax, [rax+r14*4-8]
      {0x48, 0x8b, 0x05, 0x78, 0x56, 0x34, 0x12},              // mov rax, [rip+0x12345678]
      {0x65, 0x48, 0x8b, 0x04, 0x25, 0x88, 0x01, 0x00, 0x00},  // mov rax, gs:[0x188]
      {0x64, 0x8b, 0x00},                                      // mov eax, fs:[rax]
      {0x67, 0x8b, 0x00},                                      // mov eax, [eax]
      {0x41, 0x8b, 0x45, 0x00},                                // mov eax, [r13+0]
      {0x41, 0x8b, 0x04, 0x24},                                // mov eax, [r12]
      {0x01, 0x03},                                            // add [rbx], eax
      {0x39, 0x03},                                            // cmp [rbx], eax
      {0x83, 0x3b, 0x05},                                      // cmp dword [rbx], 5
      {0x80, 0x23, 0x0f},                                      // and byte [rbx], 15
      {0xf6, 0x03, 0x01},                                      // test byte [rbx], 1
      {0xf7, 0x1b},                                            // neg dword [rbx]
      {0xff, 0x03},                                            // inc dword [rbx]
      {0xf0, 0x48, 0x0f, 0xb1, 0x0b},                          // lock cmpxchg [rbx], rcx
      {0x48, 0x0f, 0xc7, 0x0b},                                // cmpxchg16b [rbx]
      {0x87, 0x03},                                            // xchg [rbx], eax
      {0x0f, 0xb6, 0x03},                                      // movzx eax, byte [rbx]
      {0x48, 0x63, 0x03},                                      // movsxd rax, dword [rbx]
      {0x0f, 0x94, 0x03},                                      // sete [rbx]
      {0x48, 0x0f, 0x44, 0x03},                                // cmove rax, [rbx]
      {0x48, 0x0f, 0xaf, 0x03},                                // imul rax, [rbx]
      {0x0f, 0xba, 0x2b, 0x03},                                // bts dword [rbx], 3
      {0x48, 0xd1, 0x23},                                      // shl qword [rbx], 1
      {0x0f, 0x10, 0x03},                                      // movups xmm0, [rbx]
      {0x44, 0x0f, 0x11, 0x51, 0x08},                          // movups [rcx+8], xmm10
      {0xf3, 0x0f, 0x10, 0x03},                                // movss xmm0, [rbx]
      {0xf2, 0x0f, 0x11, 0x03},                                // movsd [rbx], xmm0
      {0x66, 0x0f, 0x6f, 0x03},                                // movdqa xmm0, [rbx]
      {0x66, 0x48, 0x0f, 0x7e, 0x03},                          // movq [rbx], xmm0
      {0xf3, 0x0f, 0x7e, 0x03},                                // movq xmm0, [rbx]
      {0x0f, 0xae, 0x03},                                      // fxsave [rbx]
      {0x0f, 0xae, 0x13},                                      // ldmxcsr [rbx]
      {0xd9, 0x03},                                            // fld dword [rbx]
      {0xdd, 0x1b},                                            // fstp qword [rbx]
      {0x55},                                                  // push rbp
      {0x41, 0x5f},                                            // pop r15
      {0x68, 0x01, 0x02, 0x03, 0x04},                          // push imm32
      {0xff, 0x33},                                            // push [rbx]
      {0xff, 0x13},                                            // call [rbx]
      {0xff, 0x23},                                            // jmp [rbx]
      {0xe8, 0x00, 0x01, 0x00, 0x00},                          // call
      {0xc3},                                                  // ret
      {0xc9},                                                  // leave
      {0x9c},                                                  // pushfq
      {0x9d},                                                  // popfq
      {0x48, 0xcf},                                            // iretq
      {0xaa},                                                  // stosb
      {0x48, 0xab},                                            // stosq
      {0x48, 0x8d, 0x03},                                      // lea rax, [rbx]
      {0x0f, 0x1f, 0x44, 0x00, 0x00},                          // nop [rax+rax]
      {0x0f, 0x01, 0x3b},                                      // invlpg [rbx]
      {0x0f, 0x18, 0x03},                                      // prefetchnta [rbx]
      {0x0f, 0x01, 0x1b},                                      // lidt [rbx]
  };
  for (const auto& bytes : code) {
    const trace::InstructionRecord in = record(bytes);
    trace::Disassembler disassembler;
    const trace::Instruction decoded = disassembler.decode(in);
    INFO(decoded.mnemonic << " " << decoded.operands);
    if (decoded.mnemonic == "lidt") {  // Capstone gives it no size
      EXPECT(from_plan(in) == text(in.registers[vtl::Rbx], 10, true, false));
      continue;
    }
    EXPECT(from_plan(in) == from_disassembler(in));
  }
}

TEST_CASE("copying strings reads one place and writes another") {
  const trace::InstructionRecord in = record({0xf3, 0x48, 0xa5});  // rep movsq
  EXPECT(from_plan(in) == text(in.registers[vtl::Rsi], 8, true, false) + text(in.registers[vtl::Rdi], 8, false, true));
  EXPECT(plan({0xf3, 0x48, 0xa5}).repeats);
  EXPECT(!plan({0xa5}).repeats);
}

TEST_CASE("instructions have their classes") {
  using enum InstructionClass;
  const struct {
    InstructionClass kind;
    std::initializer_list<uint8_t> bytes;
  } rows[] = {
      {Nop, {0x90}},
      {Nop, {0x0f, 0x1f, 0x00}},
      {Pause, {0xf3, 0x90}},
      {Move, {0x89, 0xc8}},
      {Move, {0x48, 0x8d, 0x03}},
      {Load, {0x8b, 0x03}},
      {Load, {0x0f, 0xb7, 0x03}},
      {Store, {0x89, 0x03}},
      {Alu, {0x31, 0xc0}},
      {Alu, {0x39, 0xc8}},
      {AluLoad, {0x03, 0x03}},
      {AluLoad, {0x39, 0x03}},
      {AluStore, {0x01, 0x03}},
      {Locked, {0xf0, 0x01, 0x03}},
      {Locked, {0x87, 0x03}},
      {Shift, {0xc1, 0xe0, 0x04}},
      {Shift, {0x0f, 0x94, 0xc0}},
      {Multiply, {0x0f, 0xaf, 0xc1}},
      {Divide32, {0xf7, 0xf1}},
      {Divide64, {0x48, 0xf7, 0xf1}},
      {Branch, {0x74, 0x05}},
      {Branch, {0x0f, 0x84, 0, 0, 0, 0}},
      {Jump, {0xeb, 0x05}},
      {Jump, {0xff, 0xe0}},
      {Call, {0xe8, 0, 0, 0, 0}},
      {Call, {0xff, 0xd0}},
      {Return, {0xc3}},
      {Push, {0x55}},
      {Pop, {0x5d}},
      {String, {0xf3, 0xaa}},
      {Vector, {0x0f, 0x57, 0xc0}},
      {Vector, {0x0f, 0x10, 0x03}},
      {VectorDivide, {0x0f, 0x5e, 0xc1}},
      {Crypto, {0x66, 0x0f, 0x38, 0xdc, 0xc1}},
      {SaveState, {0x0f, 0xae, 0x03}},
      {Fence, {0x0f, 0xae, 0xf0}},
      {TimeStamp, {0x0f, 0x31}},
      {Random, {0x48, 0x0f, 0xc7, 0xf0}},
      {Cpuid, {0x0f, 0xa2}},
      {MsrRead, {0x0f, 0x32}},
      {MsrWrite, {0x0f, 0x30}},
      {FlagControl, {0xfa}},
      {ControlRegister, {0x0f, 0x20, 0xd0}},
      {LoadCr3, {0x0f, 0x22, 0xd8}},
      {InvalidateAddress, {0x0f, 0x01, 0x3b}},
      {DescriptorTable, {0x0f, 0x01, 0x1b}},
      {SwapGs, {0x0f, 0x01, 0xf8}},
      {SystemCall, {0x0f, 0x05}},
      {SystemReturn, {0x48, 0x0f, 0x07}},
      {InterruptReturn, {0x48, 0xcf}},
      {PortIo, {0xee}},
      {Halt, {0xf4}},
      {Hypercall, {0x0f, 0x01, 0xc1}},
  };
  for (const auto& row : rows) {
    const InstructionPlan found = plan(row.bytes);
    INFO(name_of(row.kind) << " and not " << name_of(found.kind));
    EXPECT(found.kind == row.kind);
    EXPECT(found.length == row.bytes.size());
  }
}

TEST_CASE("bytes that are no instruction have no length and touch nothing") {
  const InstructionPlan none = plan({0x0f, 0xff});
  const InstructionPlan empty = plan_of({}, 64);
  EXPECT(empty.length == 0);
  EXPECT(none.operand_count == 0);
}

TEST_CASE("a cache of plans notices that code was changed") {
  PlanCache cache;
  EXPECT(cache.find(record({0x90})).kind == InstructionClass::Nop);
  EXPECT(cache.find(record({0xc3})).kind == InstructionClass::Return);
  EXPECT(cache.find(record({0xc3})).kind == InstructionClass::Return);
}
