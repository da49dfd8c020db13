// VMCALL and the border between the two VTLs.
	.intel_syntax noprefix
#include "rt/assembly.h"

	.text
// uint64_t raw_hypercall(control rcx, input rdx, output r8)
FUNCTION raw_hypercall
	vmcall
	ret

// void enter_vtl1(stub rcx): a call through the hypercall page. What VTL 0 has before and after is kept in `border`.
FUNCTION enter_vtl1
	PUSH_PRESERVED
	mov rax, rcx
	mov rcx, 0
	mov r15d, 0x5151
	mov [rip + border_rsp_before], rsp
	stc
	std
	call rax
	pushfq
	cld
	pop qword ptr [rip + border_flags]
	mov [rip + border_rsp_after], rsp
	mov [rip + border_rax], rax
	mov [rip + border_rcx], rcx
	mov [rip + border_r15], r15
	POP_PRESERVED
	ret

// Where VTL 1 begins, and where it waits between two entries. Interrupted code of VTL 0 must find its registers again.
FUNCTION vtl1_start
	pushfq
	pop qword ptr [rip + vtl1_first_flags]
1:	PUSH_ALL
	mov rcx, rsp
	mov rbp, rsp
	and rsp, -16
	sub rsp, 0x20
	call vtl1_main
	mov rsp, rbp
	test eax, eax
	POP_ALL
	jnz 2f
	mov eax, 0			// not fast: RAX and RCX of VTL 0 come from the assist page
	mov ecx, 0x12
	vmcall
	jmp 1b
2:	mov eax, 1			// fast: they stay as they are here
	mov ecx, 0x12
	vmcall
	jmp 1b

	.bss
	.p2align 3
.macro WORD name
	.globl \name
\name:	.quad 0
.endm
	WORD border_rsp_before
	WORD border_rsp_after
	WORD border_flags
	WORD border_rax
	WORD border_rcx
	WORD border_r15
	WORD vtl1_first_flags
