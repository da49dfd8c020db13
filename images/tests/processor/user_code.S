// What runs at CPL 3. RDI is the test's argument; where nothing else ends it, SYSCALL does, with a result in RAX.
	.intel_syntax noprefix
	.section .rdata, "dr"

.macro USER name
	.globl user_\name
user_\name:
.endm
.macro END name
	.globl user_\name\()_end
user_\name\()_end:
.endm

USER system_call
	mov eax, 0x1234
	syscall
END system_call

USER clear_interrupts
	cli
END clear_interrupts

USER halt
	hlt
END halt

USER read_port
	mov edx, edi
	xor eax, eax
	in al, dx
	syscall
END read_port

USER read_rdi
	mov rax, [rdi]
	syscall
END read_rdi

USER write_rdi
	mov eax, 0x5a
	mov [rdi], al
	syscall
END write_rdi

USER jump_rdi
	jmp rdi
END jump_rdi

USER software_interrupt
	int 0x30
	syscall
END software_interrupt

USER vmcall
	mov eax, 0
	mov ecx, 0x11
	vmcall
	syscall
END vmcall

USER read_cr3
	mov rax, cr3
	syscall
END read_cr3

USER read_msr
	mov ecx, 0xC0000080
	rdmsr
	syscall
END read_msr

USER time_stamp
	rdtsc
	syscall
END time_stamp
