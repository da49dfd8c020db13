#pragma once
// What the assembly of the guests shares (.intel_syntax noprefix). Every trap frame and register frame lies as PUSH_ALL makes
// it: RAX at the highest address, R15 at the lowest, RSP not among them.
.macro FUNCTION name
	.globl \name
	.def \name; .scl 2; .type 32; .endef
	.p2align 4
\name:
.endm

.macro PUSH_ALL
	push rax
	push rcx
	push rdx
	push rbx
	push rbp
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
.endm
.macro POP_ALL
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	pop rdx
	pop rcx
	pop rax
.endm

// The integer registers that a callee preserves (x64 calling convention of Windows).
.macro PUSH_PRESERVED
	push rbx
	push rbp
	push rsi
	push rdi
	push r12
	push r13
	push r14
	push r15
.endm
.macro POP_PRESERVED
	pop r15
	pop r14
	pop r13
	pop r12
	pop rdi
	pop rsi
	pop rbp
	pop rbx
.endm
