// memcpy, memmove, memset, memcmp, memchr in the Windows x64 convention (RCX, RDX, R8; RDI and RSI are preserved).
// String instructions by quadword: an iteration costs one tick of the machine, so eight bytes cost what one would.
	.intel_syntax noprefix
#include "rt/assembly.h"
	.text

FUNCTION memcpy
	mov rax, rcx
	mov r10, rsi
	mov r11, rdi
	mov rdi, rcx
	mov rsi, rdx
	mov rcx, r8
	shr rcx, 3
	rep movsq
	mov ecx, r8d
	and ecx, 7
	rep movsb
	mov rsi, r10
	mov rdi, r11
	ret

// Copies upwards unless the destination starts inside the source.
FUNCTION memmove
	mov rax, rcx
	sub rax, rdx
	cmp rax, r8
	jae memcpy
	mov rax, rcx
	mov r10, rsi
	mov r11, rdi
	lea rdi, [rcx + r8 - 1]
	lea rsi, [rdx + r8 - 1]
	mov rcx, r8
	and ecx, 7
	std
	rep movsb
	sub rdi, 7
	sub rsi, 7
	mov rcx, r8
	shr rcx, 3
	rep movsq
	cld
	mov rsi, r10
	mov rdi, r11
	ret

FUNCTION memset
	mov r10, rcx
	mov r11, rdi
	mov rdi, rcx
	movzx eax, dl
	movabs rcx, 0x0101010101010101
	imul rax, rcx
	mov rcx, r8
	shr rcx, 3
	rep stosq
	mov ecx, r8d
	and ecx, 7
	rep stosb
	mov rdi, r11
	mov rax, r10
	ret

FUNCTION memcmp
	cmp r8, 8
	jb 2f
1:	mov rax, [rcx]
	cmp rax, [rdx]
	jne 2f
	add rcx, 8
	add rdx, 8
	sub r8, 8
	cmp r8, 8
	jae 1b
2:	xor eax, eax
	test r8, r8
	jz 4f
3:	movzx eax, byte ptr [rcx]
	movzx r9d, byte ptr [rdx]
	sub eax, r9d
	jnz 4f
	inc rcx
	inc rdx
	dec r8
	jnz 3b
4:	ret

FUNCTION memchr
	test r8, r8
	jz 2f
1:	cmp byte ptr [rcx], dl
	je 3f
	inc rcx
	dec r8
	jnz 1b
2:	xor eax, eax
	ret
3:	mov rax, rcx
	ret
