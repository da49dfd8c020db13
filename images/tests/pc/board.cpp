// What a kernel finds: loader information, memory map, fw_cfg, ACPI, CPUID. The command line says what to expect.
#include "pc.h"

using namespace pc;

namespace {

bool equal(const char* a, const char* b, unsigned size) {
  for (unsigned i = 0; i < size; ++i)
    if (a[i] != b[i]) return false;
  return true;
}

uint32_t fw_cfg(uint16_t key, unsigned size) {
  uint32_t value = 0;
  out16(0x510, key);
  for (unsigned i = 0; i < size; ++i) value |= uint32_t{in8(0x511)} << (8 * i);
  return value;
}

void check_loader() {
  check(boot_magic == 0x2badb002, "the Multiboot magic is in EAX");
  check((boot_information->flags & 0x245) == 0x245, "command line, memory, map and loader name are there");
  check(boot_information->memory_lower == 639, "639 KiB of low memory");
  const uint32_t mebibytes = option("memory", 128);
  check(boot_information->memory_upper == (mebibytes - 1) * 1024, "upper memory is the rest");
  uint64_t usable = 0, last = 0;
  bool ordered = true;
  for (uint32_t at = boot_information->map; at < boot_information->map + boot_information->map_length;) {
    const auto& entry = *reinterpret_cast<const MapEntry*>(uint64_t{at});
    ordered = ordered && entry.base >= last;
    last = entry.base + entry.length;
    if (entry.type == 1) usable += entry.length;
    at += entry.size + 4;
  }
  check(ordered, "the memory map is in order");
  check(usable == uint64_t{mebibytes} * 1024 * 1024 - 0x100000 + 0x9fc00, "the memory map has all of memory");
  const uint32_t modules = option("modules", 0);
  check((boot_information->flags & 8) == (modules != 0 ? 8 : 0), "modules are there if there are any");
  if (modules != 0) {
    const auto* module = reinterpret_cast<const uint32_t*>(uint64_t{boot_information->modules});
    check(boot_information->module_count == 1 && module[0] % 4096 == 0, "the module lies on a page");
    check(equal(reinterpret_cast<const char*>(uint64_t{module[0]}), "module!", 7) && module[1] - module[0] == 7,
          "the module has its bytes");
  }
  auto* low = reinterpret_cast<volatile uint64_t*>(0x1000);
  auto* high = reinterpret_cast<volatile uint64_t*>(uint64_t{mebibytes} * 1024 * 1024 - 8);
  *low = 0x1234;
  *high = 0x5678;
  check(*low == 0x1234 && *high == 0x5678, "the first and the last page can be written");
}

/// The little-endian integer at an offset of a table.
template <class T>
T field(const uint8_t* table, unsigned offset) {
  T value;
  __builtin_memcpy(&value, table + offset, sizeof value);
  return value;
}
bool sums_to_zero(const uint8_t* bytes, uint32_t size) {
  uint8_t sum = 0;
  for (uint32_t i = 0; i < size; ++i) sum = static_cast<uint8_t>(sum + bytes[i]);
  return sum == 0;
}

const uint8_t* find_rsdp() {
  for (uint64_t at = 0xe0000; at < 0x100000; at += 16)
    if (equal(reinterpret_cast<const char*>(at), "RSD PTR ", 8)) return reinterpret_cast<const uint8_t*>(at);
  return nullptr;
}

void check_madt(const uint8_t* madt, uint32_t processors) {
  uint32_t local = 0, io = 0;
  bool timer = false;
  for (uint32_t at = 44; at < field<uint32_t>(madt, 4); at += madt[at + 1]) {
    if (madt[at] == 0 && (madt[at + 4] & 1) != 0) ++local;
    if (madt[at] == 1 && field<uint32_t>(madt, at + 4) == 0xfec00000) ++io;
    if (madt[at] == 2 && madt[at + 3] == 0 && field<uint32_t>(madt, at + 4) == 2) timer = true;
  }
  check(local == processors, "the MADT has a local APIC per processor");
  check(io == 1 && timer, "the MADT has the I/O APIC and sends line 0 to pin 2");
}

void check_acpi(uint32_t processors) {
  const uint8_t* rsdp = find_rsdp();
  check(rsdp != nullptr && sums_to_zero(rsdp, 20) && sums_to_zero(rsdp, 36), "the RSDP is found and its sums hold");
  if (rsdp == nullptr) return;
  const auto* xsdt = reinterpret_cast<const uint8_t*>(field<uint64_t>(rsdp, 24));
  check(sums_to_zero(xsdt, field<uint32_t>(xsdt, 4)), "the XSDT's sum holds");
  bool sums = true, fadt = false;
  for (uint32_t at = 36; at < field<uint32_t>(xsdt, 4); at += 8) {
    const auto* table = reinterpret_cast<const uint8_t*>(field<uint64_t>(xsdt, at));
    sums = sums && sums_to_zero(table, field<uint32_t>(table, 4));
    if (equal(reinterpret_cast<const char*>(table), "APIC", 4)) check_madt(table, processors);
    if (equal(reinterpret_cast<const char*>(table), "FACP", 4)) fadt = field<uint32_t>(table, 76) == 0x608;
  }
  check(sums && fadt, "the tables' sums hold and the FADT knows the timer");
}

void check_cpuid(uint32_t processors) {
  const bool hypervisor = option("hypervisor", 1) != 0;
  check(((cpuid(1).ecx >> 31) & 1) == (hypervisor ? 1u : 0u), "CPUID says whether there is a hypervisor");
  const Cpuid leaf = cpuid(0x40000000);
  const bool microsoft = leaf.ebx == 0x7263694d && leaf.ecx == 0x666f736f && leaf.edx == 0x76482074;
  check(microsoft == hypervisor, "the hypervisor's vendor is Microsoft Hv, or there is none");
  if (hypervisor) check(cpuid(0x40000001).eax == 0x31237648, "its interface is Hv#1");
  check(((cpuid(1).ebx >> 16) & 0xff) == processors, "CPUID counts the processors");
  check(((cpuid(1).ecx >> 21) & 1) != 0, "x2APIC is there");
}

}  // namespace

void kernel_main() {
  const uint32_t processors = option("cpus", 1);
  check_loader();
  out16(0x510, 0);
  check(in8(0x511) == 'Q' && in8(0x511) == 'E' && in8(0x511) == 'M' && in8(0x511) == 'U', "fw_cfg has its signature");
  check(fw_cfg(5, 2) == processors && fw_cfg(0xf, 2) == processors, "fw_cfg counts the processors");
  check(fw_cfg(3, 4) == option("memory", 128) * 1024 * 1024, "fw_cfg has the size of memory");
  check_acpi(processors);
  check_cpuid(processors);
}
