// A boot sector for machines that have a BIOS and no Multiboot loader: reads the sectors behind it, which are a kernel's flat
// bytes for 1 MiB, and enters it as a Multiboot loader would, with nothing but a command line. bench/peers fills in the three
// fields at the end.
.intel_syntax noprefix
.code16
.globl _start
_start:
  cli
  cld
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7c00
  sti
  mov ah, 0x42
  mov si, offset packet
  int 0x13
  jc failed
  in al, 0x92  // A20
  or al, 2
  and al, 0xfe
  out 0x92, al
  cli
  .byte 0x66, 0x0f, 0x01, 0x16  // LGDT
  .word gdt_pointer
  mov eax, cr0
  or al, 1
  mov cr0, eax
  .byte 0x66, 0xea
  .long in_protected_mode
  .word 0x08
failed:
  hlt
  jmp failed

.code32
in_protected_mode:
  mov eax, 0x10
  mov ds, eax
  mov es, eax
  mov ss, eax
  mov fs, eax
  mov gs, eax
  mov esp, 0x7c00
  movzx ecx, word ptr [sectors]
  shl ecx, 9
  mov esi, 0x10000
  mov edi, 0x100000
  rep movsb
  mov ecx, 0x100000  // what has no bytes in the file
  xor eax, eax
  rep stosb
  mov ebx, 0x9000
  mov edi, ebx
  mov ecx, 128
  rep stosb
  mov dword ptr [ebx], 4
  mov dword ptr [ebx + 16], offset command_line
  mov eax, 0x2badb002
  jmp [entry]

.balign 4
packet:  // of the BIOS's extended read
  .byte 16, 0
sectors:
  .word 0
  .word 0, 0x1000
  .quad 1
.balign 8
gdt:
  .quad 0
  .quad 0x00cf9b000000ffff
  .quad 0x00cf93000000ffff
gdt_pointer:
  .word . - gdt - 1
  .long gdt

// For bench/peers: sectors of the kernel are at `sectors`, whose place is at 498.
.org 0x1a0
command_line:
  .skip 80
.org 498
  .word sectors - _start
entry:
  .long 0
.org 510
  .word 0xaa55
