#pragma once
// The wire structures of PE32+ as the "PE Format" specification prints them; names are those of
// winnt.h.
#include <cstdint>

namespace loader::pe {

inline constexpr uint16_t dos_magic = 0x5a4d;  // "MZ"
inline constexpr uint32_t dos_header_size = 64;
inline constexpr uint32_t new_header_offset = 0x3c;   // e_lfanew
inline constexpr uint32_t pe_signature = 0x00004550;  // "PE\0\0"
inline constexpr uint16_t machine_amd64 = 0x8664;
inline constexpr uint16_t optional_magic_pe32 = 0x10b;
inline constexpr uint16_t optional_magic_pe32_plus = 0x20b;
inline constexpr uint32_t directory_count = 16;
/// The Windows loader's bound on NumberOfSections.
inline constexpr uint16_t maximum_sections = 96;

struct FileHeader {
  uint16_t machine, number_of_sections;
  uint32_t time_date_stamp, pointer_to_symbol_table, number_of_symbols;
  uint16_t size_of_optional_header, characteristics;
};
static_assert(sizeof(FileHeader) == 20);

/// IMAGE_OPTIONAL_HEADER64 without the data directories, which follow it.
struct OptionalHeader {
  uint16_t magic;
  uint8_t major_linker_version, minor_linker_version;
  uint32_t size_of_code, size_of_initialized_data, size_of_uninitialized_data;
  uint32_t address_of_entry_point, base_of_code;
  uint64_t image_base;
  uint32_t section_alignment, file_alignment;
  uint16_t major_operating_system_version, minor_operating_system_version;
  uint16_t major_image_version, minor_image_version;
  uint16_t major_subsystem_version, minor_subsystem_version;
  uint32_t win32_version_value, size_of_image, size_of_headers, checksum;
  uint16_t subsystem, dll_characteristics;
  uint64_t size_of_stack_reserve, size_of_stack_commit, size_of_heap_reserve, size_of_heap_commit;
  uint32_t loader_flags, number_of_rva_and_sizes;
};
static_assert(sizeof(OptionalHeader) == 112);
inline constexpr uint32_t checksum_offset = 64;  ///< of the CheckSum field in the optional header

struct DataDirectory {
  uint32_t rva, size;
};

struct SectionHeader {
  char name[8];
  uint32_t virtual_size, virtual_address, size_of_raw_data, pointer_to_raw_data;
  uint32_t pointer_to_relocations, pointer_to_line_numbers;
  uint16_t number_of_relocations, number_of_line_numbers;
  uint32_t characteristics;
};
static_assert(sizeof(SectionHeader) == 40);

inline constexpr uint32_t section_code = 0x00000020;
inline constexpr uint32_t section_discardable = 0x02000000;
inline constexpr uint32_t section_execute = 0x20000000;
inline constexpr uint32_t section_read = 0x40000000;
inline constexpr uint32_t section_write = 0x80000000;

struct ExportDirectory {
  uint32_t characteristics, time_date_stamp;
  uint16_t major_version, minor_version;
  uint32_t name, base, number_of_functions, number_of_names;
  uint32_t address_of_functions, address_of_names, address_of_name_ordinals;
};
static_assert(sizeof(ExportDirectory) == 40);

struct ImportDescriptor {
  uint32_t original_first_thunk, time_date_stamp, forwarder_chain, name, first_thunk;
};
static_assert(sizeof(ImportDescriptor) == 20);
inline constexpr uint64_t import_by_ordinal = uint64_t{1} << 63;

struct RelocationBlock {
  uint32_t page_rva, block_size;
};
inline constexpr uint16_t relocation_absolute = 0;  // padding
inline constexpr uint16_t relocation_dir64 = 10;

struct DebugDirectory {
  uint32_t characteristics, time_date_stamp;
  uint16_t major_version, minor_version;
  uint32_t type, size_of_data, address_of_raw_data, pointer_to_raw_data;
};
static_assert(sizeof(DebugDirectory) == 28);
inline constexpr uint32_t debug_type_codeview = 2;
inline constexpr uint32_t codeview_rsds = 0x53445352;  // "RSDS"

struct WinCertificate {
  uint32_t length;  ///< with this header
  uint16_t revision, type;
};
static_assert(sizeof(WinCertificate) == 8);
inline constexpr uint16_t certificate_revision_2 = 0x0200;
inline constexpr uint16_t certificate_pkcs_signed_data = 2;

}  // namespace loader::pe
