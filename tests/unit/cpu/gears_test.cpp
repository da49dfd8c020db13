// One program with everything that makes counting hard, stopped at random instants in both gears.
#include <algorithm>
#include <set>

#include "sim/support/prng.h"
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;

namespace {

GUEST_CODE(everything, R"(
  mov r15d, 6
again:
  lea rdi, [rip + again]
  mov edi, 0x140000
  mov ecx, 37
  mov eax, 0x5a
  rep stosb
  mov esi, 0x140000
  mov edi, 0x141ff0
  mov ecx, 40
  rep movsb                      # crosses a page
  mov ecx, 0
  rep stosd                      # no iteration
  mov edi, 0x140000
  mov ecx, 100
  mov al, 0x5b
  repne scasb
  std
  mov edi, 0x143010
  mov ecx, 5
  rep stosq
  cld
  mov ebx, 0x150000
  mov eax, 1
  lock xadd [rbx], rax
  lock inc dword ptr [rbx + 8]
  mov eax, [rbx + 0x1000]        # not present: the handler maps it
  add eax, r15d
  mov [rbx + 0x2000], eax
  cpuid
  add r14, rax
  mov ebx, 0x150000
  rdtsc
  add r14, rax
  rdrand rax
  adc r14, rax
  cvtsi2sd xmm0, r15
  mulsd xmm0, xmm0
  addsd xmm1, xmm0
  fld1
  fldpi
  faddp
  fstp qword ptr [rbx + 16]
  mov eax, r15d
  imul eax, eax, 0x7fffffff
  bt eax, 3
  pushf
  pop rdx
  add r14, rdx
  imul eax, r15d
  bts qword ptr [rbx + 24], 5
  setc dl
  jg over
  inc r14
over:
  btr rax, 7
  mov rdx, rax
  shl rdx, cl
  adc r14, rdx
  in al, 0x70
  out 0x71, al
  mov dx, 0x1f0
  mov ecx, 3
  mov edi, 0x140100
  rep insw
  mov esi, 0x140100
  mov ecx, 3
  rep outsw
  mov r9, r14
  vmcall
  mov eax, 0x11223344
  mov edx, 0x55667788
  cmpxchg edx, ecx               # fails
  mov r8, 0xffffffffffffffff
  mov ecx, 0x40000000
  rdmsr
  add r14, rax
  mov rax, cr3
  mov cr3, rax
  mov ax, ds
  mov es, ax
  swapgs
  swapgs
  int 0x80
  xor edx, edx
  xor ecx, ecx
  div ecx                        # the handler skips it
  sti
  nop
  cli
  mov byte ptr [rip + patched + 1], r15b
  jmp patched
patched:
  mov al, 0                      # written by the instruction before, in the same page
  add r14, rax
  mov ecx, 50
tight:
  dec ecx
  jnz tight
  call far_part
  dec r15d
  jnz again
  hlt
  .balign 4096
  .skip 4096 - 7
far_part:                        # a block that runs into the next page
  inc r13
  add r13, 5
  mov eax, [rbx + 0x3000]
  add r13, rax
  ret
)")

/// #PF: maps the page at CR2 and returns. #DE: skips the instruction of two bytes. INT 80: counts.
GUEST_CODE(page_fault_handler, R"(
  push rax
  push rcx
  mov rax, cr2
  and rax, -4096
  mov rcx, rax
  shr rcx, 9
  or rax, 3
  mov [rcx + 0x4000], rax
  pop rcx
  pop rax
  add rsp, 8
  iretq
)")
GUEST_CODE(divide_handler, R"(
  add qword ptr [rsp], 2
  iretq
)")
GUEST_CODE(count_handler, R"(
  inc r12
  iretq
)")

std::unique_ptr<World> everything_world(cpu::Gear gear) {
  auto world = std::make_unique<World>(gear);
  world->put(kernel_code, everything());
  world->put(handlers, page_fault_handler());
  world->put(handlers + 0x100, divide_handler());
  world->put(handlers + 0x200, count_handler());
  world->gate(14, handlers);
  world->gate(0, handlers + 0x100);
  world->gate(0x80, handlers + 0x200);
  world->gate(0x31, handlers + 0x200);
  for (const uint64_t page : {0x151000ull, 0x152000ull, 0x153000ull, 0x142000ull})
    world->map(page, 0, 0);
  return world;
}

uint64_t total_instructions() {
  auto world = everything_world(cpu::Gear::Exact);
  vtl::Exit last;
  EXPECT(!drive(*world, 1'000'000, &last));
  REQUIRE(last.reason == vtl::ExitReason::Halt);
  EXPECT(world->gpr(vtl::R12) == 6);
  EXPECT(world->gpr(vtl::R8) == ~uint64_t{0});
  return world->now.ticks;
}

}  // namespace

TEST_CASE("both gears have the same state at every instant they are stopped at") {
  const uint64_t total = total_instructions();
  auto exact = everything_world(cpu::Gear::Exact);
  auto fast = everything_world(cpu::Gear::Fast);
  support::Prng random{7};
  REQUIRE(total > 1000);
  std::set<uint64_t> stops{total};
  while (stops.size() < 400)
    stops.insert(1 + random.below(total));
  for (const uint64_t stop : stops) {
    drive(*exact, stop);
    drive(*fast, stop);
    INFO("instant " << stop << " rip " << exact->context().rip - kernel_code << " and "
                    << fast->context().rip - kernel_code << " flags " << exact->context().rflags
                    << " and " << fast->context().rflags << " misses " << exact->translator.misses()
                    << " and " << fast->translator.misses());
    REQUIRE(exact->now.ticks == stop);
    REQUIRE(fast->now.ticks == stop);
    REQUIRE(exact->context().rip == fast->context().rip);
    REQUIRE(exact->state() == fast->state());
  }
}

TEST_CASE("stops leave no trace: a run with stops ends as a run without") {
  const auto gear = GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
  auto plain = everything_world(gear);
  drive(*plain, 1'000'000);
  auto stopped = everything_world(gear);
  const uint64_t total = plain->now.ticks;
  for (uint64_t stop = 1; stop <= total; stop += 3)
    drive(*stopped, stop);
  drive(*stopped, 1'000'000);
  EXPECT(plain->now.ticks == stopped->now.ticks);
  EXPECT(plain->state() == stopped->state());
}

TEST_CASE("an interrupt is taken at the same instruction in both gears") {
  auto exact = everything_world(cpu::Gear::Exact);
  auto fast = everything_world(cpu::Gear::Fast);
  uint64_t taken[2]{};
  unsigned index = 0;
  for (World* world : {exact.get(), fast.get()}) {
    world->processor->offer_interrupt(world->vp, 0x31);
    for (;;) {
      const vtl::Exit exit = world->processor->run(world->vp, world->now, {1'000'000});
      if (exit.reason == vtl::ExitReason::InterruptAccepted) {
        EXPECT(exit.vector == 0x31);
        EXPECT(world->context().rip == handlers + 0x200);
        break;
      }
      REQUIRE(serve(*world, exit));
    }
    taken[index++] = world->now.ticks;
    drive(*world, 1'000'000);
    EXPECT(world->gpr(vtl::R12) == 7);
  }
  EXPECT(taken[0] == taken[1]);
  EXPECT(exact->state() == fast->state());
}

namespace {

struct Stretch {
  const char* what;
  std::vector<uint8_t> code;
  uint64_t instructions;  ///< before it faults or halts
};

const std::vector<Stretch> stretches = {
    {"66 after REX.W: MOV of 16 bits", {0x90, 0x4a, 0x66, 0xbe, 0x34, 0x12, 0xfe, 0xc4, 0x90, 0x90, 0xf4}, 5},
    {"26 after REX.W: MOV of 32 bits", {0x90, 0x4a, 0x26, 0xbb, 1, 2, 3, 4, 0x90, 0x90, 0x90, 0x90, 0xf4}, 6},
    {"bytes that are no instruction", {0x31, 0xe9, 0x66, 0x05, 0x3a, 0x38, 0x06}, 2},
    {"a read of a page that is not there", {0x90, 0x48, 0x66, 0xb8, 0, 0, 0x8a, 0x04, 0x25, 0, 0, 0xf0, 0, 0xf4}, 2},
};

}  // namespace

TEST_CASE("what follows the last instruction that there was time for has not happened, in both gears") {
  for (const Stretch& stretch : stretches) {
    for (uint64_t until = 1; until <= stretch.instructions; ++until) {
      INFO(stretch.what << ", stopped at instant " << until);
      std::optional<support::StateHash> state;
      for (const cpu::Gear gear : {cpu::Gear::Exact, cpu::Gear::Fast}) {
        World world{gear};
        world.put(kernel_code, stretch.code);
        EXPECT(drive(world, until));
        EXPECT(world.now.ticks == until);
        EXPECT((world.context().rip >= kernel_code && world.context().rip < kernel_code + stretch.code.size()));
        if (state) EXPECT(*state == world.state());
        state = world.state();
      }
    }
  }
}
