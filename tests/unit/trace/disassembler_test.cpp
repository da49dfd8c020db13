#include "sim/trace/disassembler.h"

#include "tests/support/catch.h"

using namespace trace;

namespace {

InstructionRecord at(std::initializer_list<uint8_t> bytes) {
  InstructionRecord record;
  record.rip = 0x1000;
  record.length = static_cast<uint8_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), record.bytes.begin());
  for (uint32_t i = 0; i < vtl::gpr_count; ++i)
    record.registers[i] = 0x10000 * (i + 1);
  record.registers[vtl::Rsp] = 0x8000;
  record.registers[gs_base] = 0xfffff80000000000;
  return record;
}

std::string accesses(std::initializer_list<uint8_t> bytes) {
  Disassembler disassembler;
  std::string text;
  char part[64];
  for (const MemoryAccess& access : disassembler.decode(at(bytes)).accesses) {
    std::snprintf(part, sizeof part, "%s%s%u@%llx", access.read ? "r" : "", access.write ? "w" : "",
                  access.size, static_cast<unsigned long long>(access.address));
    text += (text.empty() ? "" : " ") + std::string{part};
  }
  return text;
}

}  // namespace

TEST_CASE("Instructions are shown as Intel writes them, with their targets") {
  Disassembler disassembler;
  const Instruction call = disassembler.decode(at({0xe8, 0x10, 0, 0, 0}));
  EXPECT(call.mnemonic + " " + call.operands == "call 0x1015");
  EXPECT(call.target == 0x1015);
  const Instruction vmcall = disassembler.decode(at({0x0f, 0x01, 0xc1}));
  EXPECT(vmcall.mnemonic == "vmcall");
  EXPECT(vmcall.length == 3);
  const Instruction relative = disassembler.decode(at({0x48, 0x8b, 0x05, 0x00, 0x01, 0, 0}));
  EXPECT(relative.target == 0x1107);
  EXPECT(disassembler.decode(at({0x06})).mnemonic == "(bad)");
  EXPECT(disassembler.decode(at({})).mnemonic == "(bytes could not be read)");
  EXPECT(disassembler.length(64, std::array<uint8_t, 4>{0x48, 0x8b, 0x43, 0x08}) == 4);
  EXPECT(disassembler.length(16, std::array<uint8_t, 3>{0xb8, 1, 2}) == 3);
  EXPECT(disassembler.length(64, std::array<uint8_t, 3>{0xb8, 1, 2}) == 0);
}

TEST_CASE("Memory accesses are computed from the operands and the registers") {
  // rax = 0x10000, rcx = 0x20000, rdx = 0x30000, rbx = 0x40000, rbp = 0x60000, rsi = 0x70000, rdi =
  // 0x80000
  EXPECT(accesses({0x48, 0x8b, 0x43, 0x08}) == "r8@40008");  // mov rax, [rbx+8]
  EXPECT(accesses({0x89, 0x44, 0x8b, 0xfc}) == "w4@bfffc");  // mov [rbx+rcx*4-4], eax
  EXPECT(accesses({0x48, 0x01, 0x03}) == "rw8@40000");       // add [rbx], rax
  EXPECT(accesses({0x48, 0x8d, 0x43, 0x08}).empty());        // lea
  EXPECT(accesses({0x0f, 0x1f, 0x40, 0x00}).empty());        // nop [rax]
  EXPECT(accesses({0x65, 0x48, 0x8b, 0x04, 0x25, 0x08, 0, 0, 0}) ==
         "r8@fffff80000000008");                                        // mov rax, gs:[8]
  EXPECT(accesses({0x8a, 0x05, 0xff, 0xff, 0xff, 0xff}) == "r1@1005");  // mov al, [rip-1]
  EXPECT(accesses({0x50}) == "w8@7ff8");                                // push rax
  EXPECT(accesses({0x66, 0x50}) == "w2@7ffe");                          // push ax
  EXPECT(accesses({0x58}) == "r8@8000");                                // pop rax
  EXPECT(accesses({0xc3}) == "r8@8000");                                // ret
  EXPECT(accesses({0xe8, 0, 0, 0, 0}) == "w8@7ff8");                    // call
  EXPECT(accesses({0xff, 0x13}) == "r8@40000 w8@7ff8");                 // call [rbx]
  EXPECT(accesses({0xff, 0x33}) == "r8@40000 w8@7ff8");                 // push [rbx]
  EXPECT(accesses({0x48, 0xcf}) == "r40@8000");                         // iretq
  EXPECT(accesses({0xc9}) == "r8@60000");                               // leave
  EXPECT(accesses({0x44, 0x0f, 0x11, 0x13}) == "w16@40000");            // movups [rbx], xmm10
  EXPECT(accesses({0x44, 0x0f, 0x10, 0x13}) == "r16@40000");            // movups xmm10, [rbx]
  EXPECT(accesses({0xf3, 0x0f, 0x7f, 0x03}) == "w16@40000");            // movdqu [rbx], xmm0
  EXPECT(accesses({0x48, 0x3b, 0x03}) == "r8@40000");                   // cmp rax, [rbx]
  EXPECT(accesses({0x48, 0x39, 0x03}) == "r8@40000");                   // cmp [rbx], rax
  EXPECT(accesses({0xc7, 0x03, 0, 0, 0, 0}) == "w4@40000");             // mov dword [rbx], 0
  EXPECT(accesses({0x48, 0x87, 0x03}) == "rw8@40000");                  // xchg [rbx], rax
  EXPECT(accesses({0xf0, 0x48, 0x0f, 0xb1, 0x0b}) == "rw8@40000");      // lock cmpxchg [rbx], rcx
  EXPECT(accesses({0x48, 0xd1, 0x03}) == "rw8@40000");                  // rol qword [rbx], 1
  EXPECT(accesses({0x0f, 0x92, 0x03}) == "w1@40000");                   // setb [rbx]
  EXPECT(accesses({0x6c}) == "w1@80000");                               // insb
  EXPECT(accesses({0x6e}) == "r1@70000");                               // outsb
  EXPECT(accesses({0xdd, 0x1b}) == "w8@40000");                         // fstp qword [rbx]
  EXPECT(accesses({0xdd, 0x03}) == "r8@40000");                         // fld qword [rbx]
  EXPECT(accesses({0x66, 0x48, 0x0f, 0x3a, 0x16, 0x0b, 0x01}) ==
         "w8@40000");                                          // pextrq [rbx], xmm1, 1
  EXPECT(accesses({0xa4}) == "w1@80000 r1@70000");             // movsb
  EXPECT(accesses({0x0f, 0x01, 0x1b}) == "r10@40000");         // lidt [rbx]
  EXPECT(accesses({0x0f, 0x01, 0x0b}) == "w10@40000");         // sidt [rbx]
  EXPECT(accesses({0x48, 0x0f, 0xae, 0x03}) == "w512@40000");  // fxsave64 [rbx]
  EXPECT(accesses({0x48, 0x0f, 0xae, 0x0b}) == "r512@40000");  // fxrstor64 [rbx]
  EXPECT(accesses({0x0f, 0x01, 0x3b}).empty());                // invlpg
  EXPECT(accesses({0xaa}) == "w1@80000");                      // stosb
  EXPECT(accesses({0x67, 0x8b, 0x03}) == "r4@40000");          // mov eax, [ebx]
}
