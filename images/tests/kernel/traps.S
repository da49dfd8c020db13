// Traps, guarded calls, and the ways into user mode and back.
	.intel_syntax noprefix
#include "rt/assembly.h"

	.text
// One stub per vector, 16 bytes apart: pushes a zero where the processor pushed no error code, and the vector.
FUNCTION trap_stubs
.set vector, 0
.rept 256
	.p2align 4
.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
.else
	push 0
.endif
	push vector
	jmp trap_common
.set vector, vector + 1
.endr

FUNCTION trap_common
	PUSH_ALL
	cld
	mov rcx, rsp
	mov rbp, rsp
	and rsp, -16
	sub rsp, 0x20
	call on_trap
	mov rsp, rbp
	POP_ALL
	add rsp, 16
	iretq

// bool call_guarded(function rcx, context rdx): the result says whether on_trap came back by guarded_landing.
FUNCTION call_guarded
	PUSH_PRESERVED
	mov [rip + guard_rsp], rsp
	mov rax, rcx
	mov rcx, rdx
	sub rsp, 0x28
	call rax
	add rsp, 0x28
	xor eax, eax
	jmp 1f
FUNCTION guarded_landing
	mov rsp, [rip + guard_rsp]
	mov eax, 1
1:	POP_PRESERVED
	ret

// void enter_user(rip rcx, rsp rdx, rdi r8): comes back by guarded_landing or system_call_entry only.
FUNCTION enter_user
	mov rdi, r8
	push 0x1B			// user_data | 3
	push rdx
	push 0x202
	push 0x23			// user_code | 3
	push rcx
	xor eax, eax
	xor ecx, ecx
	xor edx, edx
	xor r8d, r8d
	iretq

// SYSCALL from user mode: what arrived is kept for the test, and the guarded call ends.
FUNCTION system_call_entry
	mov [rip + system_call_rsp], rsp
	mov rsp, [rip + guard_rsp]
	mov [rip + system_call_rax], rax
	mov [rip + system_call_rip], rcx
	mov [rip + system_call_flags], r11
	mov rax, ss
	mov [rip + system_call_ss], rax
	mov rax, cs
	mov [rip + system_call_cs], rax
	jmp guarded_landing

	.bss
	.p2align 3
	.globl guard_rsp
guard_rsp:		.quad 0
	.globl system_call_rsp
system_call_rsp:	.quad 0
	.globl system_call_rax
system_call_rax:	.quad 0
	.globl system_call_rip
system_call_rip:	.quad 0
	.globl system_call_flags
system_call_flags:	.quad 0
	.globl system_call_ss
system_call_ss:		.quad 0
	.globl system_call_cs
system_call_cs:		.quad 0
