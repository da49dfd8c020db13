// Where processors begin.
	.intel_syntax noprefix

	.text
// VTL 0 of a processor that was started: RSP is its own; it asks who it is.
	.globl processor_start
	.def processor_start; .scl 2; .type 32; .endef
processor_start:
	mov ecx, 0x40000002   // HV_X64_MSR_VP_INDEX
	rdmsr
	mov ecx, eax
	call wait_for_work
	ud2

// VTL 1 of every processor but the first: counts its entries, and returns at once. All registers but RAX and RCX are the
// caller's, so none is touched.
	.globl level_start
	.def level_start; .scl 2; .type 32; .endef
level_start:
	lock inc qword ptr [rip + level_entries]
	mov eax, 1            // a fast return
	mov ecx, 0x12
	vmcall
	jmp level_start

// void enter_level(stub rcx): a VTL call; RAX and RCX change.
	.globl enter_level
	.def enter_level; .scl 2; .type 32; .endef
enter_level:
	mov rdx, rcx
	xor ecx, ecx
	jmp rdx

	.data
	.globl level_entries
	.p2align 3
level_entries:
	.quad 0
