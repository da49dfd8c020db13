// Guest code of the benchmarks: flat, position-independent but for the addresses of guest_layout below. Each program runs
// in ring 0 as the machine's firmware, or on a bare Unicorn, counts down RSI and halts. The host patches the first
// instruction's operand, the number of rounds.
    .intel_syntax noprefix

// As in guest_layout.h.
    .set data, 0x102000
    .set launch_block, data
    .set enable_partition_vtl, data + 0x100
    .set enable_vp_vtl, data + 0x200
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

// VTL 0 calls, VTL 1 returns at once; both through the stubs of their hypercall pages.
program vtl_round_trip
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
    add r14, vtl_call_stub
1:  xor ecx, ecx
    call r14
    sub rsi, 1
    jnz 1b
    hlt
9:  ud2
    .globl bench_vtl1_entry
bench_vtl1_entry:
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
end vtl_round_trip

    .section .note.GNU-stack, "", @progbits
