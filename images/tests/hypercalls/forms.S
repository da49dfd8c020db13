// Hypercalls whose parameters are registers, and one that begins at a chosen time.
	.intel_syntax noprefix
#include "rt/assembly.h"

.macro LOAD_XMM number
	movups xmm\number, [rbx + 16 + 16 * \number]
.endm
.macro STORE_XMM number
	movups [rbx + 16 + 16 * \number], xmm\number
.endm

	.text
// uint64_t fast_hypercall(control rcx, block rdx): RDX, R8 and XMM0 to XMM5 are loaded from the block of 112 bytes, and
// what they hold behind the call is stored there.
FUNCTION fast_hypercall
	push rbx
	mov rbx, rdx
	mov rdx, [rbx]
	mov r8, [rbx + 8]
.irp number, 0, 1, 2, 3, 4, 5
	LOAD_XMM \number
.endr
	vmcall
	mov [rbx], rdx
	mov [rbx + 8], r8
.irp number, 0, 1, 2, 3, 4, 5
	STORE_XMM \number
.endr
	pop rbx
	ret

// uint64_t interruptible_hypercall(control rcx, input rdx, output r8, delay r9): RFLAGS.IF is set, `delay` (0 to 255)
// instructions pass, and then the call begins.
FUNCTION interruptible_hypercall
	lea rax, [rip + interruptible_call]
	sub rax, r9
	sti
	jmp rax
	.fill 256, 1, 0x90
	.globl interruptible_call
interruptible_call:
	vmcall
	cli
	ret
