#include "sim/loader/acpi.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace loader {
namespace {

constexpr std::string_view rsdp_file = "etc/acpi/rsdp", tables_file = "etc/acpi/tables";
constexpr size_t header_size = 36, checksum_offset = 9;
constexpr uint16_t sci_interrupt = 9;

/// The files and their script while they grow. All pointers are offsets in the tables' file until it is linked.
class Builder {
 public:
  AcpiTables take() { return std::move(acpi_); }

  void allocate(std::string_view file, uint32_t align, bool low) {
    begin(1);
    name(file);
    value(align, 4);
    value(low ? 2 : 1, 1);  // 2: the segment that is searched for RSDP; 1: anywhere high
    end();
  }
  void pointer(std::string_view in, size_t offset, unsigned size) {
    begin(2);
    name(in);
    name(tables_file);
    value(offset, 4);
    value(size, 1);
    end();
  }
  void checksum(std::string_view file, size_t at, size_t start, size_t length) {
    sums_.push_back({file, at, start, length});
  }
  /// Checksums are of what the pointers became: their entries come last.
  void finish() {
    for (const Sum& sum : sums_) {
      begin(3);
      name(sum.file);
      value(sum.at, 4);
      value(sum.start, 4);
      value(sum.length, 4);
      end();
    }
  }

  [[nodiscard]] size_t here() const { return acpi_.tables.size(); }
  void align(size_t unit) { acpi_.tables.resize((here() + unit - 1) / unit * unit); }
  std::vector<uint8_t>& tables() { return acpi_.tables; }
  std::vector<uint8_t>& rsdp() { return acpi_.rsdp; }

  /// Appends a table: header, then `body`, with its checksum in the script. Answers its offset.
  size_t table(std::string_view signature, uint8_t revision, const std::vector<uint8_t>& body) {
    align(8);
    const size_t at = here();
    std::vector<uint8_t>& bytes = acpi_.tables;
    const auto length = static_cast<uint32_t>(header_size + body.size());
    bytes.resize(at + header_size);
    std::memcpy(&bytes[at], signature.data(), 4);
    std::memcpy(&bytes[at + 4], &length, 4);
    bytes[at + 8] = revision;
    std::memcpy(&bytes[at + 10], "AIRLCKPCBOARD ", 14);  // OEM id (6), OEM table id (8)
    bytes[at + 24] = 1;                                  // OEM revision
    std::memcpy(&bytes[at + 28], "AIRL", 4);             // who made it
    bytes[at + 32] = 1;
    bytes.insert(bytes.end(), body.begin(), body.end());
    checksum(tables_file, at + checksum_offset, at, length);
    return at;
  }

 private:
  void begin(uint32_t command) {
    start_ = acpi_.script.size();
    value(command, 4);
  }
  void end() { acpi_.script.resize(start_ + 128); }
  void value(uint64_t number, unsigned size) {
    for (unsigned i = 0; i < size; ++i) acpi_.script.push_back(static_cast<uint8_t>(number >> (8 * i)));
  }
  void name(std::string_view text) {
    const size_t at = acpi_.script.size();
    acpi_.script.resize(at + 56);
    std::copy(text.begin(), text.end(), acpi_.script.begin() + static_cast<ptrdiff_t>(at));
  }

  struct Sum {
    std::string_view file;
    size_t at, start, length;
  };
  AcpiTables acpi_;
  std::vector<Sum> sums_;
  size_t start_{};
};

template <class T>
void put(std::vector<uint8_t>& bytes, size_t offset, T value) {
  if (bytes.size() < offset + sizeof value) bytes.resize(offset + sizeof value);
  std::memcpy(&bytes[offset], &value, sizeof value);
}
template <class T>
void append(std::vector<uint8_t>& bytes, T value) {
  put(bytes, bytes.size(), value);
}

/// Firmware ACPI control structure (5.2.10): 64 bytes on a multiple of 64.
size_t add_facs(Builder& builder) {
  builder.align(64);
  const size_t at = builder.here();
  builder.tables().resize(at + 64);
  std::memcpy(&builder.tables()[at], "FACS", 4);
  builder.tables()[at + 4] = 64;
  builder.tables()[at + 32] = 1;  // version
  return at;
}

/// Name (\_S5, Package () {Zero, Zero, Zero, Zero}): what SLP_TYP turns the machine off (ACPI 7.3.4; AML, chapter 20).
const std::vector<uint8_t> definition_block = {0x08, '\\', '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00};

/// Generic address structure of an I/O port (5.2.3.2).
void put_port(std::vector<uint8_t>& body, size_t offset, uint8_t bits, uint8_t access, uint16_t port) {
  put<uint8_t>(body, offset, 1);
  put<uint8_t>(body, offset + 1, bits);
  put<uint8_t>(body, offset + 3, access);
  put<uint64_t>(body, offset + 4, port);
}

/// Fixed ACPI description table, revision 3 of 244 bytes (5.2.9). Offsets are the specification's.
size_t add_fadt(Builder& builder, size_t facs, size_t dsdt) {
  std::vector<uint8_t> body(244);  // with the header, cut off below
  constexpr uint16_t event = 0x600, control = 0x604, timer = 0x608, reset = 0xcf9;
  put<uint32_t>(body, 36, static_cast<uint32_t>(facs));
  put<uint32_t>(body, 40, static_cast<uint32_t>(dsdt));
  put<uint16_t>(body, 46, sci_interrupt);
  put<uint32_t>(body, 56, event);
  put<uint32_t>(body, 64, control);
  put<uint32_t>(body, 76, timer);
  put<uint8_t>(body, 88, 4);
  put<uint8_t>(body, 89, 2);
  put<uint8_t>(body, 91, 4);
  put<uint16_t>(body, 96, 0xfff);   // no C2
  put<uint16_t>(body, 98, 0xfff);   // no C3
  put<uint8_t>(body, 108, 0x32);    // century in CMOS
  put<uint16_t>(body, 109, 0x0003); // legacy devices, keyboard controller
  // WBINVD, C1, no fixed power and sleep buttons, RTC alarm is no wake event, reset register.
  put<uint32_t>(body, 112, 1u | 1u << 2 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 10);
  put_port(body, 116, 8, 1, reset);
  put<uint8_t>(body, 128, 6);
  put<uint64_t>(body, 140, dsdt);   // X_FIRMWARE_CTRL stays zero: the 32-bit one is there
  put_port(body, 148, 32, 2, event);
  put_port(body, 172, 16, 2, control);
  put_port(body, 208, 32, 3, timer);
  body.erase(body.begin(), body.begin() + header_size);
  const size_t at = builder.table("FACP", 3, body);
  builder.pointer(tables_file, at + 36, 4);
  builder.pointer(tables_file, at + 40, 4);
  builder.pointer(tables_file, at + 140, 8);
  return at;
}

/// An interrupt of the ISA bus that is not the I/O APIC's pin of the same number, or not an active-high edge (5.2.12.5).
void append_override(std::vector<uint8_t>& body, uint8_t source, uint32_t pin, uint16_t flags) {
  append<uint16_t>(body, 2 | 10 << 8);
  append<uint8_t>(body, 0);
  append<uint8_t>(body, source);
  append<uint32_t>(body, pin);
  append<uint16_t>(body, flags);
}

/// Multiple APIC description table (5.2.12).
size_t add_madt(Builder& builder, unsigned processors) {
  std::vector<uint8_t> body;
  append<uint32_t>(body, 0xfee0'0000);
  append<uint32_t>(body, 1);  // with 8259s, to be disabled by who uses the APICs
  for (unsigned i = 0; i < processors; ++i) {
    append<uint16_t>(body, 0 | 8 << 8);
    append<uint8_t>(body, static_cast<uint8_t>(i));  // ACPI processor id
    append<uint8_t>(body, static_cast<uint8_t>(i));  // APIC id
    append<uint32_t>(body, 1);                       // enabled
  }
  append<uint16_t>(body, 1 | 12 << 8);  // the I/O APIC
  append<uint16_t>(body, 0);            // its id
  append<uint32_t>(body, 0xfec0'0000);
  append<uint32_t>(body, 0);
  append_override(body, 0, 2, 0);                  // the timer
  append_override(body, sci_interrupt, sci_interrupt, 0x0d);  // level, active high
  append<uint16_t>(body, 4 | 6 << 8);   // NMI of every local APIC
  append<uint8_t>(body, 0xff);
  append<uint16_t>(body, 0);
  append<uint8_t>(body, 1);             // LINT1
  return builder.table("APIC", 3, body);
}

template <class Address>
size_t add_root(Builder& builder, std::string_view signature, std::initializer_list<size_t> tables) {
  std::vector<uint8_t> body;
  for (const size_t table : tables) append(body, static_cast<Address>(table));
  const size_t at = builder.table(signature, 1, body);
  for (size_t i = 0; i < tables.size(); ++i)
    builder.pointer(tables_file, at + header_size + i * sizeof(Address), sizeof(Address));
  return at;
}

/// Root system description pointer (5.2.5.3): the first 20 bytes and all 36 have a checksum each.
void make_rsdp(Builder& builder, size_t rsdt, size_t xsdt) {
  std::vector<uint8_t>& bytes = builder.rsdp();
  bytes.resize(36);
  std::memcpy(bytes.data(), "RSD PTR ", 8);
  std::memcpy(&bytes[9], "AIRLCK", 6);
  bytes[15] = 2;
  put<uint32_t>(bytes, 16, static_cast<uint32_t>(rsdt));
  put<uint32_t>(bytes, 20, 36);
  put<uint64_t>(bytes, 24, xsdt);
  builder.pointer(rsdp_file, 16, 4);
  builder.pointer(rsdp_file, 24, 8);
  builder.checksum(rsdp_file, 8, 0, 20);
  builder.checksum(rsdp_file, 32, 0, 36);
}

}  // namespace

AcpiTables make_acpi_tables(unsigned processors) {
  Builder builder;
  builder.allocate(rsdp_file, 16, true);
  builder.allocate(tables_file, 64, false);
  const size_t facs = add_facs(builder);
  const size_t dsdt = builder.table("DSDT", 2, definition_block);
  const size_t fadt = add_fadt(builder, facs, dsdt);
  const size_t madt = add_madt(builder, processors);
  const size_t rsdt = add_root<uint32_t>(builder, "RSDT", {fadt, madt});
  const size_t xsdt = add_root<uint64_t>(builder, "XSDT", {fadt, madt});
  make_rsdp(builder, rsdt, xsdt);
  builder.finish();
  return builder.take();
}

}  // namespace loader
