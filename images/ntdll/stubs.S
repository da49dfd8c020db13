// The system call stubs: one per row of the kernel's table. RCX is the caller's first argument, and
// SYSCALL overwrites RCX, so it travels in R10.
	.intel_syntax noprefix
	.text

.macro STUB name, number
	.globl \name
	.def \name; .scl 2; .type 32; .endef
	.p2align 4
\name:
	mov r10, rcx
	mov eax, \number
	syscall
	ret
.endm

#define NT_SERVICE(name, number) STUB name, number
#define NT_ABSENT(name, number) STUB name, number
#include "ntoskrnl/ke/system_services.def"
