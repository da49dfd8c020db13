// OslArchTransferToKernel(loader block, entry, stack): the last instructions of the loader.
	.intel_syntax noprefix
	.text
	.globl OslArchTransferToKernel
	.def OslArchTransferToKernel; .scl 2; .type 32; .endef
OslArchTransferToKernel:
	cli
	mov rsp, r8
	xor ebp, ebp
	sub rsp, 0x28		// the callee's home space
	push 0			// no return address: nobody to return to
	jmp rdx
