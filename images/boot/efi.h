#pragma once
// The part of the UEFI interface that firmware.efi offers and winload.efi uses. Order of table
// entries and names as in the UEFI specification 2.x (sections 4 to 13); Microsoft's x64 calling
// convention is UEFI's own.
#include <stddef.h>
#include <stdint.h>

namespace efi {

using Status = uint64_t;
using Handle = void*;
inline constexpr Status error_bit = 1ull << 63;
inline constexpr Status success = 0;
inline constexpr Status load_error = error_bit | 1;
inline constexpr Status invalid_parameter = error_bit | 2;
inline constexpr Status unsupported = error_bit | 3;
inline constexpr Status buffer_too_small = error_bit | 5;
inline constexpr Status device_error = error_bit | 7;
inline constexpr Status out_of_resources = error_bit | 9;
inline constexpr Status volume_corrupted = error_bit | 10;
inline constexpr Status not_found = error_bit | 14;
inline constexpr Status security_violation = error_bit | 26;
inline constexpr bool failed(Status status) {
  return (status & error_bit) != 0;
}

struct Guid {
  uint32_t data1;
  uint16_t data2, data3;
  uint8_t data4[8];
  friend constexpr bool operator==(const Guid& a, const Guid& b) {
    for (int i = 0; i < 8; ++i)
      if (a.data4[i] != b.data4[i]) return false;
    return a.data1 == b.data1 && a.data2 == b.data2 && a.data3 == b.data3;
  }
};

inline constexpr Guid loaded_image_protocol{
    0x5B1B31A1, 0x9562, 0x11d2, {0x8E, 0x3F, 0, 0xA0, 0xC9, 0x69, 0x72, 0x3B}};
inline constexpr Guid simple_file_system_protocol{
    0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
inline constexpr Guid rng_protocol{
    0x3152bca5, 0xeade, 0x433d, {0x86, 0x2e, 0xc0, 0x1c, 0xdc, 0x29, 0x1f, 0x44}};
inline constexpr Guid file_info_id{
    0x09576e92, 0x6d3f, 0x11d2, {0x8e, 0x39, 0, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
inline constexpr Guid global_variable{
    0x8BE4DF61, 0x93CA, 0x11d2, {0xAA, 0x0D, 0, 0xE0, 0x98, 0x03, 0x2B, 0x8C}};
/// Microsoft's secure-boot policy namespace: VbsPolicy, VbsPolicyDisabled, VsmLocalKey2 (section
/// 9.3).
inline constexpr Guid microsoft_policy{
    0x77fa9abd, 0x0359, 0x4d32, {0xbd, 0x60, 0x28, 0xf4, 0xe7, 0x8f, 0x78, 0x4b}};
/// Ours: boot configuration elements, one u64 variable per element, named by eight hexadecimal
/// digits.
inline constexpr Guid boot_configuration{
    0xa11c0c4d, 0x0001, 0x4bcd, {0x80, 0, 0x41, 0x69, 0x72, 0x6c, 0x6f, 0x6b}};

struct TableHeader {
  uint64_t signature;
  uint32_t revision;
  uint32_t header_size;
  uint32_t crc32;
  uint32_t reserved;
};

enum MemoryType : uint32_t {
  ReservedMemoryType,
  LoaderCode,
  LoaderData,
  BootServicesCode,
  BootServicesData,
  RuntimeServicesCode,
  RuntimeServicesData,
  ConventionalMemory,
  UnusableMemory,
  AcpiReclaimMemory,
  AcpiMemoryNvs,
  MemoryMappedIo,
  /// From here on types belong to OS loaders: winload stores abi::boot::MemoryType in the low bits.
  OsLoaderTypes = 0x80000000,
};

enum AllocateType : uint32_t { AllocateAnyPages, AllocateMaxAddress, AllocateAddress };

struct MemoryDescriptor {
  uint32_t type;
  uint32_t pad;
  uint64_t physical_start;
  uint64_t virtual_start;
  uint64_t number_of_pages;
  uint64_t attribute;
};
static_assert(sizeof(MemoryDescriptor) == 40);

enum FileAttribute : uint64_t {
  FileReadOnly = 1,
  FileHidden = 2,
  FileSystem = 4,
  FileDirectory = 0x10,
  FileArchive = 0x20
};

struct FileInfo {
  uint64_t size;  ///< of this structure with the name
  uint64_t file_size;
  uint64_t physical_size;
  uint8_t times[48];
  uint64_t attribute;
  char16_t file_name[256];
};
inline constexpr size_t file_info_header = offsetof(FileInfo, file_name);

struct FileProtocol {
  uint64_t revision;
  Status (*open)(FileProtocol* self, FileProtocol** file, const char16_t* name, uint64_t mode,
                 uint64_t attributes);
  Status (*close)(FileProtocol* self);
  Status (*delete_)(FileProtocol* self);
  Status (*read)(FileProtocol* self, uint64_t* size, void* buffer);
  Status (*write)(FileProtocol* self, uint64_t* size, const void* buffer);
  Status (*get_position)(FileProtocol* self, uint64_t* position);
  Status (*set_position)(FileProtocol* self, uint64_t position);
  Status (*get_info)(FileProtocol* self, const Guid* type, uint64_t* size, void* buffer);
  Status (*set_info)(FileProtocol* self, const Guid* type, uint64_t size, const void* buffer);
  Status (*flush)(FileProtocol* self);
};
inline constexpr uint64_t file_mode_read = 1;

struct SimpleFileSystem {
  uint64_t revision;
  Status (*open_volume)(SimpleFileSystem* self, FileProtocol** root);
};

struct RandomProtocol {
  Status (*get_info)(RandomProtocol* self, uint64_t* size, Guid* algorithms);
  Status (*get_rng)(RandomProtocol* self, const Guid* algorithm, uint64_t size, uint8_t* value);
};

struct SimpleTextOutput {
  Status (*reset)(SimpleTextOutput* self, bool extended);
  Status (*output_string)(SimpleTextOutput* self, const char16_t* text);
  void* others[7];  ///< TestString .. EnableCursor: null
  void* mode;
};

struct SystemTable;

struct LoadedImage {
  uint32_t revision;
  Handle parent;
  SystemTable* system_table;
  Handle device;
  void* file_path;
  void* reserved;
  uint32_t load_options_size;
  void* load_options;
  void* image_base;
  uint64_t image_size;
  MemoryType code_type, data_type;
  void* unload;
};

struct BootServices {
  TableHeader header;
  void* raise_tpl;
  void* restore_tpl;
  Status (*allocate_pages)(AllocateType type, uint32_t memory_type, uint64_t pages,
                           uint64_t* address);
  Status (*free_pages)(uint64_t address, uint64_t pages);
  Status (*get_memory_map)(uint64_t* size, MemoryDescriptor* map, uint64_t* key,
                           uint64_t* descriptor_size, uint32_t* version);
  Status (*allocate_pool)(uint32_t memory_type, uint64_t size, void** buffer);
  Status (*free_pool)(void* buffer);
  void* events[6];   // CreateEvent .. CheckEvent
  void* install[3];  // InstallProtocolInterface, Reinstall.., Uninstall..
  Status (*handle_protocol)(Handle handle, const Guid* protocol, void** interface_);
  void* reserved;
  void* register_protocol_notify;
  void* locate_handle;
  void* locate_device_path;
  void* install_configuration_table;
  void* images[4];  // LoadImage, StartImage, Exit, UnloadImage
  Status (*exit_boot_services)(Handle image, uint64_t map_key);
  void* get_next_monotonic_count;
  Status (*stall)(uint64_t microseconds);
  void* set_watchdog_timer;
  void* connect[2];
  void* open_protocol[3];
  void* protocols_per_handle;
  void* locate_handle_buffer;
  Status (*locate_protocol)(const Guid* protocol, void* registration, void** interface_);
  void* install_multiple[2];
  void* calculate_crc32;
  void* copy_mem;
  void* set_mem;
  void* create_event_ex;
};
static_assert(offsetof(BootServices, handle_protocol) == 152 &&
              offsetof(BootServices, exit_boot_services) == 232);
static_assert(offsetof(BootServices, locate_protocol) == 320 && sizeof(BootServices) == 376);

struct RuntimeServices {
  TableHeader header;
  void* times[4];
  void* set_virtual_address_map;
  void* convert_pointer;
  Status (*get_variable)(const char16_t* name, const Guid* vendor, uint32_t* attributes,
                         uint64_t* size, void* data);
  void* get_next_variable_name;
  Status (*set_variable)(const char16_t* name, const Guid* vendor, uint32_t attributes,
                         uint64_t size, const void* data);
  void* get_next_high_monotonic_count;
  void (*reset_system)(uint32_t type, Status status, uint64_t size, void* data);
  void* capsules[2];
  void* query_variable_info;
};
static_assert(offsetof(RuntimeServices, get_variable) == 72 && sizeof(RuntimeServices) == 136);

enum VariableAttribute : uint32_t { NonVolatile = 1, BootServiceAccess = 2, RuntimeAccess = 4 };
enum ResetType : uint32_t { ResetCold, ResetWarm, ResetShutdown };

struct ConfigurationTable {
  Guid vendor;
  void* table;
};

struct SystemTable {
  TableHeader header;
  const char16_t* firmware_vendor;
  uint32_t firmware_revision;
  Handle console_in_handle;
  void* console_in;
  Handle console_out_handle;
  SimpleTextOutput* console_out;
  Handle standard_error_handle;
  SimpleTextOutput* standard_error;
  RuntimeServices* runtime_services;
  BootServices* boot_services;
  uint64_t configuration_tables;
  ConfigurationTable* configuration_table;
};
static_assert(offsetof(SystemTable, boot_services) == 96);

inline constexpr uint64_t system_table_signature = 0x5453595320494249;  // "IBI SYST"
inline constexpr uint64_t boot_services_signature = 0x56524553544f4f42;
inline constexpr uint64_t runtime_services_signature = 0x56524553544e5552;

using ImageEntry = Status (*)(Handle image, SystemTable* table);

}  // namespace efi
