// Between the processor loop and a thread: two stacks, one register file.
	.intel_syntax noprefix
#include "rt/assembly.h"
	.text

// void SkiSwapStack(uint64_t* save_rsp rcx, uint64_t load_rsp rdx)
	.globl SkiSwapStack
	.def SkiSwapStack; .scl 2; .type 32; .endef
	.p2align 4
SkiSwapStack:
	PUSH_PRESERVED
	mov [rcx], rsp
	mov rsp, rdx
	POP_PRESERVED
	ret

// Where a prepared stack returns to: RBX = function, never comes back from it.
	.globl SkiThreadTrampoline
	.def SkiThreadTrampoline; .scl 2; .type 32; .endef
	.p2align 4
SkiThreadTrampoline:
	and rsp, -16
	sub rsp, 0x20
	call rbx
	ud2

// void SkiEnterUserMode(uint64_t rip rcx, uint64_t rsp rdx): the first time. Nothing of the kernel stays in registers.
	.globl SkiEnterUserMode
	.def SkiEnterUserMode; .scl 2; .type 32; .endef
	.p2align 4
SkiEnterUserMode:
	cli
	mov rsp, rdx
	mov r11d, 2                     // RFLAGS: NTOS schedules, so interrupts for VTL 1's ring 3 stay off
	xor eax, eax
	xor ebx, ebx
	xor edx, edx
	xor ebp, ebp
	xor esi, esi
	xor edi, edi
	xor r8d, r8d
	xor r9d, r9d
	xor r10d, r10d
	xor r12d, r12d
	xor r13d, r13d
	xor r14d, r14d
	xor r15d, r15d
	swapgs
	sysretq
