// The only code of the secure kernel that touches vector registers: build 10240 carries SKCALL in RBX and XMM10..XMM15
// (section 4.4). Everything else is compiled for general registers, so XMM6..XMM9, the x87 state and MXCSR of VTL 0
// pass through VTL 1 untouched.
	.intel_syntax noprefix
	.text

// void ShvlpVtlReturn(VtlSwitch* rcx)
// Offsets as vtl_switch.h checks them. While VTL 0 runs, this VTL's RSP is private (section 4.3), so the stack keeps
// what is needed to find the structure again: every other general register belongs to VTL 0.
	.globl ShvlpVtlReturn
	.def ShvlpVtlReturn; .scl 2; .type 32; .endef
	.p2align 4
	.seh_proc ShvlpVtlReturn
ShvlpVtlReturn:
	push rbx
	.seh_pushreg rbx
	push rbp
	.seh_pushreg rbp
	push rsi
	.seh_pushreg rsi
	push rdi
	.seh_pushreg rdi
	push r12
	.seh_pushreg r12
	push r13
	.seh_pushreg r13
	push r14
	.seh_pushreg r14
	push r15
	.seh_pushreg r15
	sub rsp, 0x18
	.seh_stackalloc 0x18
	.seh_endprologue
	mov [rsp+8], rcx                // the structure
	mov rax, [rcx+0xF8]
	mov [rsp], rax                  // the stub in the hypercall page
	mov rax, [rcx+0xE8]
	mov [rsp+0x10], rax             // control

	cmp qword ptr [rcx+0xF0], 0
	je 1f
	movups xmm10, [rcx+0x88]
	movups xmm11, [rcx+0x98]
	movups xmm12, [rcx+0xA8]
	movups xmm13, [rcx+0xB8]
	movups xmm14, [rcx+0xC8]
	movups xmm15, [rcx+0xD8]
	xorps xmm0, xmm0                // nothing of VTL 1 leaves in what the convention calls volatile
	xorps xmm1, xmm1
	xorps xmm2, xmm2
	xorps xmm3, xmm3
	xorps xmm4, xmm4
	xorps xmm5, xmm5
1:
	mov rdx, [rcx+0x10]
	mov rbx, [rcx+0x18]
	mov rbp, [rcx+0x28]
	mov rsi, [rcx+0x30]
	mov rdi, [rcx+0x38]
	mov r8,  [rcx+0x40]
	mov r9,  [rcx+0x48]
	mov r10, [rcx+0x50]
	mov r11, [rcx+0x58]
	mov r12, [rcx+0x60]
	mov r13, [rcx+0x68]
	mov r14, [rcx+0x70]
	mov r15, [rcx+0x78]
	mov rcx, [rsp+0x10]
	call qword ptr [rsp]            // mov rax,rcx; mov ecx,12h; vmcall; ret

	// VTL 1 again. Save what VTL 0 left before it is overwritten: after an interrupt it must get all of it back.
	xchg rcx, [rsp+8]
	mov [rcx+0x00], rax
	mov rax, [rsp+8]
	mov [rcx+0x08], rax
	mov [rcx+0x10], rdx
	mov [rcx+0x18], rbx
	mov [rcx+0x28], rbp
	mov [rcx+0x30], rsi
	mov [rcx+0x38], rdi
	mov [rcx+0x40], r8
	mov [rcx+0x48], r9
	mov [rcx+0x50], r10
	mov [rcx+0x58], r11
	mov [rcx+0x60], r12
	mov [rcx+0x68], r13
	mov [rcx+0x70], r14
	mov [rcx+0x78], r15
	mov [rcx+0x80], rbx
	movups [rcx+0x88], xmm10
	movups [rcx+0x98], xmm11
	movups [rcx+0xA8], xmm12
	movups [rcx+0xB8], xmm13
	movups [rcx+0xC8], xmm14
	movups [rcx+0xD8], xmm15
	cld
	add rsp, 0x18
	pop r15
	pop r14
	pop r13
	pop r12
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	ret
	.seh_endproc

// void ShvlpVtlCall(uint64_t stub): RCX = control input, must be 0. VTL 1 clears the volatile registers.
	.globl ShvlpVtlCall
	.def ShvlpVtlCall; .scl 2; .type 32; .endef
	.p2align 4
	.seh_proc ShvlpVtlCall
ShvlpVtlCall:
	push rbx
	.seh_pushreg rbx
	push rbp
	.seh_pushreg rbp
	push rsi
	.seh_pushreg rsi
	push rdi
	.seh_pushreg rdi
	push r12
	.seh_pushreg r12
	push r13
	.seh_pushreg r13
	push r14
	.seh_pushreg r14
	push r15
	.seh_pushreg r15
	sub rsp, 8
	.seh_stackalloc 8
	.seh_endprologue
	mov rax, rcx
	xor ecx, ecx
	call rax
	add rsp, 8
	pop r15
	pop r14
	pop r13
	pop r12
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	ret
	.seh_endproc

// uint64_t ShvlpHypercall(control rcx, input rdx, output r8, page r9)
	.globl ShvlpHypercall
	.def ShvlpHypercall; .scl 2; .type 32; .endef
	.p2align 4
	.seh_proc ShvlpHypercall
ShvlpHypercall:
	sub rsp, 0x28
	.seh_stackalloc 0x28
	.seh_endprologue
	call r9                         // vmcall; ret
	add rsp, 0x28
	ret
	.seh_endproc
