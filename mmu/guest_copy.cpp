// The host's reads and writes of guest memory, page by page. The addresses are the guest's and may
// be anything.
#include <algorithm>

#include "mmu/translator.h"

namespace mmu {
namespace {

/// Calls visit(address of the next byte, offset into the copy, bytes up to the end of its page)
/// until all `size` bytes are done, visit says stop, or the address space ends. Returns the bytes
/// done.
template <class Address, class Visit>
uint64_t for_each_page(Address address, uint64_t size, Visit visit) {
  uint64_t done = 0;
  while (done < size) {
    const Address next = address + done;
    if (next < address) break;
    const uint64_t count = std::min(size - done, abi::page_size - next.page_offset());
    if (!visit(next, done, count)) break;
    done += count;
  }
  return done;
}

bool translate_gpa(const AddressSpace& space, Gpa address, bool write, Spa& spa) {
  if (space.slat == nullptr) {
    spa = Spa{address.value()};
    return true;
  }
  const SlatMapping mapping = space.slat->lookup(address);
  spa = mapping.spa;
  return mapping.mapped && mapping.rights.read && (!write || mapping.rights.write);
}

}  // namespace

uint64_t read_gva(const Translator& translator, const AddressSpace& space, Gva address,
                  std::span<uint8_t> bytes, bool user) {
  return for_each_page(address, bytes.size(), [&](Gva next, uint64_t done, uint64_t count) {
    const TranslationResult where = translator.probe(space, {next, AccessKind::Read, user, false});
    return where.ok && translator.memory().read(where.translation.spa, bytes.subspan(done, count));
  });
}

uint64_t write_gva(Translator& translator, const AddressSpace& space, Gva address,
                   std::span<const uint8_t> bytes, bool user) {
  return for_each_page(address, bytes.size(), [&](Gva next, uint64_t done, uint64_t count) {
    const TranslationResult where = translator.probe(space, {next, AccessKind::Write, user, false});
    return where.ok && translator.memory().write(where.translation.spa, bytes.subspan(done, count));
  });
}

uint64_t read_gpa(const Translator& translator, const AddressSpace& space, Gpa address,
                  std::span<uint8_t> bytes) {
  return for_each_page(address, bytes.size(), [&](Gpa next, uint64_t done, uint64_t count) {
    Spa spa;
    return translate_gpa(space, next, false, spa) &&
           translator.memory().read(spa, bytes.subspan(done, count));
  });
}

uint64_t write_gpa(Translator& translator, const AddressSpace& space, Gpa address,
                   std::span<const uint8_t> bytes) {
  return for_each_page(address, bytes.size(), [&](Gpa next, uint64_t done, uint64_t count) {
    Spa spa;
    return translate_gpa(space, next, true, spa) &&
           translator.memory().write(spa, bytes.subspan(done, count));
  });
}

}  // namespace mmu
