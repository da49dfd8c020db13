#pragma once
// The ACPI tables of the PC board (ACPI 6.5, chapter 5), as a firmware finds them in fw_cfg and as it leaves them in
// memory.
#include <cstdint>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/support/result.h"

namespace loader {

/// Tables that do not know yet where they lie, and what is to be done to them then. The script is the one of QEMU's
/// etc/table-loader: entries of 128 bytes; commands 1 allocate, 2 add the address of a file to a pointer, 3 checksum.
struct AcpiTables {
  std::vector<uint8_t> rsdp;    ///< etc/acpi/rsdp
  std::vector<uint8_t> tables;  ///< etc/acpi/tables
  std::vector<uint8_t> script;  ///< etc/table-loader
};

/// FACS, DSDT with \_S5, FADT, MADT, RSDT and XSDT for local APICs with the ids 0 .. processors - 1.
[[nodiscard]] AcpiTables make_acpi_tables(unsigned processors);

/// Does what the script says for files at these addresses. Fails on a script that is malformed or leaves its files.
[[nodiscard]] support::Status link_acpi_tables(AcpiTables& acpi, uint32_t rsdp_address, uint32_t tables_address);

}  // namespace loader
