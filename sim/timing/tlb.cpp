#include "sim/timing/tlb.h"

namespace timing {
namespace {

bool same_space(const TlbPage& page, TlbTag tag) {
  return page.tag.vtl == tag.vtl && (page.global || page.tag.pcid == tag.pcid);
}

}  // namespace

Tlb::Tlb(const CostTable& costs)
    : code_{costs.itlb_entries, costs.itlb_ways},
      data_{costs.dtlb_entries, costs.dtlb_ways},
      second_{costs.stlb_entries, costs.stlb_ways} {}

TlbPage* Tlb::find(Pages& pages, TlbTag tag, uint64_t gva) {
  const auto of_size = [&](uint8_t shift) {
    const uint64_t number = gva >> shift;
    return pages.find(number, [&](const TlbPage& page) {
      return page.number == number && page.shift == shift && same_space(page, tag);
    });
  };
  TlbPage* found = of_size(12);
  if (found == nullptr && has_2m_) found = of_size(21);
  if (found == nullptr && has_1g_) found = of_size(30);
  return found;
}

Tlb::Lookup Tlb::look_up(TlbTag tag, uint64_t gva, bool code, bool write) {
  Pages& first = code ? code_ : data_;
  if (const TlbPage* page = find(first, tag, gva); page != nullptr) {
    if (write && !page->dirty) return {};
    return {TlbAnswer::First, *page};
  }
  const TlbPage* page = find(second_, tag, gva);
  if (page == nullptr || (write && !page->dirty)) return {};
  first.insert(page->number, *page);
  return {TlbAnswer::Second, *page};
}

void Tlb::fill(const TlbPage& page, bool code) {
  has_2m_ |= page.shift == 21;
  has_1g_ |= page.shift == 30;
  remove_if([&](const TlbPage& held) {
    return held.number == page.number && held.shift == page.shift && same_space(held, page.tag);
  });
  (code ? code_ : data_).insert(page.number, page);
  second_.insert(page.number, page);
}

template <class Predicate>
void Tlb::remove_if(Predicate predicate) {
  code_.remove_if(predicate);
  data_.remove_if(predicate);
  second_.remove_if(predicate);
}

void Tlb::invalidate_address(TlbTag tag, uint64_t gva) {
  remove_if([&](const TlbPage& page) {
    return page.number == gva >> page.shift && same_space(page, tag);
  });
}

void Tlb::invalidate_pcid(TlbTag tag) {
  remove_if([&](const TlbPage& page) { return !page.global && page.tag == tag; });
}

void Tlb::invalidate_vtl(uint8_t vtl) {
  remove_if([&](const TlbPage& page) { return page.tag.vtl == vtl; });
}

}  // namespace timing
