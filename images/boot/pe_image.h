#pragma once
// PE32+ as a loader inside the machine sees it: check, map, relocate, find exports, bind imports.
// Freestanding and shared by every stage of the boot and by NTOS, so that there is one reader of
// hostile headers in VTL 0. Layout: Microsoft PE format.
#include <stddef.h>
#include <stdint.h>

namespace pe {

enum class Status : uint32_t {
  Ok,
  NotPe,       ///< no MZ, no PE signature, or not PE32+ for x64
  BadHeaders,  ///< sizes or alignments that contradict each other
  BadSection,  ///< a section outside file or image, or writable and executable
  BadRelocation,
  NoRelocations,  ///< the image must move and has none
  BadImports,
  MissingModule,
  MissingExport,
};
const char* describe(Status status);

enum SectionFlags : uint32_t {
  SectionDiscardable = 0x02000000,
  SectionExecute = 0x20000000,
  SectionRead = 0x40000000,
  SectionWrite = 0x80000000,
};

struct Section {
  char name[8];
  uint32_t virtual_size;
  uint32_t rva;
  uint32_t raw_size;
  uint32_t raw_offset;
  uint32_t reserved[3];
  uint32_t characteristics;
};
static_assert(sizeof(Section) == 40);

struct DataDirectory {
  uint32_t rva;
  uint32_t size;
};
enum Directory : uint32_t { ExportDirectory = 0, ImportDirectory = 1, RelocationDirectory = 5 };
inline constexpr uint32_t max_sections = 32;

/// The checked headers of an image: every number below has been compared with the sizes that it
/// must fit in.
struct Headers {
  uint64_t preferred_base{};
  uint32_t image_size{};  ///< a multiple of 4096
  uint32_t header_size{};
  uint32_t entry_rva{};  ///< 0: none
  uint16_t subsystem{};
  uint16_t section_count{};
  bool relocations_stripped{};  ///< runs at its preferred base only; needing none is another thing
  DataDirectory directories[16]{};
  Section sections[max_sections]{};
};

/// Reads and checks the headers of a raw file. Nothing outside [file, file + size) is read.
Status read_headers(const void* file, size_t size, Headers& headers);

/// Copies headers and sections to `image`, `headers.image_size` bytes that the caller owns; the
/// rest is zeroed.
void map_sections(const Headers& headers, const void* file, void* image);

/// Applies DIR64 relocations so that the mapped `image` can run at `base`.
Status relocate(const Headers& headers, void* image, uint64_t base);

/// RVA of an export by name, or 0. `image` is mapped; forwarders are not followed (0).
uint32_t find_export(const void* image, size_t image_size, const char* name);

/// Where a loader finds other images while binding.
struct Module {
  const void* image;  ///< mapped bytes as this code can read them
  size_t image_size;
  uint64_t base;  ///< where it runs
};
class ModuleProvider {
 public:
  /// False when no module of that name exists. Names compare without case.
  virtual bool find(const char* name, Module& module) = 0;

 protected:
  ~ModuleProvider() = default;
};

/// Names what could not be bound, for the message that the user reads.
struct BindFailure {
  const char* module{""};
  const char* symbol{""};
};
/// Fills the import address table of the mapped `image`.
Status bind_imports(const Headers& headers, void* image, ModuleProvider& modules,
                    BindFailure& failure);

bool equal_ignoring_case(const char* a, const char* b);

}  // namespace pe
