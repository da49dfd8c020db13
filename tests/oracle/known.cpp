#include "tests/oracle/known.h"

#include "abi/x64/paging.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>

namespace oracle {
namespace {

constexpr KnownDifference list[] = {
    {"mxcsr-flags", Fault::Engine,
     "SSE arithmetic does not set the exception flags of MXCSR, bits 5:0"},
    {"fsw-flags", Fault::Engine,
     "x87 arithmetic does not set the exception flags of the status word, nor C1 and the summary"},
    {"x87-stack-fault", Fault::Engine, "x87 stack overflow and underflow are not detected"},
    {"sse-partial-load", Fault::Engine,
     "a 16-byte load whose second half faults has changed the first half of the register"},
    {"sse-partial-store", Fault::Engine,
     "a 16-byte store whose second half faults has written the first half"},
    {"nan-choice", Fault::Engine, "which of two NaN operands an SSE operation returns"},
    {"x87-tags", Fault::Engine, "FST to an empty register does not mark it as in use"},
    {"bit-scan-of-zero", Fault::Vendor,
     "BSF and BSR r32 of zero leave all 64 bits alone (AMD) or clear the upper half; the SDM "
     "leaves the result undefined"},
    {"mmx-exponent", Fault::Engine,
     "MMX instructions do not write ones into bits 79:64 of the register, nor the tag word and "
     "TOP"},
    {"sse-alignment", Fault::Engine,
     "16-byte SSE operands in memory that are not aligned raise no #GP(0)"},
    {"fcomi-flags", Fault::Engine,
     "FCOMI and FUCOMI leave OF, SF and AF alone instead of clearing them"},
    {"near-noncanonical", Fault::Engine,
     "a near RET, CALL or JMP to a non-canonical address faults at the target, not at the "
     "instruction"},
    {"x87-wide-store", Fault::Engine,
     "a 10-byte x87 access that crosses into a page that faults reports another address in it"},
    {"maskmov-address", Fault::Engine,
     "MASKMOVQ and MASKMOVDQU report another faulting byte of their operand"},
    {"cmps-order", Fault::Vendor,
     "which of the two operands of CMPS is read first, and faults first, is not defined"},
    {"control-register-order", Fault::Vendor,
     "MOV of a control register that does not exist, at CPL 3, is #UD (Intel) or #GP (AMD)"},
    {"near-branch-66", Fault::Vendor,
     "near branches with the operand-size prefix in 64-bit code cut RIP to 16 bits (AMD) or ignore it (Intel)"},
    {"repeated-compare-flags", Fault::Engine,
     "a fault in a later iteration of REP CMPS or SCAS finds the flags of the last comparison, not those before the "
     "instruction"},
    {"emulator-takes-over", Fault::Other,
     "a KVM that emulates may go on by itself behind a repeated string instruction, and does not know SSE"},
    {"host-shows", Fault::Other,
     "a KVM that emulates shows the host's segment registers, and loses AC and NT, at CPL 3"},
    {"emulator-flags", Fault::Other, "KVM's emulator and the flags of CMPS, SCAS, AAM and AAD"},
    {"emulator-popf", Fault::Other, "KVM's emulator and POPF of TF and AC"},
    {"emulator-partial-store", Fault::Other,
     "KVM's emulator writes the first part of a store whose second part faults"},
    {"gp-becomes-ud", Fault::Other,
     "a KVM that emulates turns #GP of an instruction that it does not know into #UD"},
};

struct Shape {
  bool sse = false, mmx = false, x87 = false, memory_sse = false, fcomi = false;
};

/// What kinds of instructions the program holds.
Shape shape_of(const Program& program) {
  Shape shape;
  for (const Op& op : program.ops) {
    size_t i = 0;
    bool sized = false, repeated = false;
    for (; i < op.length; ++i) {
      const uint8_t b = op.bytes[i];
      if (b == 0x66) {
        sized = true;
      } else if (b == 0xf2 || b == 0xf3) {
        repeated = true;
      } else if (b != 0x67 && b != 0xf0 && b != 0x2e && b != 0x36 && b != 0x3e && b != 0x26 &&
                 b != 0x64 && b != 0x65 && !(is_64(program.mode) && b >= 0x40 && b <= 0x4f)) {
        break;
      }
    }
    if (i + 1 >= op.length) continue;
    const uint8_t first = op.bytes[i], second = op.bytes[i + 1];
    const uint8_t modrm = i + 2 < op.length ? op.bytes[i + 2] : uint8_t{0};
    if (first >= 0xd8 && first <= 0xdf) {
      shape.x87 = true;
      if ((first == 0xdb || first == 0xdf) && second >= 0xe8 && second <= 0xf7) shape.fcomi = true;
    }
    if (first == 0x9b) shape.x87 = true;
    if (first != 0x0f) continue;
    const bool wide_map = second == 0x38 || second == 0x3a;
    const bool vector = wide_map || (second >= 0x10 && second <= 0x17) ||
                        (second >= 0x28 && second <= 0x2f) || (second >= 0x50 && second <= 0x7f) ||
                        (second >= 0xc2 && second <= 0xc6 && second != 0xc3) || second >= 0xd0;
    if (!vector) continue;
    shape.sse = true;
    const bool integer = wide_map || second == 0x2a || second == 0x2c || second == 0x2d ||
                         (second >= 0x60 && second <= 0x7f) || second == 0xc4 || second == 0xc5 ||
                         second >= 0xd0;
    if (integer && (!repeated || second == 0xd6))
      shape.mmx =
          shape.mmx || !sized || second == 0x2a || second == 0x2c || second == 0x2d || repeated;
    const uint8_t form = wide_map ? (i + 3 < op.length ? op.bytes[i + 3] : uint8_t{0xff}) : modrm;
    if (form < 0xc0) shape.memory_sse = true;
  }
  return shape;
}

bool is_nan_32(uint32_t bits) {
  return (bits & 0x7fffffff) > 0x7f800000;
}
bool is_nan_64(uint64_t bits) {
  return (bits & ~(uint64_t{1} << 63)) > 0x7ff0000000000000;
}
bool same_but_for_nans(uint64_t a, uint64_t b) {
  if (is_nan_64(a) && is_nan_64(b)) return true;
  for (unsigned shift = 0; shift < 64; shift += 32) {
    const auto x = static_cast<uint32_t>(a >> shift), y = static_cast<uint32_t>(b >> shift);
    if (x != y && !(is_nan_32(x) && is_nan_32(y))) return false;
  }
  return true;
}

/// MOV to or from a control register, whatever its prefixes.
bool moves_control_register(const Op& op) {
  size_t i = 0;
  const auto prefix = [](uint8_t byte) {
    return byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3 || (byte & 0xf0) == 0x40 ||
           (byte & 0xe7) == 0x26 || (byte & 0xfe) == 0x64;
  };
  while (i < op.length && prefix(op.bytes[i])) ++i;
  return i + 1 < op.length && op.bytes[i] == 0x0f && (op.bytes[i + 1] & 0xfd) == 0x20;
}

/// The opcode behind prefixes, and whether one of them was 66, F2 or F3; REX.W counts as none of them.
struct Opcode {
  uint8_t first = 0, second = 0, third = 0;
  bool sized = false, repeated = false, wide = false;
};
Opcode opcode_of(const Op& op, bool mode_64) {
  Opcode opcode;
  size_t i = 0;
  for (; i < op.length; ++i) {
    const uint8_t b = op.bytes[i];
    const bool rex = mode_64 && b >= 0x40 && b <= 0x4f;
    if (b == 0x66) opcode.sized = true;
    if (b == 0xf2 || b == 0xf3) opcode.repeated = true;
    if (rex) opcode.wide = (b & 8) != 0;
    if (!rex && b != 0x66 && b != 0xf2 && b != 0xf3 && b != 0x67 && b != 0xf0 && (b & 0xe7) != 0x26 && (b & 0xfe) != 0x64) break;
  }
  if (i < op.length) opcode.first = op.bytes[i];
  if (i + 1 < op.length) opcode.second = op.bytes[i + 1];
  if (i + 2 < op.length) opcode.third = op.bytes[i + 2];
  return opcode;
}

bool is_near_branch_66(const Op& op, bool mode_64) {
  const Opcode opcode = opcode_of(op, mode_64);
  if (!mode_64 || !opcode.sized || opcode.wide) return false;
  const uint8_t first = opcode.first, field = opcode.second >> 3 & 7;
  if (first == 0x0f) return (opcode.second & 0xf0) == 0x80;
  return (first & 0xf0) == 0x70 || (first >= 0xe0 && first <= 0xe3) || first == 0xe8 || first == 0xe9 || first == 0xeb ||
         first == 0xc2 || first == 0xc3 || (first == 0xff && (field == 2 || field == 4));
}

bool is_store_of_mxcsr(const Op& op, bool mode_64) {
  const Opcode opcode = opcode_of(op, mode_64);
  return opcode.first == 0x0f && opcode.second == 0xae && (opcode.third >> 3 & 7) == 3 && opcode.third < 0xc0;
}

/// Bits 5:0 of one byte: the exception flags, wherever STMXCSR put them.
bool differs_in_flags_of_a_byte(uint64_t difference) {
  for (unsigned shift = 0; shift < 64; shift += 8) {
    if ((difference & ~(uint64_t{0x3f} << shift)) == 0) return true;
  }
  return false;
}

bool is_repeated_string(const Op& op, bool mode_64) {
  const Opcode opcode = opcode_of(op, mode_64);
  return opcode.repeated && ((opcode.first >= 0xa4 && opcode.first <= 0xa7) || (opcode.first >= 0xaa && opcode.first <= 0xaf));
}

bool is_repeated_compare(const Op& op, bool mode_64) {
  const Opcode opcode = opcode_of(op, mode_64);
  return opcode.repeated && (opcode.first == 0xa6 || opcode.first == 0xa7 || opcode.first == 0xae || opcode.first == 0xaf);
}

}  // namespace

std::span<const KnownDifference> known_differences() {
  return list;
}

void forgive_known(const Program& program, const KvmKind& kind, Result& result,
                   std::vector<std::string_view>& names) {
  (void)kind;
  const Shape shape = shape_of(program);
  const auto forgive = [&](std::string_view name, auto&& covers) {
    const auto removed = std::erase_if(result.differences, covers);
    if (removed != 0) names.push_back(name);
  };
  using D = const Difference&;
  const auto value = [&](std::string_view item, bool other, uint64_t otherwise) {
    for (D d : result.differences) {
      if (d.item == item) return other ? d.other : d.airlock;
    }
    return otherwise;
  };
  const auto only = [](D d, std::string_view item, uint64_t mask) {
    return d.item == item && ((d.airlock ^ d.other) & ~mask) == 0;
  };
  const uint64_t their_vector = value("vector", true, 0), our_vector = value("vector", false, 0);
  const uint64_t their_status = value("fsw", true, 0);
  const uint64_t our_rip = value("fault rip", false, 0);
  const bool rip_differs = value("fault rip", true, 0) != our_rip;
  if (!kind.kernel_is_native && (our_vector == 13 || our_vector == 12) && their_vector == 6 &&
      !rip_differs) {
    forgive("gp-becomes-ud", [](D) { return true; });
  }
  if (is_user(program.mode) && our_vector == 6 && their_vector == 13 && !rip_differs &&
      std::ranges::any_of(program.ops, moves_control_register)) {
    forgive("control-register-order", [](D) { return true; });
  }
  const bool mode_64 = is_64(program.mode);
  // Ours went to the low 64 KiB, where nothing can be executed; theirs went on.
  if (result.vector == 14 && our_rip < 0x10000 && rip_differs &&
      std::ranges::any_of(program.ops, [&](const Op& op) { return is_near_branch_66(op, mode_64); })) {
    forgive("near-branch-66", [](D) { return true; });
  }
  if (result.faulting < program.ops.size() && result.faulting == result.theirs && is_repeated_compare(program.ops[result.faulting], mode_64)) {
    forgive("repeated-compare-flags", [&](D d) {
      return only(d, "rflags", arithmetic) || (d.item.starts_with("memory") && only(d, d.item, arithmetic));
    });
  }
  if (!kind.kernel_is_native && their_vector == 6 && result.theirs < program.ops.size()) {
    const auto behind = program.ops.begin() + static_cast<std::ptrdiff_t>(result.theirs);
    const bool unknown = shape_of({program.mode, {*behind}}).sse;
    if (unknown && std::any_of(program.ops.begin(), behind, [&](const Op& op) { return is_repeated_string(op, mode_64); }))
      forgive("emulator-takes-over", [](D) { return true; });
  }
  if (!kind.kernel_is_native && is_user(program.mode)) {
    forgive("host-shows", [&](D d) {
      const bool segment = d.item.size() >= 2 && d.item[1] == 's' && d.item[0] != 'c';
      return segment || only(d, "rflags", 0x40000) ||
             (d.item.starts_with("memory") && only(d, d.item, 0x4000));
    });
  }
  if (!kind.kernel_is_native && program.mode != Mode::User64) {
    const auto has = [&](std::initializer_list<std::string_view> wanted) {
      return std::ranges::any_of(program.ops, [&](const Op& op) {
        return std::ranges::find(wanted, std::string_view{op.name}) != wanted.end();
      });
    };
    if (has({"cmps", "scas", "aam", "aad"})) {
      forgive("emulator-flags", [&](D d) {
        return only(d, "rflags", arithmetic) ||
               (d.item.starts_with("memory") && only(d, d.item, arithmetic));
      });
    }
    if (has({"popf"})) forgive("emulator-popf", [](D) { return true; });
    if (result.event) {
      forgive("emulator-partial-store",
              [](D d) { return d.item.starts_with("memory") && d.item.ends_with("ff8"); });
    }
  }
  const bool compares = std::ranges::any_of(program.ops, [](const Op& op) {
    return std::strcmp(op.name, "cmps") == 0 || std::strcmp(op.name, "bytes") == 0;
  });
  if (compares && !rip_differs && !result.equal()) {
    forgive("cmps-order", [](D d) {
      return d.item == "vector" || d.item == "error code" || d.item == "cr2" || d.item == "rsp" ||
             d.item.starts_with("memory");
    });
  }
  // Theirs raised #GP at the operand (KVM's emulator: #UD); ours went on.
  if (shape.memory_sse && (rip_differs || our_vector == 14) &&
      (their_vector == 6 || their_vector == 13 || their_vector == 0)) {
    forgive("sse-alignment", [](D) { return true; });
  }
  if (rip_differs && !abi::x64::is_canonical(our_rip))
    forgive("near-noncanonical", [](D) { return true; });
  if ((shape.x87 || shape.mmx) && (their_status & 0x41) == 0x41) {
    forgive("x87-stack-fault", [](D) { return true; });
  }
  if (shape.x87 && rip_differs && their_vector == 6) {
    forgive("x87-wide-store", [](D) { return true; });
  }
  if (shape.x87) {
    forgive("x87-wide-store", [](D d) {
      return (d.item == "cr2" && d.airlock - d.other < 10) || d.item == "error code" ||
             (d.item.starts_with("memory") && d.airlock < 8 && d.other < 8);
    });
  }
  if (shape.sse) {
    forgive("maskmov-address", [](D d) { return d.item == "cr2" && d.airlock - d.other < 16; });
  }
  if (shape.sse) forgive("mxcsr-flags", [&](D d) { return only(d, "mxcsr", 0x3f); });
  if (shape.sse && std::ranges::any_of(program.ops, [&](const Op& op) { return is_store_of_mxcsr(op, mode_64); })) {
    forgive("mxcsr-flags", [](D d) { return d.item.starts_with("memory") && differs_in_flags_of_a_byte(d.airlock ^ d.other); });
  }
  if (shape.x87 || shape.mmx) {
    constexpr uint64_t flags = 0x80ff | 0x200;
    forgive("fsw-flags", [&](D d) { return only(d, "fsw", flags); });
  }
  if (shape.memory_sse) {
    const bool faulted = !result.equal() && result.event && !rip_differs;
    forgive("sse-partial-load", [&](D d) { return faulted && d.item.starts_with("xmm"); });
  }
  if (shape.memory_sse) {
    const bool faulted = result.event && !rip_differs;
    forgive("sse-partial-store", [&](D d) {
      return faulted && d.item.starts_with("memory") &&
             (d.item.ends_with("ff8") || d.item.ends_with("ff0"));
    });
  }
  if (shape.sse) {
    forgive("nan-choice",
            [](D d) { return d.item.starts_with("xmm") && same_but_for_nans(d.airlock, d.other); });
  }
  if (shape.x87) forgive("x87-tags", [](D d) { return d.item == "ftw"; });
  if (shape.mmx) {  // after x87 instructions TOP differs too, and with it which register is ST(0)
    forgive("mmx-exponent", [&](D d) {
      return d.item == "ftw" || d.item == "fsw" ||
             (d.item.starts_with("st") && (shape.x87 || d.item.ends_with("high"))) ||
             (shape.x87 && (d.item.starts_with("xmm") || d.item.starts_with("memory")));
    });
  }
  const bool scans = std::ranges::any_of(program.ops, [](const Op& op) {
    return op.name[0] == 'b' && op.name[1] == 's' && (op.name[2] == 'f' || op.name[2] == 'r');
  });
  if (scans) {
    forgive("bit-scan-of-zero", [](D d) {
      return d.item[0] == 'r' && (d.airlock >> 32) != (d.other >> 32) &&
             (d.airlock & 0xffffffff) == (d.other & 0xffffffff);
    });
  }
  if (shape.fcomi) {
    forgive("fcomi-flags", [&](D d) {
      return only(d, "rflags", O | S | A) ||
             (d.item.starts_with("memory") && only(d, d.item, O | S | A));
    });
  }
}

}  // namespace oracle
