// From where a Multiboot loader leaves us, 32-bit protected mode without paging, to 64-bit C++; and the same for the other
// processors, which begin in real mode at the page that their SIPI names.
.intel_syntax noprefix
#include "rt/assembly.h"

.set multiboot_magic, 0x1badb002
.set code32, 0x08
.set data, 0x10
.set code64, 0x18
.set trampoline_address, 0x8000
.set stack_size, 16384

// JMP ptr16:32, which this syntax cannot say.
.macro far_jump selector, target
  .byte 0xea
  .long \target
  .word \selector
.endm

.section .multiboot, "a"
.balign 4
.long multiboot_magic, 3, -(multiboot_magic + 3)

.text
.code32
.globl _start
_start:
  cld
  mov esp, offset boot_stack
  mov [loader_magic], eax
  mov [loader_information], ebx
  lgdt [gdt_pointer]
  // Identity: one PML4 entry, four page directories of 2 MiB pages.
  mov edi, offset page_tables
  lea eax, [edi + 0x1003]
  mov [edi], eax
  mov ecx, 4
  lea eax, [edi + 0x2003]
  lea edx, [edi + 0x1000]
1:
  mov [edx], eax
  add eax, 0x1000
  add edx, 8
  loop 1b
  mov eax, 0x83
  lea edx, [edi + 0x2000]
  mov ecx, 2048
2:
  mov [edx], eax
  add eax, 0x200000
  add edx, 8
  loop 2b
  far_jump code32, enter_long_mode

enter_long_mode:
  mov eax, data
  mov ds, eax
  mov es, eax
  mov ss, eax
  xor eax, eax
  mov fs, eax
  mov gs, eax
  mov eax, cr4
  or eax, 0x620  // OSXMMEXCPT, OSFXSR, PAE
  mov cr4, eax
  mov eax, offset page_tables
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x100  // LME
  wrmsr
  mov eax, cr0
  or eax, 0x80010003  // PG, WP, MP, PE
  and eax, 0x9fffffff // caches on
  mov cr0, eax
  far_jump code64, in_long_mode

.code64
in_long_mode:
  // Each processor takes the next stack; number 0 is the one that was booted.
  mov eax, 1
  lock xadd [next_processor], eax
  mov edi, eax
  inc eax
  imul eax, eax, stack_size
  lea rsp, [stacks + rax]
  xor ebp, ebp
  test edi, edi
  jnz 3f
  mov edi, [loader_magic]
  mov esi, [loader_information]
  call boot_processor
3:
  call other_processor
4:
  hlt
  jmp 4b

.globl trampoline, trampoline_end
.code16
trampoline:
  cli
  cld
  xor ax, ax
  mov ds, ax
  .byte 0x66, 0x0f, 0x01, 0x16  // LGDT, 32-bit operand, at the copy
  .word trampoline_gdt_pointer - trampoline + trampoline_address
  mov eax, cr0
  or al, 1
  mov cr0, eax
  .byte 0x66  // 32-bit offset in 16-bit code
  far_jump code32, (trampoline32 - trampoline + trampoline_address)
.code32
trampoline32:
  mov eax, offset enter_long_mode
  jmp eax
.balign 4
trampoline_gdt_pointer:
  .word gdt_end - gdt - 1
  .long gdt
trampoline_end:

// Interrupts: a common frame, then C++.
.code64
.altmacro
.macro interrupt_entry vector
.balign 16
  .if \vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17
  .else
  push 0
  .endif
  push \vector
  jmp interrupt_common
.endm
.balign 16
.globl interrupt_entries
interrupt_entries:
.set i, 0
.rept 256
  interrupt_entry %i
  .set i, i + 1
.endr

interrupt_common:
  PUSH_ALL
  mov rdi, rsp
  mov rbp, rsp
  and rsp, -16
  call interrupt
  mov rsp, rbp
  POP_ALL
  add rsp, 16
  iretq

.data
.balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff
  .quad 0x00cf93000000ffff
  .quad 0x00af9b000000ffff
gdt_end:
gdt_pointer:
  .word gdt_end - gdt - 1
  .long gdt
.balign 4
loader_magic: .long 0
loader_information: .long 0
.globl next_processor
next_processor: .long 0

.bss
.balign 4096
page_tables: .skip 6 * 4096
stacks: .skip 8 * stack_size
.skip 4096
boot_stack:
