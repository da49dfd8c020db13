#include "sim/debugger/views/memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "mmu/explain.h"
#include "mmu/slat.h"

namespace debugger::views {
namespace {

/// One page, as far as it can be reached.
struct Landing {
  Reach reach{};
  mmu::Spa spa;  ///< of the byte asked for, where readable
  std::string why;
};

Landing at_spa(const Eye& eye, mmu::Spa spa) {
  if (eye.machine.translator().memory().contains(spa, 1)) return {Reach::Readable, spa, ""};
  return {Reach::Device, {}, "outside RAM"};
}

Landing at_gpa(const Eye& eye, uint64_t address, bool privileged) {
  if (eye.space.slat == nullptr) return at_spa(eye, mmu::Spa{address});
  const mmu::SlatMapping mapping = eye.space.slat->lookup(mmu::Gpa{address});
  if (!mapping.mapped) return {Reach::Unmapped, {}, mmu::describe(mmu::WalkRule::SlatUnmapped)};
  if (!privileged && !mapping.rights.read) return {Reach::Denied, {}, mmu::describe(mmu::WalkRule::SlatNoRead)};
  return at_spa(eye, mapping.spa);
}

Reach reach_of(mmu::FaultKind kind) {
  return kind == mmu::FaultKind::SlatViolation ? Reach::Denied : Reach::Unmapped;
}

Landing at_gva(const Eye& eye, uint64_t address) {
  const mmu::Access access{mmu::Gva{address}, mmu::AccessKind::Read, false, false};
  const mmu::Translator& translator = eye.machine.translator();
  mmu::AddressSpace space = eye.space;
  space.stage1.alignment_check = true;  // SMAP is against accidents of kernels, not against who looks on purpose
  const mmu::TranslationResult result = translator.probe(space, access);
  if (!result.ok) return {reach_of(result.fault.kind), {}, mmu::describe(mmu::explain(translator, space, access).rule)};
  if (!result.translation.ram) return {Reach::Device, {}, "a device"};
  return at_spa(eye, result.translation.spa);
}

Landing land(const Eye& eye, Space space, uint64_t address) {
  switch (space) {
    case Space::Gva: return at_gva(eye, address);
    case Space::Gpa: return at_gpa(eye, address, false);
    case Space::GpaPrivileged: return at_gpa(eye, address, true);
    case Space::Spa: return at_spa(eye, mmu::Spa{address});
  }
  return {};
}

/// Calls visit(landing, address, bytes) for each page's part; until it says stop, or the address space ends.
template <class Visit>
void for_each_page(const Eye& eye, Space space, uint64_t address, uint64_t length, const Visit& visit) {
  for (uint64_t done = 0; done < length;) {
    const uint64_t here = address + done;
    if (here < address) return;
    const uint64_t count = std::min(length - done, abi::page_size - here % abi::page_size);
    if (!visit(land(eye, space, here), here, count)) return;
    done += count;
  }
}

const uint8_t* bytes_at(const Eye& eye, mmu::Spa spa) { return eye.machine.translator().memory().data() + spa.value(); }

void add(std::vector<MemoryPart>& parts, const Eye& eye, Landing landing, uint64_t offset, uint64_t count) {
  if (parts.empty() || parts.back().reach != landing.reach || parts.back().why != landing.why)
    parts.push_back({offset, 0, landing.reach, {}, std::move(landing.why)});
  MemoryPart& part = parts.back();
  part.length += count;
  if (landing.reach != Reach::Readable) return;
  const uint8_t* bytes = bytes_at(eye, landing.spa);
  part.bytes.insert(part.bytes.end(), bytes, bytes + count);
}

/// Searches what follows each other and can be read.
class Searcher {
 public:
  Searcher(const Search& search, Found& found) : search_{search}, found_{found} {}

  void gap() { window_.clear(); }
  /// False when enough was found.
  bool feed(const uint8_t* bytes, uint64_t count, uint64_t address) {
    const uint64_t start = address - window_.size();
    window_.insert(window_.end(), bytes, bytes + count);
    auto from = window_.begin();
    for (;;) {
      from = std::search(from, window_.end(), search_.pattern.begin(), search_.pattern.end());
      if (from == window_.end()) break;
      found_.addresses.push_back(start + static_cast<uint64_t>(from - window_.begin()));
      if (found_.addresses.size() >= search_.maximum) return false;
      ++from;
    }
    // What may be the beginning of another one.
    const size_t keep = std::min(window_.size(), search_.pattern.size() - 1);
    window_.erase(window_.begin(), window_.end() - static_cast<ptrdiff_t>(keep));
    return true;
  }

 private:
  const Search& search_;
  Found& found_;
  std::vector<uint8_t> window_;
};

}  // namespace

std::vector<MemoryPart> read_memory(const Eye& eye, Space space, uint64_t address, uint64_t length) {
  std::vector<MemoryPart> parts;
  for_each_page(eye, space, address, length, [&](Landing landing, uint64_t here, uint64_t count) {
    add(parts, eye, std::move(landing), here - address, count);
    return true;
  });
  return parts;
}

std::vector<uint8_t> readable_bytes(const Eye& eye, Space space, uint64_t address, uint64_t length) {
  std::vector<uint8_t> bytes;
  for_each_page(eye, space, address, length, [&](const Landing& landing, uint64_t, uint64_t count) {
    if (landing.reach != Reach::Readable) return false;
    const uint8_t* there = bytes_at(eye, landing.spa);
    bytes.insert(bytes.end(), there, there + count);
    return true;
  });
  return bytes;
}

Found search_memory(const Eye& eye, Space space, const Search& search, const std::function<bool()>& stop) {
  Found found;
  Searcher searcher{search, found};
  for_each_page(eye, space, search.address, search.length, [&](const Landing& landing, uint64_t here, uint64_t count) {
    found.ended_early = stop();
    if (found.ended_early) return false;
    if (landing.reach != Reach::Readable) {
      found.skipped += count;
      searcher.gap();
      return true;
    }
    found.ended_early = !searcher.feed(bytes_at(eye, landing.spa), count, here);
    return !found.ended_early;
  });
  return found;
}

}  // namespace debugger::views
