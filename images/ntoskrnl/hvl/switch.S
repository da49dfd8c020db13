// The two ways out of NTOS: a hypercall, and the switch to VTL 1.
	.intel_syntax noprefix
#include "rt/assembly.h"

	.text
// HvlpHypercall(control, input GPA, output GPA): the page's entry takes RCX, RDX, R8 and answers in
// RAX (section 2.3), which is this function's own convention.
FUNCTION HvlpHypercall
	jmp [rip + HvlpHypercallPageVa]

// HvlpSwitchToVsmVtl1(SKCALL*): the frame travels in RBX and XMM10..XMM15, both ways (section 4.4;
// 10240). This is the one place in the kernel that uses vector registers. RIP, RSP and RFLAGS are
// private to a VTL; every other register may come back changed.
FUNCTION HvlpSwitchToVsmVtl1
	PUSH_PRESERVED
	sub rsp, 0x68
	movups [rsp], xmm10
	movups [rsp + 0x10], xmm11
	movups [rsp + 0x20], xmm12
	movups [rsp + 0x30], xmm13
	movups [rsp + 0x40], xmm14
	movups [rsp + 0x50], xmm15
	mov [rsp + 0x60], rcx
	mov rbx, [rcx]
	movups xmm10, [rcx + 0x08]
	movups xmm11, [rcx + 0x18]
	movups xmm12, [rcx + 0x28]
	movups xmm13, [rcx + 0x38]
	movups xmm14, [rcx + 0x48]
	movups xmm15, [rcx + 0x58]
	xor ecx, ecx			// control input: must be 0
	call [rip + HvlpVsmVtlCallVa]
	mov rcx, [rsp + 0x60]
	mov [rcx], rbx
	movups [rcx + 0x08], xmm10
	movups [rcx + 0x18], xmm11
	movups [rcx + 0x28], xmm12
	movups [rcx + 0x38], xmm13
	movups [rcx + 0x48], xmm14
	movups [rcx + 0x58], xmm15
	movups xmm10, [rsp]
	movups xmm11, [rsp + 0x10]
	movups xmm12, [rsp + 0x20]
	movups xmm13, [rsp + 0x30]
	movups xmm14, [rsp + 0x40]
	movups xmm15, [rsp + 0x50]
	add rsp, 0x68
	POP_PRESERVED
	ret
