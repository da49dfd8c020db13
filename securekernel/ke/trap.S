// 256 entries of 16 bytes that bring every vector to the same shape: error code (or 0), vector, general registers.
	.intel_syntax noprefix
#include "rt/assembly.h"
	.text
	.globl SkiTrapEntries
	.p2align 4
SkiTrapEntries:
	.set vector, 0
	.rept 256
	.p2align 4
	// #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP, #VC, #SX push an error code themselves
	.if (vector != 8) && (vector != 10) && (vector != 11) && (vector != 12) && (vector != 13) && (vector != 14) && (vector != 17) && (vector != 21) && (vector != 29) && (vector != 30)
	push 0
	.endif
	.byte 0x68                      // push imm32
	.long vector
	jmp SkiTrapCommon
	.set vector, vector + 1
	.endr

	.p2align 4
SkiTrapCommon:
	PUSH_ALL
	test byte ptr [rsp + 0x90], 3   // CS of the frame: from ring 3, GS is the trustlet's
	jz 1f
	swapgs
1:
	cld
	mov rcx, rsp
	mov rbx, rsp
	and rsp, -16
	sub rsp, 0x20
	call SkiDispatchTrap
	mov rsp, rbx
	test byte ptr [rsp + 0x90], 3
	jz 2f
	swapgs
2:
	POP_ALL
	add rsp, 16
	iretq
