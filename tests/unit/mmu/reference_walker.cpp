#include "tests/unit/mmu/reference_walker.h"

#include <cstring>

namespace reference {
namespace {

bool bit(uint64_t value, unsigned number) {
  return (value >> number) % 2 == 1;
}

uint64_t bits(uint64_t value, unsigned high, unsigned low) {
  uint64_t result = 0;
  for (unsigned i = low; i <= high; ++i) {
    if (bit(value, i)) result += uint64_t{1} << (i - low);
  }
  return result;
}

bool any_bit(uint64_t value, unsigned high, unsigned low) {
  return low <= high && bits(value, high, low) != 0;
}

struct SecondStage {
  enum { Fine, NotPresent, Hole, Bad } state = Fine;
  uint64_t spa = 0;
  std::set<char> rights{'R', 'W', 'X', 'U'};
};

struct Guest {
  uint64_t gpa = 0;
  bool user = true, write = true, no_execute = false, dirty = false;
};

struct Step {
  uint64_t entry_gpa, entry_spa, value;
  std::set<char> slat_rights;
};

/// Thrown to end a walk with what `output` says.
struct Ended {};

class Walker {
 public:
  explicit Walker(const Input& input) : in{input} {}
  Output out;

  void run() {
    const unsigned highest = bit(in.cr4, 12) ? 56 : 47;
    for (unsigned i = highest + 1; i < 64; ++i) {
      if (bit(in.address, i) != bit(in.address, highest)) end(End::NonCanonical);
    }
    Guest guest;
    if (bit(in.cr0, 31)) {
      if (bit(in.efer, 10))
        first_stage(bits(in.cr3, in.physical_bits - 1, 12) << 12, bit(in.cr4, 12) ? 5 : 4, guest);
      else if (bit(in.cr4, 5))
        pae_pointer(guest);
      else
        directory_of_32_bits(guest);
      permissions(guest);
      accessed_and_dirty(guest);
    } else {
      guest.gpa = in.address;
      guest.dirty = true;
    }
    final_page(guest);
  }

 private:
  const Input& in;
  std::vector<Step> steps;

  bool is_user() const { return in.user && !in.implicit; }
  bool wp() const { return bit(in.cr0, 16); }
  bool smep() const { return bit(in.cr4, 20); }
  bool smap() const { return bit(in.cr4, 21); }
  /// 32-bit paging has no bit for it.
  bool nxe() const { return bit(in.efer, 11) && (bit(in.efer, 10) || bit(in.cr4, 5)); }
  bool long_mode() const { return bit(in.efer, 10); }

  [[noreturn]] void end(End how) {
    out.end = how;
    throw Ended{};
  }

  [[noreturn]] void page_fault(bool present, bool reserved) {
    out.error_code = 0;
    if (present) out.error_code += 1;
    if (in.kind == 'w') out.error_code += 2;
    if (is_user()) out.error_code += 4;
    if (reserved) out.error_code += 8;
    if (in.kind == 'x' && (nxe() || smep())) out.error_code += 16;
    end(End::PageFault);
  }

  SecondStage second_stage(uint64_t gpa) {
    SecondStage result;
    if (!in.slat_root) {
      result.spa = gpa;
      return result;
    }
    if (*in.slat_root == 0 || any_bit(gpa, 63, 48)) {
      result.state = SecondStage::Hole;
      result.rights.clear();
      return result;
    }
    second_stage_level(gpa, *in.slat_root, 4, result);
    return result;
  }

  void second_stage_level(uint64_t gpa, uint64_t table, unsigned level, SecondStage& result) {
    const unsigned low = 12 + 9 * (level - 1);
    const uint64_t entry = in.ram.word(table + 8 * bits(gpa, low + 8, low));
    ++out.references;
    const bool readable = bit(entry, 0), writable = bit(entry, 1), kx = bit(entry, 2),
               ux = bit(entry, 10);
    if (!readable) result.rights.erase('R');
    if (!writable) result.rights.erase('W');
    if (!kx) result.rights.erase('X');
    if (!ux) result.rights.erase('U');
    if (!readable && !writable && !kx && !(in.mbec && ux)) {
      result.state = bit(entry, 52) ? SecondStage::NotPresent : SecondStage::Hole;
      return;
    }
    const bool leaf = level == 1 || (level < 4 && bit(entry, 7));
    bool bad = !readable || any_bit(entry, 51, in.physical_bits);
    if (leaf) {
      const uint64_t type = bits(entry, 5, 3);
      bad |= type == 2 || type == 3 || type == 7;
      if (level > 1) bad |= any_bit(entry, low - 1, 12);
    } else {
      bad |= any_bit(entry, 6, 3) || (level == 4 && bit(entry, 7));
    }
    if (bad) {
      result.state = SecondStage::Bad;
    } else if (leaf) {
      result.spa = (bits(entry, 51, low) << low) + bits(gpa, low - 1, 0);
    } else {
      second_stage_level(gpa, bits(entry, 51, 12) << 12, level - 1, result);
    }
  }

  [[noreturn]] void refused(const SecondStage& second, uint64_t gpa, uint64_t access_bit,
                            bool structure) {
    out.gpa = gpa;
    out.paging_structure = structure;
    out.qualification += access_bit;
    if (second.rights.count('R') != 0) out.qualification += 8;
    if (second.rights.count('W') != 0) out.qualification += 16;
    if (second.rights.count('X') != 0) out.qualification += 32;
    if (in.mbec && second.rights.count('U') != 0) out.qualification += 64;
    out.qualification += 128;
    if (second.state == SecondStage::Hole) end(End::Unmapped);
    if (second.state == SecondStage::Bad) end(End::Misconfigured);
    end(End::Violation);
  }

  void first_stage(uint64_t table, unsigned level, Guest& guest) {
    const unsigned low = 12 + 9 * (level - 1);
    const uint64_t gpa = table + 8 * bits(in.address, low + 8, low);
    const SecondStage second = second_stage(gpa);
    if (second.state != SecondStage::Fine) refused(second, gpa, 1, true);
    const uint64_t entry = in.ram.word(second.spa);
    ++out.references;
    if (!bit(entry, 0)) page_fault(false, false);
    const bool leaf = level == 1 || (level < 4 && bit(entry, 7));
    if (any_bit(entry, 51, in.physical_bits) || (!nxe() && bit(entry, 63)) ||
        (!long_mode() && any_bit(entry, 62, 52)) || (level >= 4 && bit(entry, 7)) || (leaf && level > 1 && any_bit(entry, low - 1, 13))) {
      page_fault(true, true);
    }
    steps.push_back({gpa, second.spa, entry, second.rights});
    guest.write = guest.write && bit(entry, 1);
    guest.user = guest.user && bit(entry, 2);
    guest.no_execute = guest.no_execute || bit(entry, 63);
    if (leaf) {
      guest.dirty = bit(entry, 6);
      guest.gpa = (bits(entry, 51, low) << low) + bits(in.address, low - 1, 0);
    } else {
      first_stage(bits(entry, 51, 12) << 12, level - 1, guest);
    }
  }

  void pae_pointer(Guest& guest) {
    const uint64_t pointer = in.pdpte[bits(in.address, 31, 30)];
    if (!bit(pointer, 0)) page_fault(false, false);
    first_stage(bits(pointer, in.physical_bits - 1, 12) << 12, 2, guest);
  }

  uint64_t entry_of_32_bits(uint64_t gpa, Guest& guest) {
    const SecondStage second = second_stage(gpa);
    if (second.state != SecondStage::Fine) refused(second, gpa, 1, true);
    const uint64_t entry = in.ram.half_word(second.spa);
    ++out.references;
    if (!bit(entry, 0)) page_fault(false, false);
    steps.push_back({gpa, second.spa, entry, second.rights});
    guest.write = guest.write && bit(entry, 1);
    guest.user = guest.user && bit(entry, 2);
    guest.dirty = bit(entry, 6);
    return entry;
  }

  void directory_of_32_bits(Guest& guest) {
    const uint64_t entry =
        entry_of_32_bits((bits(in.cr3, 31, 12) << 12) + 4 * bits(in.address, 31, 22), guest);
    if (bit(in.cr4, 4) && bit(entry, 7)) {
      if (bit(entry, 21)) page_fault(true, true);
      for (unsigned i = 13; i <= 20; ++i) {
        if (bit(entry, i) && i + 19 >= in.physical_bits) page_fault(true, true);
      }
      guest.gpa = (bits(entry, 20, 13) << 32) + (bits(entry, 31, 22) << 22) + bits(in.address, 21, 0);
      return;
    }
    const uint64_t page =
        entry_of_32_bits((bits(entry, 31, 12) << 12) + 4 * bits(in.address, 21, 12), guest);
    guest.gpa = (bits(page, 31, 12) << 12) + bits(in.address, 11, 0);
  }

  /// What stage 1 permits this privilege, of r, w, x.
  std::set<char> stage1_rights(const Guest& guest) const {
    if (!bit(in.cr0, 31)) return {'r', 'w', 'x'};
    std::set<char> rights;
    if (is_user()) {
      if (!guest.user) return {};
      rights.insert('r');
      if (guest.write) rights.insert('w');
      if (!guest.no_execute) rights.insert('x');
      return rights;
    }
    const bool data = !guest.user || !smap() || (in.alignment_check && !in.implicit);
    if (data) rights.insert('r');
    if (data && (guest.write || !wp())) rights.insert('w');
    if (!guest.no_execute && !(guest.user && smep())) rights.insert('x');
    return rights;
  }

  void permissions(const Guest& guest) {
    if (stage1_rights(guest).count(in.kind) == 0) page_fault(true, false);
  }

  void accessed_and_dirty(Guest& guest) {
    for (size_t i = 0; i < steps.size(); ++i) {
      uint64_t wanted = 32;
      if (i + 1 == steps.size() && in.kind == 'w') wanted += 64;
      const uint64_t missing = wanted & ~steps[i].value;
      if (missing == 0) continue;
      if (steps[i].slat_rights.count('W') == 0) {
        SecondStage second;
        second.rights = steps[i].slat_rights;
        refused(second, steps[i].entry_gpa, 2, true);
      }
      out.updates.push_back({steps[i].entry_spa, missing});
    }
    if (in.kind == 'w') guest.dirty = true;
  }

  void final_page(const Guest& guest) {
    const SecondStage second = second_stage(guest.gpa);
    const bool user_right = guest.user && in.mbec && smep();
    const char execute = user_right ? 'U' : 'X';
    const char needed = in.kind == 'r' ? 'R' : in.kind == 'w' ? 'W' : execute;
    if (second.state != SecondStage::Fine || second.rights.count(needed) == 0) {
      out.qualification =
          256 + (guest.user ? 512 : 0) + (guest.write ? 1024 : 0) + (guest.no_execute ? 2048 : 0);
      refused(second, guest.gpa, in.kind == 'r' ? 1 : in.kind == 'w' ? 2 : 4, false);
    }
    out.spa = second.spa;
    out.gpa = guest.gpa;
    for (const char right : stage1_rights(guest)) {
      if (right == 'r' && second.rights.count('R') != 0) out.grants.insert('r');
      if (right == 'w' && second.rights.count('W') != 0 && guest.dirty) out.grants.insert('w');
      if (right == 'x' && second.rights.count(execute) != 0) out.grants.insert('x');
    }
    end(End::Lands);
  }
};

}  // namespace

uint64_t Ram::word(uint64_t spa) const {
  if (spa >= size || size - spa < 8) return ~uint64_t{0};
  uint64_t value;
  std::memcpy(&value, bytes + spa, 8);
  return value;
}

uint64_t Ram::half_word(uint64_t spa) const {
  if (spa >= size || size - spa < 4) return 0xffffffff;
  uint32_t value;
  std::memcpy(&value, bytes + spa, 4);
  return value;
}

Output walk(const Input& input) {
  Walker walker{input};
  try {
    walker.run();
  } catch (const Ended&) {
  }
  return walker.out;
}

}  // namespace reference
