// The address space that the kernels start in (abi/boot/virtual_layout.h): identity map, direct
// map, images.
#include "abi/boot/virtual_layout.h"
#include "winload.h"

namespace osl {

uint64_t page_table_root;

namespace {

enum PteBit : uint64_t { Present = 1, Writable = 2, LargePage = 0x80, NoExecute = 1ull << 63 };
constexpr uint64_t frame_mask = 0x000FFFFFFFFFF000;

// The entry for `address` in the table at the given level (4 = PML4 .. 1), making tables on the
// way.
uint64_t* entry_at(uint64_t address, int level) {
  uint64_t table = page_table_root;
  for (int l = 4;; --l) {
    auto entry = reinterpret_cast<uint64_t*>(table) + (address >> (12 + 9 * (l - 1)) & 511);
    if (l == level) return entry;
    // Upper levels are permissive; the leaf decides.
    if ((*entry & Present) == 0)
      *entry = allocate_pages(MemoryType::PageTable, 1) | Present | Writable;
    table = *entry & frame_mask;
  }
}

void map_large(uint64_t address, uint64_t physical, uint64_t bits) {
  *entry_at(address, 2) = physical | bits | LargePage | Present;
}

void map_all_memory() {
  for (uint64_t at = 0; at < nt_block->memory_size; at += 2 << 20) {
    map_large(abi::boot::identity_map_base + at, at, Writable);
    map_large(abi::boot::direct_map_base + at, at, Writable | NoExecute);
  }
}

uint64_t section_bits(uint32_t characteristics) {
  uint64_t bits = 0;
  if ((characteristics & pe::SectionWrite) != 0) bits |= Writable;
  if ((characteristics & pe::SectionExecute) == 0) bits |= NoExecute;
  return bits;
}

void map_list(const ListEntry* head) {
  for (auto e = from_virtual<ListEntry>(head->flink); e != head;
       e = from_virtual<ListEntry>(e->flink))
    map_image(*reinterpret_cast<const LoadedModule*>(e));
}

}  // namespace

void map_image(const LoadedModule& module) {
  auto image = reinterpret_cast<const void*>(module.physical_base);
  pe::Headers headers;
  if (pe::read_headers(image, module.image_size, headers) == pe::Status::NotPe)
    fail(module.name, "lost its headers");
  auto map_range = [&](uint64_t from, uint64_t to, uint64_t bits) {
    for (uint64_t rva = from & ~(page - 1); rva < to; rva += page)
      *entry_at(module.base + rva, 1) = (module.physical_base + rva) | bits | Present;
  };
  map_range(0, headers.header_size, NoExecute);
  for (uint32_t i = 0; i < headers.section_count; ++i) {
    const pe::Section& s = headers.sections[i];
    const uint32_t size = s.virtual_size != 0 ? s.virtual_size : s.raw_size;
    map_range(s.rva, uint64_t{s.rva} + size, section_bits(s.characteristics));
  }
}

ListEntry* secure_module_list();

void page_tables_initialize() {
  page_table_root = allocate_pages(MemoryType::PageTable, 1);
  map_all_memory();
  map_list(&nt_block->load_order_list);
  if (secure_module_list() != nullptr) map_list(secure_module_list());
  // NTOS shares the upper half of its root page between all processes: every level-3 table that it
  // will use exists from the start, and an entry that appears in one process appears in all.
  entry_at(abi::boot::kernel_image_base, 3);
  nt_block->page_table_root = page_table_root;
}

void page_tables_activate() {
  arch::write_cr3(page_table_root);
}

}  // namespace osl
