// Code of children, copied to 0x8000 of theirs, and the code of VTL 2.
	.intel_syntax noprefix

	.section .rdata,"dr"
	.globl asking_begin, asking_end, counting_begin, counting_end
	.globl touching_begin, touching_end, calling_begin, calling_end, failing_begin, failing_end
	.globl waiting_begin, waiting_end, waking_begin, waking_end, waking_handler
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

// Writes where it may only read, and reads where nothing is.
touching_begin:
	mov rax, 0x1111
	mov [0xB008], rax
	mov rax, [0xC008]
	mov [0xA000], rax
	hlt
touching_end:

// Makes the hypercalls of the table at 0x9000 (control, RDX, R8; 0 ends it), and leaves each result behind its call.
calling_begin:
	mov ecx, 0x40000000           // HV_X64_MSR_GUEST_OS_ID
	mov eax, 1
	xor edx, edx
	wrmsr
	mov ebx, 0x9000
1:	mov rcx, [rbx]
	test rcx, rcx
	jz 2f
	mov rdx, [rbx + 8]
	mov r8, [rbx + 16]
	vmcall
	mov [rbx + 24], rax
	add ebx, 32
	jmp 1b
2:	hlt
calling_end:

// Asks who it is, by an MSR and by CPUID; makes an exception that its parent passes over, and one that is too much.
failing_begin:
	mov ecx, 0x40000002           // HV_X64_MSR_VP_INDEX
	rdmsr
	mov [0xA000], eax
	mov eax, 0x40000001
	cpuid
	mov [0xA004], eax
	ud2
	mov dword ptr [0xA008], 0x600D
	int3                          // without an IDT
failing_end:

// Waits for a message at SINT 2, which interrupts nobody.
waiting_begin:
	mov ecx, 0x40000083           // HV_X64_MSR_SIMP
	mov eax, 0xD001
	xor edx, edx
	wrmsr
	mov ecx, 0x40000092           // HV_X64_MSR_SINT2: masked and polled
	mov eax, 0x50000
	wrmsr
	mov ecx, 0x40000080           // HV_X64_MSR_SCONTROL
	mov eax, 1
	wrmsr
	mov dword ptr [0xA000], 1
1:	pause
	mov eax, [0xD200]
	test eax, eax
	jz 1b
	mov [0xA004], eax
	mov rax, [0xD210]
	mov [0xA008], rax
	hlt
waiting_end:

// Sleeps until an interrupt; its local APIC is the hypervisor's.
waking_begin:
	mov ecx, 0x1B
	rdmsr
	or eax, 0xC00                 // x2APIC
	wrmsr
	mov ecx, 0x80F
	mov eax, 0x1FF
	xor edx, edx
	wrmsr
	lidt [0xE000]
	lgdt [0xE010]
	mov dword ptr [0xA000], 1
	sti
	hlt
	cli
	mov dword ptr [0xA004], 1
	out 0x10, al
1:	hlt
	jmp 1b
waking_handler:
	inc dword ptr [0xA008]
	push rax
	push rcx
	push rdx
	mov ecx, 0x80B                // EOI
	xor eax, eax
	xor edx, edx
	wrmsr
	pop rdx
	pop rcx
	pop rax
	iretq
waking_end:

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
