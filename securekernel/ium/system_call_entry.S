	.intel_syntax noprefix
	.text

// SYSCALL left RIP in RCX and RFLAGS in R11 and changed nothing else: the stack is still the trustlet's, so the first
// thing is to leave it. Offsets into SKPCR as skpcr.h checks them.
	.globl IumSystemCallEntry
	.def IumSystemCallEntry; .scl 2; .type 32; .endef
	.p2align 4
IumSystemCallEntry:
	swapgs
	mov gs:[0x18], rsp
	mov rsp, gs:[0x20]
	push gs:[0x18]
	push r11
	push rcx
	push r9
	push r8
	push rdx
	push r10
	mov eax, eax                    // the number is 32 bits wide
	push rax
	mov rcx, rsp
	sub rsp, 0x20                   // 8 pushes from an aligned top: aligned again
	call IumDispatchSystemCall      // preserves the trustlet's non-volatile registers, as the ABI says
	add rsp, 0x20
	add rsp, 8
	pop r10
	pop rdx
	pop r8
	pop r9
	pop rcx
	pop r11
	mov rsp, [rsp]
	swapgs
	sysretq
