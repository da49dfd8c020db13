// Trap and system call entries. One stub per vector pushes what the processor did not, and all meet
// in KiTrapCommon.
	.intel_syntax noprefix
#include "rt/assembly.h"

	.text
// Vectors 8, 10..14, 17, 21, 29, 30 come with an error code (SDM table 6-1). Every stub starts 16
// bytes after the previous.
FUNCTION KiTrapStubs
.set vector, 0
.rept 256
	.p2align 4
.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
.else
	push 0
.endif
	push vector
	jmp KiTrapCommon
.set vector, vector + 1
.endr

// Builds KTRAP_FRAME (ke/ke.h). The processor aligned the stack to 16 and pushed 5 words; with
// error code, vector and 15 registers that is 22 words, so the stack is aligned for the call.
FUNCTION KiTrapCommon
	PUSH_ALL
	test byte ptr [rsp + 18*8], 3	// CS: from user mode, GS is the user's
	jz 1f
	swapgs
1:	cld
	mov rcx, rsp
	sub rsp, 0x20
	call KiDispatchTrap
	add rsp, 0x20
FUNCTION KiTrapReturn
	test byte ptr [rsp + 18*8], 3
	jz 2f
	cli
	swapgs
2:	POP_ALL
	add rsp, 16
	iretq

// SYSCALL arrives here: RCX = return address, R11 = RFLAGS, RSP still the user's, interrupts off by
// SFMASK. Number in EAX, arguments in R10, RDX, R8, R9 and from RSP+0x28.
FUNCTION KiSystemCall64
	swapgs
	mov gs:[0x10], rsp
	mov rsp, gs:[0x1A8]
	push 0x2B			// SS, R3_DATA
	push gs:[0x10]			// RSP
	push r11
	push 0x33			// CS, R3_CODE
	push rcx			// RIP
	push 0				// error code
	push -1				// vector: a system call
	PUSH_ALL
	sti
	mov rcx, rsp
	sub rsp, 0x20
	call KiSystemServiceUser
	add rsp, 0x20
	// IRET, not SYSRET: it restores every register, and a non-canonical return address faults in user
	// mode's favour.
	jmp KiTrapReturn

// KiEnterUserMode(rip, rsp, argument): the first instructions of a user thread.
FUNCTION KiEnterUserMode
	cli
	push 0x2B
	push rdx
	push 0x202
	push 0x33
	push rcx
	mov rcx, r8
	xor eax, eax
	xor edx, edx
	xor ebx, ebx
	xor ebp, ebp
	xor esi, esi
	xor edi, edi
	xor r8d, r8d
	xor r9d, r9d
	xor r10d, r10d
	xor r11d, r11d
	xor r12d, r12d
	xor r13d, r13d
	xor r14d, r14d
	xor r15d, r15d
	swapgs
	iretq

// KiSwapContext(uint64_t* save_rsp, uint64_t load_rsp): the non-volatile registers stay on the old
// stack.
FUNCTION KiSwapContext
	PUSH_PRESERVED
	mov [rcx], rsp
	mov rsp, rdx
	POP_PRESERVED
	ret

// A new thread's first switch returns here with its KTHREAD in RBX.
FUNCTION KiThreadStartup
	sub rsp, 0x28
	mov rcx, rbx
	call KiStartThread
	ud2

// KeTryAccess(routine, context, record): builds a KTRY_FRAME on the stack, makes it the thread's
// innermost, calls.
FUNCTION KeTryAccess
	sub rsp, 0x58 + 0x20
	mov [rsp + 0x20], rbx
	mov [rsp + 0x28], rbp
	mov [rsp + 0x30], rsi
	mov [rsp + 0x38], rdi
	mov [rsp + 0x40], r12
	mov [rsp + 0x48], r13
	mov [rsp + 0x50], r14
	mov [rsp + 0x58], r15
	mov [rsp + 0x60], rsp
	mov [rsp + 0x70], r8
	mov rbx, rcx
	mov rsi, rdx
	lea rcx, [rsp + 0x20]
	call KiPushTryFrame
	mov rcx, rsi
	call rbx
// After an exception KiDispatchTrap resumes here with RSP = frame.rsp and RAX = the status.
FUNCTION KiTryAccessResume
	mov rbx, rax
	lea rcx, [rsp + 0x20]
	call KiPopTryFrame
	mov eax, ebx
	mov rbx, [rsp + 0x20]
	mov rbp, [rsp + 0x28]
	mov rsi, [rsp + 0x30]
	mov rdi, [rsp + 0x38]
	mov r12, [rsp + 0x40]
	mov r13, [rsp + 0x48]
	mov r14, [rsp + 0x50]
	mov r15, [rsp + 0x58]
	add rsp, 0x58 + 0x20
	ret

