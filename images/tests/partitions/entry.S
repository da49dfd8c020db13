// Code of children, copied to 0x8000 of theirs, and the code of VTL 2.
	.intel_syntax noprefix

	.section .rdata,"dr"
	.globl asking_begin, asking_end, counting_begin, counting_end
// Does one thing after the other that its parent must answer.
asking_begin:
	mov eax, dword ptr [0x9000]
	add eax, 1
	mov dword ptr [0xA000], eax
	in eax, 0x40                  // nobody intercepts it and no device is there
	mov dword ptr [0xA008], eax
	mov eax, 0x40000001
	cpuid
	mov dword ptr [0xA004], eax
	mov dx, 0xCF8
	mov eax, 0x80001234
	out dx, eax
	mov ecx, 0x12345
	rdmsr
	mov dword ptr [0x100000], 0x600D
	hlt
asking_end:

// Adds [0x9000] to [0xA000] as often as [0x9004] says, with a write to a port each time.
counting_begin:
	mov ebx, dword ptr [0x9004]
1:	mov eax, dword ptr [0x9000]
	add dword ptr [0xA000], eax
	pause
	out 0x10, al
	sub ebx, 1
	jnz 1b
	hlt
counting_end:

	.text
// VTL 2: counts its entries and returns at once, touching no register of the caller's but RAX and RCX.
	.globl top_start
	.def top_start; .scl 2; .type 32; .endef
top_start:
	lock inc qword ptr [rip + top_entries]
	mov eax, 1
	mov ecx, 0x12
	vmcall
	jmp top_start

// void call_next(stub rcx): a VTL call; RAX and RCX change.
	.globl call_next
	.def call_next; .scl 2; .type 32; .endef
call_next:
	mov rdx, rcx
	xor ecx, ecx
	jmp rdx

	.data
	.globl top_entries
	.p2align 3
top_entries:
	.quad 0
