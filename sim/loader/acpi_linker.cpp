// What a firmware does with etc/table-loader.
#include <fmt/format.h>

#include <cstring>

#include "sim/loader/acpi.h"

namespace loader {
namespace {

using support::Error;
using support::Status;
using support::Unit;

constexpr size_t entry_size = 128, name_size = 56;
constexpr uint32_t allocate = 1, add_pointer = 2, add_checksum = 3;

struct Target {
  std::vector<uint8_t>* bytes{};
  uint32_t address{};
};

class Linker {
 public:
  Linker(AcpiTables& acpi, uint32_t rsdp_address, uint32_t tables_address)
      : rsdp_{&acpi.rsdp, rsdp_address}, tables_{&acpi.tables, tables_address} {}

  Status run(Bytes entry) {
    switch (*read_at<uint32_t>(entry, 0)) {
      case 0:
      case allocate: return Unit{};
      case add_pointer: return point(entry);
      case add_checksum: return sum(entry);
      default: return Error{fmt::format("ACPI: the table loader has no command {}", *read_at<uint32_t>(entry, 0))};
    }
  }

 private:
  [[nodiscard]] const Target* find(Bytes entry, size_t offset) const {
    const auto name = text_at(entry, offset, name_size);
    if (name == "etc/acpi/rsdp") return &rsdp_;
    return name == "etc/acpi/tables" ? &tables_ : nullptr;
  }

  Status point(Bytes entry) const {
    const Target* in = find(entry, 4);
    const Target* to = find(entry, 4 + name_size);
    const uint64_t offset = *read_at<uint32_t>(entry, 4 + 2 * name_size);
    const uint8_t size = entry[8 + 2 * name_size];
    if (in == nullptr || to == nullptr || size > 8 || !contains(*in->bytes, offset, size))
      return Error{"ACPI: a pointer of the table loader is outside of its file"};
    uint64_t value = 0;
    std::memcpy(&value, &(*in->bytes)[offset], size);
    value += to->address;
    std::memcpy(&(*in->bytes)[offset], &value, size);
    return Unit{};
  }

  Status sum(Bytes entry) const {
    const Target* in = find(entry, 4);
    const uint64_t at = *read_at<uint32_t>(entry, 4 + name_size), start = *read_at<uint32_t>(entry, 8 + name_size),
                   length = *read_at<uint32_t>(entry, 12 + name_size);
    if (in == nullptr || !contains(*in->bytes, at, 1) || !contains(*in->bytes, start, length))
      return Error{"ACPI: a checksum of the table loader is outside of its file"};
    uint8_t& checksum = (*in->bytes)[at];
    checksum = 0;
    uint8_t total = 0;
    for (uint64_t i = 0; i < length; ++i) total = static_cast<uint8_t>(total + (*in->bytes)[start + i]);
    checksum = static_cast<uint8_t>(-total);
    return Unit{};
  }

  Target rsdp_, tables_;
};

}  // namespace

Status link_acpi_tables(AcpiTables& acpi, uint32_t rsdp_address, uint32_t tables_address) {
  Linker linker{acpi, rsdp_address, tables_address};
  for (size_t at = 0; at + entry_size <= acpi.script.size(); at += entry_size)
    TRY(linker.run(Bytes{acpi.script}.subspan(at, entry_size)));
  return Unit{};
}

}  // namespace loader
