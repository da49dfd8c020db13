// One exported stub per system call. Arguments stay where the caller put them; SYSCALL takes RCX away, so that the first
// one moves to R10 (S90).
#define IUMDLL_IMPLEMENTATION
#include "iumdll.h"

#define STUB(name, number)                                                                  \
  extern "C" __attribute__((naked)) void name() {                                           \
    asm volatile("movq %%rcx, %%r10\n\tmovl %0, %%eax\n\tsyscall\n\tret" ::"i"(number));    \
  }
#define IUM_NT_CALL(name, number, arguments, answered, journey) STUB(name, number)
#define IUM_SECURE_CALL(name, number, arguments, handled) STUB(name, static_cast<int>(number))
#include "abi/sk/ium_syscalls.def"

extern "C" int DllMain(void*, uint32_t, void*) { return 1; }
