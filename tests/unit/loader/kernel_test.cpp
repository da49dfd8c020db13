// Kernels for --kernel: ELF, Multiboot headers, raw bytes; good ones, spoiled ones, and what a kernel is told.
#include <map>

#include "sim/loader/acpi.h"
#include "sim/loader/multiboot.h"
#include "tests/support/catch.h"
#include "tests/unit/loader/kernel_builder.h"

using namespace loader;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string refusal(const std::vector<uint8_t>& file) {
  const auto image = parse_kernel(file);
  return image ? "accepted" : image.error().message;
}

template <class T>
T at(const BootInformation& information, uint32_t address) {
  T value{};
  REQUIRE(address >= information.address);
  REQUIRE(address - information.address + sizeof value <= information.bytes.size());
  std::memcpy(&value, &information.bytes[address - information.address], sizeof value);
  return value;
}
std::string text(const BootInformation& information, uint32_t address) {
  return reinterpret_cast<const char*>(&information.bytes.at(address - information.address));
}

const std::vector<MemoryRange> map{{0, 0x9fc00, 1}, {0x9fc00, 0x400, 2}, {0x100000, 0x3f00000, 1}};

}  // namespace

TEST_CASE("A 32-bit ELF kernel goes to its physical addresses, with zeros after its bytes") {
  const auto file = test::elf32(0x400000, 0xc0400000);
  const auto image = parse_kernel(file);
  REQUIRE(image);
  EXPECT(image.value().format == KernelFormat::Elf32);
  EXPECT(image.value().entry == 0x400020);
  REQUIRE(image.value().segments.size() == 1);
  const KernelSegment& segment = image.value().segments[0];
  EXPECT((segment.address == 0x400000 && segment.bytes.size() == 0x40 && segment.memory_size == 0x1000));
  EXPECT((segment.bytes[0x20] == 0xf4 && image.value().end() == 0x401000));
}

TEST_CASE("A 64-bit ELF kernel that is linked high is entered at its physical entry") {
  const auto image = parse_kernel(test::elf64());
  REQUIRE(image);
  EXPECT((image.value().format == KernelFormat::Elf64 && image.value().entry == 0x100020));
}

TEST_CASE("A flat kernel goes where its Multiboot header says, raw bytes to 1 MiB") {
  const auto file = test::flat();
  const auto image = parse_kernel(file);
  REQUIRE(image);
  EXPECT((image.value().format == KernelFormat::Flat && image.value().entry == 0x200040));
  EXPECT((image.value().segments[0].bytes.size() == 0x80 && image.value().segments[0].memory_size == 0x3000));
  EXPECT(image.value().segments[0].bytes.data() == file.data());
  const std::vector<uint8_t> halt{0xf4, 0xeb, 0xfd};
  const auto raw = parse_kernel(halt);
  REQUIRE(raw);
  EXPECT((raw.value().format == KernelFormat::Raw && raw.value().entry == 0x100000));
}

TEST_CASE("Spoiled ELF kernels are refused with what is wrong") {
  struct Case {
    size_t at;
    uint32_t value;
    const char* says;
  };
  const Case cases[] = {{16, 3 | 3 << 16, "ELF type 3"},       {16, 2 | 40 << 16, "machine 40"},
                        {28, 0xfffffff0, "past the end"},      {44, 0 | 0 << 16, "no program headers"},
                        {44, 200, "past the end of the file"}, {56, 0xfffffff0, "reach past the end of the file"},
                        {64, 0xfffff800, "not below 4 GiB"},   {68, 0x41, "reach past the end of the file"},
                        {72, 0x10, "0x40 bytes of the file for 0x10 bytes of memory"},
                        {24, 0x5000, "in no segment"},         {52, 2, "no program header is loadable"},
                        {0x88, 0, "without a Multiboot header"}};
  for (const Case& spoiled : cases) {
    auto file = test::elf32();
    test::put(file, spoiled.at, spoiled.value);
    INFO(spoiled.at);
    CHECK_THAT(refusal(file), ContainsSubstring(spoiled.says));
  }
  auto file = test::elf32();
  test::put<uint16_t>(file, 42, 8);
  CHECK_THAT(refusal(file), ContainsSubstring("program headers of 8 bytes"));
  file = test::elf32();
  file[4] = 9;
  CHECK_THAT(refusal(file), ContainsSubstring("ELF class 9"));
  file = test::elf32();
  file[5] = 2;
  CHECK_THAT(refusal(file), ContainsSubstring("not little-endian"));
  file = test::elf32();
  file.resize(0x90);
  CHECK_THAT(refusal(file), ContainsSubstring("reach past the end of the file"));
  file = test::elf64(0x1'0000'0000);
  CHECK_THAT(refusal(file), ContainsSubstring("not below 4 GiB"));
  file = test::elf64();
  test::put<uint64_t>(file, 72, ~uint64_t{0});
  CHECK_THAT(refusal(file), ContainsSubstring("past the end of the file"));
  file = test::elf64();  // two segments at one place
  test::put<uint16_t>(file, 56, 2);
  file.insert(file.begin() + 64, file.begin() + 64, file.begin() + 64 + 56);
  CHECK_THAT(refusal(file), ContainsSubstring("overlaps"));
}

TEST_CASE("Spoiled Multiboot headers are refused with what is wrong") {
  struct Case {
    size_t at;
    uint32_t value;
    const char* says;
  };
  const Case cases[] = {{0x1c, 0x1fffff, "above header_addr"},      {0x20, 0x1fff00, "before the file"},
                        {0x24, 0x1fffff, "below load_addr"},        {0x24, 0x300000, "past the end of the file"},
                        {0x28, 0x200010, "below the end of what is loaded"},
                        {0x2c, 0x203000, "outside of what is loaded"}, {0x2c, 0, "outside of what is loaded"}};
  for (const Case& spoiled : cases) {
    auto file = test::flat();
    test::put(file, spoiled.at, spoiled.value);
    INFO(spoiled.at);
    CHECK_THAT(refusal(file), ContainsSubstring(spoiled.says));
  }
  auto file = test::flat();
  file.resize(0x20);
  CHECK_THAT(refusal(file), ContainsSubstring("inside the addresses"));
  file = test::flat();
  test::put_multiboot_header(file, 0x10, 1u << 16 | 8);
  CHECK_THAT(refusal(file), ContainsSubstring("flags 0x8"));
  file = test::flat();
  test::put_multiboot_header(file, 0x10, 0);
  CHECK_THAT(refusal(file), ContainsSubstring("no ELF"));
  EXPECT(refusal({}) == "kernel: the file is empty");
  std::vector<uint8_t> linux_kernel(0x300);
  test::put<uint16_t>(linux_kernel, 0x1fe, 0xaa55);
  test::put<uint32_t>(linux_kernel, 0x202, 0x53726448);
  CHECK_THAT(refusal(linux_kernel), ContainsSubstring("Linux"));
}

TEST_CASE("A kernel is told its command line, memory, modules and loader") {
  const auto file = test::elf32();
  const KernelImage kernel = parse_kernel(file).value();
  const std::vector<uint8_t> one(5000, 1), two(1, 2);
  const auto made = make_boot_information(kernel, "kernel a=b", {{one, "one x"}, {two, ""}}, map, 64 << 20);
  REQUIRE(made);
  const BootInformation& info = made.value();
  const uint32_t base = info.address;
  EXPECT(base == 0x9000);
  EXPECT(at<uint32_t>(info, base) == (1u | 4 | 8 | 0x40 | 0x200));
  EXPECT((at<uint32_t>(info, base + 4) == 639 && at<uint32_t>(info, base + 8) == 0x3f00000 / 1024));
  EXPECT(text(info, at<uint32_t>(info, base + 16)) == "kernel a=b");
  EXPECT(text(info, at<uint32_t>(info, base + 64)) == "Airlock");
  REQUIRE(at<uint32_t>(info, base + 20) == 2);
  const auto modules = at<uint32_t>(info, base + 24);
  EXPECT((at<uint32_t>(info, modules) == 0x101000 && at<uint32_t>(info, modules + 4) == 0x101000 + 5000));
  EXPECT(text(info, at<uint32_t>(info, modules + 8)) == "one x");
  EXPECT((at<uint32_t>(info, modules + 16) == 0x103000 && at<uint32_t>(info, modules + 20) == 0x103001));
  EXPECT((info.modules[1].address == 0x103000 && info.modules[1].bytes.size() == 1));
  const auto entries = at<uint32_t>(info, base + 48);
  EXPECT(at<uint32_t>(info, base + 44) == 3 * 24);
  EXPECT((at<uint32_t>(info, entries) == 20 && at<uint64_t>(info, entries + 24 + 4) == 0x9fc00 &&
          at<uint64_t>(info, entries + 24 + 12) == 0x400 && at<uint32_t>(info, entries + 24 + 20) == 2));
}

TEST_CASE("The information avoids a kernel in low memory, and what does not fit is refused") {
  KernelImage low;
  low.segments.push_back({0x8000, {}, 0x10000});
  const auto moved = make_boot_information(low, "k", {}, map, 64 << 20);
  REQUIRE(moved);
  EXPECT(moved.value().address == 0x100000);
  const std::vector<uint8_t> large(1 << 20);
  EXPECT(!make_boot_information(low, "k", {{large, ""}}, map, (2 << 20) - 1));
}

namespace {

uint8_t sum(const uint8_t* bytes, size_t size) {
  uint8_t total = 0;
  for (size_t i = 0; i < size; ++i) total = static_cast<uint8_t>(total + bytes[i]);
  return total;
}

}  // namespace

TEST_CASE("The ACPI tables are found from the RSDP, their checksums hold, and the MADT counts the processors") {
  constexpr uint32_t rsdp_address = 0xf0000, tables_address = 0xf0040;
  AcpiTables acpi = make_acpi_tables(4);
  const AcpiTables unlinked = acpi;
  REQUIRE(link_acpi_tables(acpi, rsdp_address, tables_address).ok());
  auto read = [&](uint64_t address, auto value) {
    REQUIRE(address >= tables_address);
    REQUIRE(address - tables_address + sizeof value <= acpi.tables.size());
    std::memcpy(&value, &acpi.tables[address - tables_address], sizeof value);
    return value;
  };
  REQUIRE(acpi.rsdp.size() == 36);
  EXPECT((sum(acpi.rsdp.data(), 20) == 0 && sum(acpi.rsdp.data(), 36) == 0));
  uint32_t rsdt = 0;
  uint64_t xsdt = 0;
  std::memcpy(&rsdt, &acpi.rsdp[16], 4);
  std::memcpy(&xsdt, &acpi.rsdp[24], 8);
  std::map<std::string, uint64_t> found;
  auto check_table = [&](uint64_t address) {
    const auto length = read(address + 4, uint32_t{});
    REQUIRE(address - tables_address + length <= acpi.tables.size());
    EXPECT(sum(&acpi.tables[address - tables_address], length) == 0);
    found[std::string(reinterpret_cast<const char*>(&acpi.tables[address - tables_address]), 4)] = address;
  };
  check_table(rsdt);
  check_table(xsdt);
  for (uint32_t i = 0; i < 2; ++i) {
    EXPECT(read(rsdt + 36 + i * 4, uint32_t{}) == read(xsdt + 36 + i * 8, uint64_t{}));
    check_table(read(rsdt + 36 + i * 4, uint32_t{}));
  }
  check_table(read(found["FACP"] + 40, uint32_t{}));
  EXPECT((found.contains("DSDT") && found.contains("APIC")));
  EXPECT(read(found["FACP"] + 140, uint64_t{}) == found["DSDT"]);
  EXPECT(read(found["FACP"] + 36, uint32_t{}) % 64 == 0);

  std::map<int, int> entries;
  const uint64_t madt = found["APIC"], end = madt + read(madt + 4, uint32_t{});
  for (uint64_t at = madt + 44; at < end; at += read(at + 1, uint8_t{})) {
    REQUIRE(read(at + 1, uint8_t{}) != 0);
    const int type = read(at, uint8_t{});
    if (type == 0) EXPECT(read(at + 3, uint8_t{}) == entries[0]);
    ++entries[type];
  }
  EXPECT(entries == std::map<int, int>{{0, 4}, {1, 1}, {2, 2}, {4, 1}});
  EXPECT(unlinked.tables != acpi.tables);
}

TEST_CASE("A table loader script that leaves its files is refused") {
  for (const size_t at : {size_t{4 + 56 * 2}, size_t{4 + 56}}) {
    AcpiTables acpi = make_acpi_tables(1);
    for (size_t entry = 0; entry + 128 <= acpi.script.size(); entry += 128)
      if (acpi.script[entry] == 2) test::put<uint32_t>(acpi.script, entry + at, 0xffffff);
    EXPECT(!link_acpi_tables(acpi, 0, 0).ok());
  }
  AcpiTables acpi = make_acpi_tables(1);
  acpi.script[0] = 9;
  EXPECT(!link_acpi_tables(acpi, 0, 0).ok());
}
