#include "tests/oracle/instructions.h"

namespace oracle {
namespace {

constexpr uint16_t szap = S | Z | A | P;
constexpr auto Any = Operand::Any;
constexpr auto Mem = Operand::Memory;
constexpr auto Reg = Operand::Register;
constexpr auto Non = Operand::None;
constexpr uint16_t all = arithmetic;
constexpr uint16_t none = no_flags;

// name, prefix, map, opcode, digit, operand, immediate, reads, writes, undefined, attributes
#define ALU(name, base, digit, reads, undefined)                                                   \
  {name, 0, 0, base + 0, -1, Any, None0, reads, all, undefined, Byte | Lockable},                  \
      {name, 0, 0, base + 1, -1, Any, None0, reads, all, undefined, Lockable},                     \
      {name, 0, 0, base + 2, -1, Any, None0, reads, all, undefined, Byte},                         \
      {name, 0, 0, base + 3, -1, Any, None0, reads, all, undefined, 0},                            \
      {name, 0, 0, base + 4, -1, Non, I8, reads, all, undefined, Byte},                            \
      {name, 0, 0, base + 5, -1, Non, Iz, reads, all, undefined, 0},                               \
      {name, 0, 0, 0x80, digit, Any, I8, reads, all, undefined, Byte | Lockable},                  \
      {name, 0, 0, 0x81, digit, Any, Iz, reads, all, undefined, Lockable}, {                       \
    name, 0, 0, 0x83, digit, Any, I8, reads, all, undefined, Lockable                              \
  }

// By 1: OF is defined. By CL or an immediate: the count may be 0, then nothing is written.
#define SHIFT(name, digit, reads, by1, more)                                                       \
  {name, 0, 0, 0xd0, digit, Any, None0, reads, by1, (by1) == all ? uint16_t{A} : none, Byte},      \
      {name, 0, 0, 0xd1, digit, Any, None0, reads, by1, (by1) == all ? uint16_t{A} : none, 0},     \
      {name, 0, 0, 0xc0, digit, Any, I8, reads, none, O | more, Byte},                             \
      {name, 0, 0, 0xc1, digit, Any, I8, reads, none, O | more, 0},                                \
      {name, 0, 0, 0xd2, digit, Any, None0, reads, none, O | more, Byte},                          \
      {name, 0, 0, 0xd3, digit, Any, None0, reads, none, O | more, 0}

constexpr Row integer[] = {
    ALU("add", 0x00, 0, none, none),
    ALU("or", 0x08, 1, none, A),
    ALU("adc", 0x10, 2, C, none),
    ALU("sbb", 0x18, 3, C, none),
    ALU("and", 0x20, 4, none, A),
    ALU("sub", 0x28, 5, none, none),
    ALU("xor", 0x30, 6, none, A),
    ALU("cmp", 0x38, 7, none, none),
    SHIFT("rol", 0, none, C | O, none),
    SHIFT("ror", 1, none, C | O, none),
    SHIFT("rcl", 2, C, C | O, none),
    SHIFT("rcr", 3, C, C | O, none),
    SHIFT("shl", 4, none, all, A | C),
    SHIFT("shr", 5, none, all, A | C),
    SHIFT("sal", 6, none, all, A | C),
    SHIFT("sar", 7, none, all, A),
    {"test", 0, 0, 0x84, -1, Any, None0, none, all, A, Byte | NoWrite},
    {"test", 0, 0, 0x85, -1, Any, None0, none, all, A, NoWrite},
    {"test", 0, 0, 0xf6, 0, Any, I8, none, all, A, Byte | NoWrite},
    {"test", 0, 0, 0xf7, 0, Any, Iz, none, all, A, NoWrite},
    {"test", 0, 0, 0xf7, 1, Any, Iz, none, all, A, NoWrite},
    {"not", 0, 0, 0xf6, 2, Any, None0, none, none, none, Byte | Lockable},
    {"not", 0, 0, 0xf7, 2, Any, None0, none, none, none, Lockable},
    {"neg", 0, 0, 0xf6, 3, Any, None0, none, all, none, Byte | Lockable},
    {"neg", 0, 0, 0xf7, 3, Any, None0, none, all, none, Lockable},
    {"mul", 0, 0, 0xf6, 4, Any, None0, none, C | O, szap, Byte},
    {"mul", 0, 0, 0xf7, 4, Any, None0, none, C | O, szap, 0},
    {"imul", 0, 0, 0xf6, 5, Any, None0, none, C | O, szap, Byte},
    {"imul", 0, 0, 0xf7, 5, Any, None0, none, C | O, szap, 0},
    {"div", 0, 0, 0xf6, 6, Any, None0, none, none, all, Byte},
    {"div", 0, 0, 0xf7, 6, Any, None0, none, none, all, 0},
    {"idiv", 0, 0, 0xf6, 7, Any, None0, none, none, all, Byte},
    {"idiv", 0, 0, 0xf7, 7, Any, None0, none, none, all, 0},
    {"inc", 0, 0, 0xfe, 0, Any, None0, none, szap | O, none, Byte | Lockable},
    {"inc", 0, 0, 0xff, 0, Any, None0, none, szap | O, none, Lockable},
    {"dec", 0, 0, 0xfe, 1, Any, None0, none, szap | O, none, Byte | Lockable},
    {"dec", 0, 0, 0xff, 1, Any, None0, none, szap | O, none, Lockable},
    {"inc", 0, 0, 0x40, -1, Non, None0, none, szap | O, none, PlusRegister | No64},
    {"dec", 0, 0, 0x48, -1, Non, None0, none, szap | O, none, PlusRegister | No64},
    {"imul", 0, 1, 0xaf, -1, Any, None0, none, C | O, szap, 0},
    {"imul", 0, 0, 0x69, -1, Any, Iz, none, C | O, szap, 0},
    {"imul", 0, 0, 0x6b, -1, Any, I8, none, C | O, szap, 0},
    {"shld", 0, 1, 0xa4, -1, Any, I8, none, none, O | A | C, No66},
    {"shld", 0, 1, 0xa5, -1, Any, None0, none, none, O | A | C, No66},
    {"shrd", 0, 1, 0xac, -1, Any, I8, none, none, O | A | C, No66},
    {"shrd", 0, 1, 0xad, -1, Any, None0, none, none, O | A | C, No66},
    {"bt", 0, 1, 0xa3, -1, Any, None0, none, C, O | S | A | P, NoWrite},
    {"bts", 0, 1, 0xab, -1, Any, None0, none, C, O | S | A | P, Lockable},
    {"btr", 0, 1, 0xb3, -1, Any, None0, none, C, O | S | A | P, Lockable},
    {"btc", 0, 1, 0xbb, -1, Any, None0, none, C, O | S | A | P, Lockable},
    {"bt", 0, 1, 0xba, 4, Any, I8, none, C, O | S | A | P, NoWrite},
    {"bts", 0, 1, 0xba, 5, Any, I8, none, C, O | S | A | P, Lockable},
    {"btr", 0, 1, 0xba, 6, Any, I8, none, C, O | S | A | P, Lockable},
    {"btc", 0, 1, 0xba, 7, Any, I8, none, C, O | S | A | P, Lockable},
    {"bsf", 0, 1, 0xbc, -1, Any, None0, none, Z, C | O | S | A | P, 0},
    {"bsr", 0, 1, 0xbd, -1, Any, None0, none, Z, C | O | S | A | P, 0},
    {"popcnt", 0xf3, 1, 0xb8, -1, Any, None0, none, all, none, Sse},
    {"movzx", 0, 1, 0xb6, -1, Any, None0, none, none, none, 0},
    {"movzx", 0, 1, 0xb7, -1, Any, None0, none, none, none, 0},
    {"movsx", 0, 1, 0xbe, -1, Any, None0, none, none, none, 0},
    {"movsx", 0, 1, 0xbf, -1, Any, None0, none, none, none, 0},
    {"movsxd", 0, 0, 0x63, -1, Any, None0, none, none, none, Only64},
    {"mov", 0, 0, 0x88, -1, Any, None0, none, none, none, Byte},
    {"mov", 0, 0, 0x89, -1, Any, None0, none, none, none, 0},
    {"mov", 0, 0, 0x8a, -1, Any, None0, none, none, none, Byte},
    {"mov", 0, 0, 0x8b, -1, Any, None0, none, none, none, 0},
    {"mov", 0, 0, 0xc6, 0, Any, I8, none, none, none, Byte},
    {"mov", 0, 0, 0xc7, 0, Any, Iz, none, none, none, 0},
    {"mov", 0, 0, 0xb0, -1, Non, I8, none, none, none, PlusRegister | Byte},
    {"mov", 0, 0, 0xb8, -1, Non, Iz, none, none, none, PlusRegister | WideImmediate},
    {"mov", 0, 0, 0xa0, -1, Non, Moffs, none, none, none, Byte},
    {"mov", 0, 0, 0xa1, -1, Non, Moffs, none, none, none, 0},
    {"mov", 0, 0, 0xa2, -1, Non, Moffs, none, none, none, Byte},
    {"mov", 0, 0, 0xa3, -1, Non, Moffs, none, none, none, 0},
    {"lea", 0, 0, 0x8d, -1, Mem, None0, none, none, none, 0},
    {"xchg", 0, 0, 0x86, -1, Any, None0, none, none, none, Byte | Lockable},
    {"xchg", 0, 0, 0x87, -1, Any, None0, none, none, none, Lockable},
    {"xchg", 0, 0, 0x90, -1, Non, None0, none, none, none, PlusRegister},
    {"xadd", 0, 1, 0xc0, -1, Any, None0, none, all, none, Byte | Lockable},
    {"xadd", 0, 1, 0xc1, -1, Any, None0, none, all, none, Lockable},
    {"cmpxchg", 0, 1, 0xb0, -1, Any, None0, none, all, none, Byte | Lockable},
    {"cmpxchg", 0, 1, 0xb1, -1, Any, None0, none, all, none, Lockable},
    {"cmpxchg8b", 0, 1, 0xc7, 1, Mem, None0, none, Z, none, Lockable | No66},
    {"bswap", 0, 1, 0xc8, -1, Non, None0, none, none, none, PlusRegister | No66},
    {"cwde", 0, 0, 0x98, -1, Non, None0, none, none, none, 0},
    {"cdq", 0, 0, 0x99, -1, Non, None0, none, none, none, 0},
    {"push", 0, 0, 0x50, -1, Non, None0, none, none, none, PlusRegister},
    {"pop", 0, 0, 0x58, -1, Non, None0, none, none, none, PlusRegister},
    {"push", 0, 0, 0x68, -1, Non, Iz, none, none, none, 0},
    {"push", 0, 0, 0x6a, -1, Non, I8, none, none, none, 0},
    {"push", 0, 0, 0xff, 6, Any, None0, none, none, none, 0},
    {"pop", 0, 0, 0x8f, 0, Any, None0, none, none, none, 0},
    {"pushf", 0, 0, 0x9c, -1, Non, None0, all, none, none, 0},
    {"popf", 0, 0, 0x9d, -1, Non, None0, none, all, none, Rare | Native},
    {"lahf", 0, 0, 0x9f, -1, Non, None0, C | P | A | Z | S, none, none, 0},
    {"sahf", 0, 0, 0x9e, -1, Non, None0, none, C | P | A | Z | S, none, 0},
    {"clc", 0, 0, 0xf8, -1, Non, None0, none, C, none, 0},
    {"stc", 0, 0, 0xf9, -1, Non, None0, none, C, none, 0},
    {"cmc", 0, 0, 0xf5, -1, Non, None0, C, C, none, 0},
    {"cld", 0, 0, 0xfc, -1, Non, None0, none, none, none, 0},
    {"std", 0, 0, 0xfd, -1, Non, None0, none, none, none, 0},
    {"xlat", 0, 0, 0xd7, -1, Non, None0, none, none, none, 0},
    {"enter", 0, 0, 0xc8, -1, Non, I8I16, none, none, none, 0},
    {"leave", 0, 0, 0xc9, -1, Non, None0, none, none, none, 0},
    {"movs", 0, 0, 0xa4, -1, Non, None0, none, none, none, Byte | Repeatable},
    {"movs", 0, 0, 0xa5, -1, Non, None0, none, none, none, Repeatable},
    {"stos", 0, 0, 0xaa, -1, Non, None0, none, none, none, Byte | Repeatable},
    {"stos", 0, 0, 0xab, -1, Non, None0, none, none, none, Repeatable},
    {"lods", 0, 0, 0xac, -1, Non, None0, none, none, none, Byte | Repeatable},
    {"lods", 0, 0, 0xad, -1, Non, None0, none, none, none, Repeatable},
    {"cmps", 0, 0, 0xa6, -1, Non, None0, none, none, none, Byte | RepeatConditional},
    {"cmps", 0, 0, 0xa7, -1, Non, None0, none, none, none, RepeatConditional},
    {"scas", 0, 0, 0xae, -1, Non, None0, none, none, none, Byte | RepeatConditional},
    {"scas", 0, 0, 0xaf, -1, Non, None0, none, none, none, RepeatConditional},
    {"movbe", 0, 2, 0xf0, -1, Mem, None0, none, none, none, 0},
    {"movbe", 0, 2, 0xf1, -1, Mem, None0, none, none, none, 0},
    {"crc32", 0xf2, 2, 0xf0, -1, Any, None0, none, none, none, Byte | Sse},
    {"crc32", 0xf2, 2, 0xf1, -1, Any, None0, none, none, none, Sse},
    {"daa", 0, 0, 0x27, -1, Non, None0, A | C, szap | C, O, No64},
    {"das", 0, 0, 0x2f, -1, Non, None0, A | C, szap | C, O, No64},
    {"aaa", 0, 0, 0x37, -1, Non, None0, A, A | C, O | S | Z | P, No64},
    {"aas", 0, 0, 0x3f, -1, Non, None0, A, A | C, O | S | Z | P, No64},
    {"aam", 0, 0, 0xd4, -1, Non, I8, none, S | Z | P, O | A | C, No64},
    {"aad", 0, 0, 0xd5, -1, Non, I8, none, S | Z | P, O | A | C, No64},
    {"pusha", 0, 0, 0x60, -1, Non, None0, none, none, none, No64},
    {"popa", 0, 0, 0x61, -1, Non, None0, none, none, none, No64},
    {"bound", 0, 0, 0x62, -1, Mem, None0, none, none, none, No64},
    {"nop", 0, 1, 0x1f, 0, Any, None0, none, none, none, NoWrite},
    {"prefetch", 0, 1, 0x18, 1, Mem, None0, none, none, none, NoWrite},
};

// Conditions: 0 O, 1 NO, 2 C, 3 NC, 4 Z, 5 NZ, 6 C|Z, 7, 8 S, 9, a P, b, c S^O, d, e Z|S^O, f.
#define CONDITION(n, reads)                                                                        \
  {"jcc", 0, 0, 0x70 + n, -1, Non, None0, reads, none, none, Relative8},                           \
      {"jcc", 0, 1, 0x80 + n, -1, Non, None0, reads, none, none, RelativeZ | No66},                \
      {"setcc", 0, 1, 0x90 + n, 0, Any, None0, reads, none, none, Byte},                           \
      {"cmovcc", 0, 1, 0x40 + n, -1, Any, None0, reads, none, none, 0}

constexpr Row control[] = {
    CONDITION(0, O),
    CONDITION(1, O),
    CONDITION(2, C),
    CONDITION(3, C),
    CONDITION(4, Z),
    CONDITION(5, Z),
    CONDITION(6, C | Z),
    CONDITION(7, C | Z),
    CONDITION(8, S),
    CONDITION(9, S),
    CONDITION(10, P),
    CONDITION(11, P),
    CONDITION(12, S | O),
    CONDITION(13, S | O),
    CONDITION(14, Z | S | O),
    CONDITION(15, Z | S | O),
    {"jmp", 0, 0, 0xeb, -1, Non, None0, none, none, none, Relative8},
    {"jmp", 0, 0, 0xe9, -1, Non, None0, none, none, none, RelativeZ | No66},
    {"call", 0, 0, 0xe8, -1, Non, None0, none, none, none, RelativeZ | No66},
    {"jcxz", 0, 0, 0xe3, -1, Non, None0, none, none, none, Relative8},
    {"loop", 0, 0, 0xe2, -1, Non, None0, none, none, none, Relative8},
    {"loope", 0, 0, 0xe1, -1, Non, None0, Z, none, none, Relative8},
    {"loopne", 0, 0, 0xe0, -1, Non, None0, Z, none, none, Relative8},
    {"call", 0, 0, 0xff, 2, Any, None0, none, none, none, Rare | No66},
    {"jmp", 0, 0, 0xff, 4, Any, None0, none, none, none, Rare | No66},
    {"ret", 0, 0, 0xc3, -1, Non, None0, none, none, none, Rare | No66},
    {"ret", 0, 0, 0xc2, -1, Non, I16, none, none, none, Rare | No66},
    {"retf", 0, 0, 0xcb, -1, Non, None0, none, none, none, Rare | Native},
    {"retf", 0, 0, 0xca, -1, Non, I16, none, none, none, Rare | Native},
    {"callf", 0, 0, 0xff, 3, Mem, None0, none, none, none, Rare | NoRexW | Native},
    {"jmpf", 0, 0, 0xff, 5, Mem, None0, none, none, none, Rare | NoRexW | Native},
    {"iret", 0, 0, 0xcf, -1, Non, None0, none, none, none, Rare | Native},
    {"int3", 0, 0, 0xcc, -1, Non, None0, none, none, none, Rare},
    {"int1", 0, 0, 0xf1, -1, Non, None0, none, none, none, Rare | Kernel},
    {"int", 0, 0, 0xcd, -1, Non, I8, none, none, none, Rare | Native},
    {"into", 0, 0, 0xce, -1, Non, None0, O, none, none, Rare | No64},
    {"ud2", 0, 1, 0x0b, -1, Non, None0, none, none, none, Rare},
    {"ud1", 0, 1, 0xb9, -1, Any, None0, none, none, none, Rare},
    {"hlt", 0, 0, 0xf4, -1, Non, None0, none, none, none, Rare},
    {"cli", 0, 0, 0xfa, -1, Non, None0, none, none, none, Rare},
    {"sti", 0, 0, 0xfb, -1, Non, None0, none, none, none, Rare},
    {"clts", 0, 1, 0x06, -1, Non, None0, none, none, none, Rare},
    {"invd", 0, 1, 0x08, -1, Non, None0, none, none, none, Rare},
    {"wbinvd", 0, 1, 0x09, -1, Non, None0, none, none, none, Rare},
    {"rdmsr", 0, 1, 0x32, -1, Non, None0, none, none, none, Rare},
    {"wrmsr", 0, 1, 0x30, -1, Non, None0, none, none, none, Rare},
    {"mov from cr", 0, 1, 0x20, -1, Reg, None0, none, none, all, Rare | NoRexW},
    {"mov to cr", 0, 1, 0x22, -1, Reg, None0, none, none, all, Rare | NoRexW},
    {"mov from dr", 0, 1, 0x21, -1, Reg, None0, none, none, all, Rare | NoRexW},
    {"mov to dr", 0, 1, 0x23, -1, Reg, None0, none, none, all, Rare | NoRexW},
    {"lgdt", 0, 1, 0x01, 2, Mem, None0, none, none, none, Rare},
    {"lidt", 0, 1, 0x01, 3, Mem, None0, none, none, none, Rare},
    {"sgdt", 0, 1, 0x01, 0, Mem, None0, none, none, none, Kernel},
    {"sidt", 0, 1, 0x01, 1, Mem, None0, none, none, none, Kernel},
    {"smsw", 0, 1, 0x01, 4, Any, None0, none, none, none, Kernel},
    {"lmsw", 0, 1, 0x01, 6, Any, None0, none, none, none, Rare},
    {"invlpg", 0, 1, 0x01, 7, Mem, None0, none, none, none, Rare},
    {"sldt", 0, 1, 0x00, 0, Any, None0, none, none, none, Kernel},
    {"str", 0, 1, 0x00, 1, Any, None0, none, none, none, Kernel},
    {"lldt", 0, 1, 0x00, 2, Any, None0, none, none, none, Rare},
    {"ltr", 0, 1, 0x00, 3, Any, None0, none, none, none, Rare},
    {"verr", 0, 1, 0x00, 4, Any, None0, none, Z, none, Rare | NoWrite | Native},
    {"verw", 0, 1, 0x00, 5, Any, None0, none, Z, none, Rare | NoWrite | Native},
    {"lar", 0, 1, 0x02, -1, Any, None0, none, Z, none, Rare | Native},
    {"lsl", 0, 1, 0x03, -1, Any, None0, none, Z, none, Rare | Native},
    {"mov from sreg", 0, 0, 0x8c, -1, Any, None0, none, none, none, Kernel},
    {"mov to sreg", 0, 0, 0x8e, -1, Any, None0, none, none, none, Rare | Native},
    {"push fs", 0, 1, 0xa0, -1, Non, None0, none, none, none, Kernel},
    {"pop fs", 0, 1, 0xa1, -1, Non, None0, none, none, none, Rare | Native},
    {"push gs", 0, 1, 0xa8, -1, Non, None0, none, none, none, Kernel},
    {"pop gs", 0, 1, 0xa9, -1, Non, None0, none, none, none, Rare | Native},
    {"push es", 0, 0, 0x06, -1, Non, None0, none, none, none, No64},
    {"pop es", 0, 0, 0x07, -1, Non, None0, none, none, none, No64 | Rare},
    {"push cs", 0, 0, 0x0e, -1, Non, None0, none, none, none, No64},
    {"push ss", 0, 0, 0x16, -1, Non, None0, none, none, none, No64},
    {"push ds", 0, 0, 0x1e, -1, Non, None0, none, none, none, No64},
    {"pop ds", 0, 0, 0x1f, -1, Non, None0, none, none, none, No64 | Rare},
    {"les", 0, 0, 0xc4, -1, Mem, None0, none, none, none, No64 | Rare},
    {"lds", 0, 0, 0xc5, -1, Mem, None0, none, none, none, No64 | Rare},
    {"lss", 0, 1, 0xb2, -1, Mem, None0, none, none, none, Rare | NoRexW | Native},
    {"lfs", 0, 1, 0xb4, -1, Mem, None0, none, none, none, Rare | NoRexW | Native},
    {"lgs", 0, 1, 0xb5, -1, Mem, None0, none, none, none, Rare | NoRexW | Native},
    {"arpl", 0, 0, 0x63, -1, Any, None0, none, Z, none, No64 | Rare},
    {"syscall", 0, 1, 0x05, -1, Non, None0, all, none, none, Rare | Only64 | Native},
    {"sysret", 0, 1, 0x07, -1, Non, None0, none, none, none, Rare | Only64},
    {"swapgs", 0, 1, 0x01, 7, Reg, None0, none, none, none, Rare | Only64},
    {"monitor", 0, 1, 0x01, 1, Reg, None0, none, none, none, Rare},
    {"mfence", 0, 1, 0xae, 6, Reg, None0, none, none, none, No66},
    {"lfence", 0, 1, 0xae, 5, Reg, None0, none, none, none, No66},
    {"sfence", 0, 1, 0xae, 7, Reg, None0, none, none, none, No66},
    {"clflush", 0, 1, 0xae, 7, Mem, None0, none, none, none, No66 | NoWrite},
};

#define SSE(op) {"sse", 0, 1, op, -1, Any, None0, none, none, none, Sse | NoWrite}
#define SSE_I(op) {"sse", 0, 1, op, -1, Any, I8, none, none, none, Sse | NoWrite}
#define SSE38(op) {"ssse3", 0, 2, op, -1, Any, None0, none, none, none, Sse | NoWrite}
#define SSE3A(op) {"sse4", 0, 3, op, -1, Any, I8, none, none, none, Sse | NoWrite}
#define EIGHT(M, op)                                                                               \
  M(op), M(op + 1), M(op + 2), M(op + 3), M(op + 4), M(op + 5), M(op + 6), M(op + 7)

// Each with every prefix: what does not exist must be #UD on both sides. Writes to general registers are few (MOVMSK,
// CVT..2SI, PEXTR). Left out: RCPPS and RSQRTPS (0F 52, 53), whose results each vendor chooses.
constexpr Row sse[] = {
    EIGHT(SSE, 0x10),
    EIGHT(SSE, 0x28),
    SSE(0x50),
    SSE(0x51),
    SSE(0x54),
    SSE(0x55),
    SSE(0x56),
    SSE(0x57),
    EIGHT(SSE, 0x58),
    EIGHT(SSE, 0x60),
    EIGHT(SSE, 0x68),
    SSE_I(0x70),
    SSE(0x74),
    SSE(0x75),
    SSE(0x76),
    SSE(0x7c),
    SSE(0x7d),
    SSE(0x7e),
    SSE(0x7f),
    SSE_I(0xc2),
    SSE(0xc3),
    SSE_I(0xc4),
    SSE_I(0xc5),
    SSE_I(0xc6),
    EIGHT(SSE, 0xd0),
    EIGHT(SSE, 0xd8),
    EIGHT(SSE, 0xe0),
    EIGHT(SSE, 0xe8),
    EIGHT(SSE, 0xf0),
    SSE(0xf8),
    SSE(0xf9),
    SSE(0xfa),
    SSE(0xfb),
    SSE(0xfc),
    SSE(0xfd),
    SSE(0xfe),
    {"shift", 0, 1, 0x71, 2, Reg, I8, none, none, none, Sse | NoWrite},
    {"shift", 0, 1, 0x71, 4, Reg, I8, none, none, none, Sse | NoWrite},
    {"shift", 0, 1, 0x71, 6, Reg, I8, none, none, none, Sse | NoWrite},
    {"shift", 0, 1, 0x72, 2, Reg, I8, none, none, none, Sse | NoWrite},
    {"shift", 0, 1, 0x72, 4, Reg, I8, none, none, none, Sse | NoWrite},
    {"shift", 0, 1, 0x72, 6, Reg, I8, none, none, none, Sse | NoWrite},
    {"shift", 0, 1, 0x73, 2, Reg, I8, none, none, none, Sse | NoWrite},
    {"shift", 0, 1, 0x73, 3, Reg, I8, none, none, none, Sse | NoWrite},
    {"shift", 0, 1, 0x73, 6, Reg, I8, none, none, none, Sse | NoWrite},
    {"shift", 0, 1, 0x73, 7, Reg, I8, none, none, none, Sse | NoWrite},
    {"ucomis", 0, 1, 0x2e, -1, Any, None0, none, all, none, Sse | NoWrite},
    {"comis", 0, 1, 0x2f, -1, Any, None0, none, all, none, Sse | NoWrite},
    {"ldmxcsr", 0, 1, 0xae, 2, Mem, None0, none, none, none, Sse | Rare},
    {"stmxcsr", 0, 1, 0xae, 3, Mem, None0, none, none, none, Sse},
    {"cvtsi2sd", 0xf2, 1, 0x2a, -1, Any, None0, none, none, none, Sse},
    {"cvttsd2si", 0xf2, 1, 0x2c, -1, Any, None0, none, none, none, Sse},
    {"cvtsd2si", 0xf2, 1, 0x2d, -1, Any, None0, none, none, none, Sse},
    {"cvttss2si", 0xf3, 1, 0x2c, -1, Any, None0, none, none, none, Sse},
    EIGHT(SSE38, 0x00),
    SSE38(0x08),
    SSE38(0x09),
    SSE38(0x0a),
    SSE38(0x0b),
    SSE38(0x10),
    SSE38(0x14),
    SSE38(0x15),
    SSE38(0x1c),
    SSE38(0x1d),
    SSE38(0x1e),
    SSE38(0x20),
    SSE38(0x21),
    SSE38(0x22),
    SSE38(0x23),
    SSE38(0x24),
    SSE38(0x25),
    SSE38(0x28),
    SSE38(0x29),
    SSE38(0x2a),
    SSE38(0x2b),
    SSE38(0x30),
    SSE38(0x31),
    SSE38(0x32),
    SSE38(0x33),
    SSE38(0x34),
    SSE38(0x35),
    EIGHT(SSE38, 0x37),
    SSE38(0x3f),
    SSE38(0x40),
    SSE38(0x41),
    SSE38(0xdb),
    SSE38(0xdc),
    SSE38(0xdd),
    SSE38(0xde),
    SSE38(0xdf),
    {"ptest", 0x66, 2, 0x17, -1, Any, None0, none, all, none, Sse | NoWrite},
    EIGHT(SSE3A, 0x08),
    SSE3A(0x14),
    SSE3A(0x15),
    SSE3A(0x16),
    SSE3A(0x17),
    SSE3A(0x20),
    SSE3A(0x21),
    SSE3A(0x22),
    SSE3A(0x40),
    SSE3A(0x41),
    SSE3A(0x42),
    SSE3A(0x44),
    SSE3A(0xdf),
    {"pcmpstr", 0x66, 3, 0x60, -1, Any, I8, none, all, none, Sse | NoWrite},
    {"pcmpstr", 0x66, 3, 0x61, -1, Any, I8, none, all, none, Sse | NoWrite},
    {"pcmpstr", 0x66, 3, 0x62, -1, Any, I8, none, all, none, Sse | NoWrite},
    {"pcmpstr", 0x66, 3, 0x63, -1, Any, I8, none, all, none, Sse | NoWrite},
};

#define X87M(op) {"x87", 0, 0, op, -1, Mem, None0, none, none, none, X87 | NoWrite}
// FCMOVcc reads flags. FCOMI and FUCOMI define all, but of an empty register the engine knows nothing.
#define X87R(op)                                                                                   \
  {"x87",                                                                                          \
   0,                                                                                              \
   0,                                                                                              \
   op,                                                                                             \
   -1,                                                                                             \
   Reg,                                                                                            \
   None0,                                                                                          \
   (op) == 0xda || (op) == 0xdb ? uint16_t{C | P | Z} : none,                                      \
   none,                                                                                           \
   (op) == 0xdb || (op) == 0xdf ? all : none,                                                      \
   X87 | NoWrite}
constexpr Row x87[] = {
    EIGHT(X87M, 0xd8),
    EIGHT(X87R, 0xd8),
    {"fld", 0, 0, 0xd9, 0, Any, None0, none, none, none, X87 | NoWrite},
    {"fld", 0, 0, 0xdd, 0, Mem, None0, none, none, none, X87 | NoWrite},
    {"fild", 0, 0, 0xdf, 5, Mem, None0, none, none, none, X87 | NoWrite},
    {"fcomi", 0, 0, 0xdb, 6, Reg, None0, none, none, all, X87 | NoWrite},
    {"fucomi", 0, 0, 0xdb, 5, Reg, None0, none, none, all, X87 | NoWrite},
    {"emms", 0, 1, 0x77, -1, Non, None0, none, none, none, X87 | NoWrite},
};

}  // namespace

std::span<const Row> integer_rows() {
  return integer;
}
std::span<const Row> control_rows() {
  return control;
}
std::span<const Row> sse_rows() {
  return sse;
}
std::span<const Row> x87_rows() {
  return x87;
}

}  // namespace oracle
