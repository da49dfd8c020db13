// __chkstk: called by a prologue whose frame exceeds a page. RAX is the size of the frame. Touches each page between the
// stack pointer and the new frame, so that a guard page is hit in order. Changes only R10, R11 and the flags.
	.intel_syntax noprefix
	.text
	.globl __chkstk
	.def __chkstk; .scl 2; .type 32; .endef
	.p2align 4
__chkstk:
	.seh_proc __chkstk
	sub rsp, 16
	.seh_stackalloc 16
	.seh_endprologue
	mov [rsp], r10
	mov [rsp+8], r11
	xor r11d, r11d
	lea r10, [rsp+24]
	sub r10, rax
	cmovb r10, r11
	mov r11, rsp
	and r11, -4096
1:	cmp r10, r11
	jae 2f
	lea r11, [r11-4096]
	test byte ptr [r11], 0
	jmp 1b
2:	mov r10, [rsp]
	mov r11, [rsp+8]
	add rsp, 16
	ret
	.seh_endproc
