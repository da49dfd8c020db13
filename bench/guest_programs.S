// Guest code of the benchmarks: flat, position-independent but for the addresses of guest_layout below. Each program runs
// in ring 0 as the machine's firmware, or on a bare Unicorn, counts down RSI and halts. The host patches the first
// instruction's operand, the number of rounds.
    .intel_syntax noprefix

// As in guest_layout.h.
    .set code, 0x101000
    .set data, 0x102000
    .set launch_block, data
    .set enable_partition_vtl, data + 0x100
    .set enable_vp_vtl, data + 0x200
    .set start_vp, data + 0x300
    .set idt_pointer, data + 0x480
    .set far_tables, 0x103000
    .set memory_buffer, 0x400000
    .set hypercall_page0, 0x200000
    .set hypercall_page1, 0x201000
    .set far_base_high, 0x100        // bits 63:32 of 2 << 39
    .set vtl_call_stub, 0x0f
    .set vtl_return_stub, 0x28

    .macro program name
    .section .rodata
    .globl bench_\name\()_begin
bench_\name\()_begin:
    movabs rsi, 0x1122334455667788
    .endm

    .macro end name
    hlt
    .globl bench_\name\()_end
bench_\name\()_end:
    .endm

    // hvloader's last act. A bare Unicorn ignores the port.
    .macro launch_hypervisor
    mov eax, 1
    mov ecx, launch_block
    mov edx, 0xa1c0
    out dx, eax
    .endm

// Arithmetic in registers: nothing but the loop itself.
program compute
    launch_hypervisor
    mov eax, 1
    mov ebx, 2
    mov ecx, 3
    mov edx, 4
1:  add rax, rbx
    xor rbx, rcx
    rol rax, 7
    imul rcx, rax
    lea rdx, [rdx + rax + 1]
    sub rsi, 1
    jnz 1b
end compute

// Four accesses of eight instructions, through 256 KiB.
program memory
    launch_hypervisor
    xor ebx, ebx
    mov edi, memory_buffer
1:  mov rax, [rdi]
    add [rdi + 8], rax
    mov [rdi + 16], rbx
    add rbx, [rdi + 24]
    add rdi, 64
    and rdi, memory_buffer + 0x3ffff
    sub rsi, 1
    jnz 1b
end memory

// Two calls and a branch that alternates.
program call
    launch_hypervisor
    mov eax, 1
    xor ebx, ebx
1:  call 3f
    test rax, 1
    jz 2f
    add rbx, 3
2:  call 3f
    sub rsi, 1
    jnz 1b
    hlt
3:  add rax, rsi
    imul rax, rax, 13
    ret
end call

// One page, 64 loads a round: the cost of the loop of the two programs below without their misses.
program tlb_resident
    launch_hypervisor
    mov eax, far_tables
    mov cr3, rax
1:  mov edi, far_base_high
    shl rdi, 32
    mov ecx, 64
2:  mov rax, [rdi]
    add rdi, 0
    sub ecx, 1
    jnz 2b
    sub rsi, 1
    jnz 1b
end tlb_resident

// 64 pages that lie 16 GiB apart fall into one slot of the engine's own TLB, whatever its size: each load asks again.
program tlb_conflict
    launch_hypervisor
    mov eax, far_tables
    mov cr3, rax
    mov r8d, 1
    shl r8, 34
1:  mov edi, far_base_high
    shl rdi, 32
    mov ecx, 64
2:  mov rax, [rdi]
    add rdi, r8
    sub ecx, 1
    jnz 2b
    sub rsi, 1
    jnz 1b
end tlb_conflict

// The same after MOV CR3: nobody may remember anything.
program tlb_flushed
    launch_hypervisor
    mov r9d, far_tables
    mov r8d, 1
    shl r8, 34
1:  mov cr3, r9
    mov edi, far_base_high
    shl rdi, 32
    mov ecx, 64
2:  mov rax, [rdi]
    add rdi, r8
    sub ecx, 1
    jnz 2b
    sub rsi, 1
    jnz 1b
end tlb_flushed

    .macro enable_hypercalls
    launch_hypervisor
    mov ecx, 0x40000000              // HV_X64_MSR_GUEST_OS_ID
    mov eax, 1
    mov edx, 0x00010400
    wrmsr
    mov ecx, 0x40000001              // HV_X64_MSR_HYPERCALL
    mov eax, hypercall_page0 + 1
    xor edx, edx
    wrmsr
    mov r14d, hypercall_page0
    mov rax, cr4                     // OSFXSR
    or eax, 0x200
    mov cr4, rax
    .endm

// HvCallGetVpRegisters, fast, one register: its own index.
program hypercall
    enable_hypercalls
    mov eax, 0x00090003              // HvRegisterVpIndex
    movq xmm0, rax
    mov r12, 0x0000000100010050
    mov r13, -1                      // HV_PARTITION_ID_SELF
    mov r15d, 0xfffffffe             // HV_VP_INDEX_SELF, own VTL
1:  mov rcx, r12
    mov rdx, r13
    mov r8, r15
    call r14
    sub rsi, 1
    jnz 1b
    test ax, ax
    jz 9f
    ud2
9:
end hypercall

// HvCallFlushVirtualAddressList, fast, one page on one processor; the page is read in between.
program flush_hypercall
    enable_hypercalls
    mov eax, memory_buffer
    movq xmm1, rax
    mov eax, 1                       // processor 0
    movq xmm0, rax
    punpcklqdq xmm0, xmm1
    mov r12, 0x0000000100010003
    mov r13, cr3
    mov edi, memory_buffer
1:  mov rax, [rdi]
    mov rcx, r12
    mov rdx, r13
    xor r8d, r8d
    call r14
    sub rsi, 1
    jnz 1b
    test ax, ax
    jz 9f
    ud2
9:
end flush_hypercall

// The arithmetic of `compute` on four processors; each takes the number of rounds from the first instruction.
program four_processors
    enable_hypercalls
    mov ebp, 1
1:  mov [start_vp + 8], ebp          // HV_VP_INDEX
    mov ecx, 0x99                    // HvCallStartVirtualProcessor
    mov edx, start_vp
    xor r8d, r8d
    call r14
    test ax, ax
    jz 2f
    ud2
2:  inc ebp
    cmp ebp, 4
    jb 1b
    .globl bench_worker_entry
bench_worker_entry:
    mov rsi, [code + 2]
    mov eax, 1
    mov ebx, 2
    mov ecx, 3
    mov edx, 4
3:  add rax, rbx
    xor rbx, rcx
    rol rax, 7
    imul rcx, rax
    lea rdx, [rdx + rax + 1]
    sub rsi, 1
    jnz 3b
end four_processors

// From here on there is a VTL 1. R14: the hypercall page of VTL 0.
    .macro enable_vtl1
    enable_hypercalls
    mov ecx, 0x0d                    // HvCallEnablePartitionVtl
    mov edx, enable_partition_vtl
    xor r8d, r8d
    call r14
    test ax, ax
    jnz 9f
    mov ecx, 0x0f                    // HvCallEnableVpVtl
    mov edx, enable_vp_vtl
    xor r8d, r8d
    call r14
    test ax, ax
    jnz 9f
    .endm

// What VTL 1 does: it returns at once, whenever it is called.
    .macro vtl1_of name
    .globl bench_\name\()_vtl1
bench_\name\()_vtl1:
    mov ecx, 0x40000000
    mov eax, 1
    mov edx, 0x00010400
    wrmsr
    mov ecx, 0x40000001
    mov eax, hypercall_page1 + 1
    xor edx, edx
    wrmsr
    mov r15d, hypercall_page1 + vtl_return_stub
2:  mov ecx, 1                       // fast return
    call r15
    jmp 2b
    .endm

// VTL 0 calls, VTL 1 returns at once; both through the stubs of their hypercall pages.
program vtl_round_trip
    enable_vtl1
    add r14, vtl_call_stub
1:  xor ecx, ecx
    call r14
    sub rsi, 1
    jnz 1b
    hlt
9:  ud2
    vtl1_of vtl_round_trip
end vtl_round_trip

// A kernel's day, in small: 4,000 instructions of work, a VTL call, a hypercall; the timer interrupts every 20,000.
program events
    enable_vtl1
    lidt [idt_pointer]
    mov ecx, 0x1b                    // IA32_APIC_BASE: x2APIC mode
    rdmsr
    or eax, 0xc00
    wrmsr
    xor edx, edx
    mov ecx, 0x80f                   // spurious vector, enabled
    mov eax, 0x1ff
    wrmsr
    mov ecx, 0x83e                   // timer: divide by 1
    mov eax, 0xb
    wrmsr
    mov ecx, 0x832                   // periodic, vector 40h
    mov eax, 0x20040
    wrmsr
    mov ecx, 0x838                   // initial count
    mov eax, 20000
    wrmsr
    sti
    xor ebx, ebx
    mov edi, memory_buffer
1:  mov r13d, 500
2:  mov rax, [rdi]
    add [rdi + 8], rax
    mov [rdi + 16], rbx
    add rbx, [rdi + 24]
    add rdi, 64
    and rdi, memory_buffer + 0x3ffff
    sub r13d, 1
    jnz 2b
    xor ecx, ecx
    lea rax, [r14 + vtl_call_stub]
    call rax
    mov ecx, 0x10008                 // HvCallNotifyLongSpinWait, fast
    mov edx, 1
    call r14
    sub rsi, 1
    jnz 1b
    hlt
9:  ud2
    .globl bench_events_timer
bench_events_timer:
    push rax
    push rcx
    push rdx
    mov ecx, 0x80b                   // EOI
    xor eax, eax
    xor edx, edx
    wrmsr
    pop rdx
    pop rcx
    pop rax
    iretq
    vtl1_of events
end events

// As crowded as it gets: a round of some 400 instructions has a secure call of one of 16 services (every eighth with a normal
// call inside), a hypercall and an invalid instruction; the timer interrupts now and then. The frames are SKCALL's.
program crowd
    enable_vtl1
    lidt [idt_pointer]
    mov ecx, 0x1b                    // IA32_APIC_BASE: x2APIC mode
    rdmsr
    or eax, 0xc00
    wrmsr
    xor edx, edx
    mov ecx, 0x80f
    mov eax, 0x1ff
    wrmsr
    mov ecx, 0x83e
    mov eax, 0xb
    wrmsr
    mov ecx, 0x832
    mov eax, 0x20040
    wrmsr
    mov ecx, 0x838
    mov eax, 5000
    wrmsr
    sti
    mov edi, memory_buffer
    mov r12d, 1
1:  mov rax, 0x5851f42d4c957f2d      // a random number a round, in R12: lengths, services and parameters
    imul r12, rax
    inc r12
    mov r13, r12
    shr r13, 59
    add r13d, 15
2:  mov rax, [rdi]
    add [rdi + 8], rax
    mov [rdi + 16], r13
    add r9, [rdi + 24]
    add rdi, 64
    and rdi, memory_buffer + 0x3ffff
    sub r13d, 1
    jnz 2b
    mov rbx, r12                     // SKCALL: SecureService, code 1 to 16
    shr rbx, 40
    and ebx, 15
    inc ebx
    shl ebx, 16
    or ebx, 1
    movq xmm10, r12
3:  xor ecx, ecx
    lea rax, [r14 + vtl_call_stub]
    call rax
    cmp bh, 1                        // Finished?
    je 4f
    mov r13d, 10                     // a normal service: some work, then ResumeThread with the same cookie
5:  add r9, r13
    sub r13d, 1
    jnz 5b
    shr rbx, 32
    shl rbx, 32
    jmp 3b
4:  mov ecx, 0x10008                 // HvCallNotifyLongSpinWait, fast
    mov edx, 1
    call r14
    ud2                              // passed over by its handler
    sub rsi, 1
    jnz 1b
    hlt
9:  ud2
    .globl bench_crowd_invalid
bench_crowd_invalid:
    add qword ptr [rsp], 2
    iretq
    .globl bench_crowd_timer
bench_crowd_timer:
    push rax
    push rcx
    push rdx
    mov ecx, 0x80b                   // EOI
    xor eax, eax
    xor edx, edx
    wrmsr
    pop rdx
    pop rcx
    pop rax
    iretq
    .globl bench_crowd_vtl1
bench_crowd_vtl1:
    mov ecx, 0x40000000
    mov eax, 1
    mov edx, 0x00010400
    wrmsr
    mov ecx, 0x40000001
    mov eax, hypercall_page1 + 1
    xor edx, edx
    wrmsr
    mov r15d, hypercall_page1 + vtl_return_stub
6:  mov rax, r12                     // Finished, now and then with STATUS_INVALID_PARAMETER
    shr rax, 34
    and eax, 63
    mov ecx, 0
    mov ebx, 0xc000000d
    cmovz ecx, ebx
    movd xmm10, ecx
    mov ebx, 0x100
    mov ecx, 1
    call r15
    mov r10, r12
    shr r10, 50
    and r10d, 31
    add r10d, 10
7:  add r11, r10
    rol r11, 3
    sub r10d, 1
    jnz 7b
    test esi, 7
    jnz 6b
    mov rbx, 0x0000000500060000      // NormalService, GetProcessorInfo, cookie 5
    mov ecx, 1
    call r15
    jmp 6b
end crowd

    .section .note.GNU-stack, "", @progbits
