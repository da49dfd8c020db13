#pragma once
// Guest memory as the instruction about to execute sees it, for traces.
#include <array>
#include <cstring>

#include "sim/machine/machine.h"
#include "sim/trace/writer.h"

namespace machine {

/// Remembers pages while nothing can have changed what they are: no walk was made, no TLB entry dropped, and the address
/// space is the same.
/// `Owner` has a machine(), perhaps not before an instruction is looked at; it must outlive this.
template <class Owner>
class CodeView final : public trace::CodeReader {
 public:
  explicit CodeView(Owner& owner) : owner_{owner} {}

  size_t read_code(const vtl::VirtualProcessor& vp, std::span<uint8_t> out) override {
    refresh(vp);
    return read(vp.context().rip, out);
  }
  /// Of the instruction whose code was read last.
  size_t read_data(const vtl::VirtualProcessor&, uint64_t address, std::span<uint8_t> out) override {
    return read(address, out);
  }

 private:
  struct Page {
    uint64_t number{~uint64_t{0}}, generation{};
    const uint8_t* bytes{};  ///< null: nothing can be read there
  };

  void refresh(const vtl::VirtualProcessor& vp) {
    const Machine& machine = owner_.machine();
    const vtl::VtlContext& context = vp.context();
    const mmu::Translator& translator = machine.translator();
    const Key key{vp.number, static_cast<uint8_t>(vp.active), vp.cpl() == 3,
                  (context.rflags >> 18 & 1) != 0, context.cr0, context.cr3, context.cr4, context.efer,
                  translator.misses(), translator.epoch(space_.partition, vp.active)};
    if (generation_ != 0 && key == key_) return;
    space_ = machine.hypervisor().address_space(vp);
    key_ = key;
    key_.epoch = translator.epoch(space_.partition, vp.active);
    ++generation_;
  }

  size_t read(uint64_t address, std::span<uint8_t> out) {
    size_t done = 0;
    while (done < out.size()) {
      const uint64_t at = address + done;
      const Page& page = page_of(at >> 12);
      if (page.bytes == nullptr) break;
      const size_t part = std::min<size_t>(out.size() - done, 4096 - at % 4096);
      std::memcpy(out.data() + done, page.bytes + at % 4096, part);
      done += part;
    }
    return done;
  }

  const Page& page_of(uint64_t number) {
    Page& page = pages_[(number ^ number >> 7) % pages_.size()];
    if (page.number == number && page.generation == generation_) return page;
    const mmu::Translator& translator = owner_.machine().translator();
    page = {number, generation_, nullptr};
    const mmu::TranslationResult to =
        translator.probe(space_, {mmu::Gva{number << 12}, mmu::AccessKind::Read, key_.user, false});
    if (to.ok && to.translation.ram)
      page.bytes = translator.memory().page_pointer(mmu::Spa{to.translation.spa.value() & ~uint64_t{4095}});
    return page;
  }

  struct Key {
    uint32_t vp;
    uint8_t vtl;
    bool user, alignment_check;
    uint64_t cr0, cr3, cr4, efer, misses, epoch;
    bool operator==(const Key&) const = default;
  };
  Owner& owner_;
  mmu::AddressSpace space_{};
  Key key_{};
  uint64_t generation_{};
  std::array<Page, 256> pages_;
};

}  // namespace machine
