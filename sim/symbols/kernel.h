#pragma once
// What the kernels keep, read from their memory by the types and global symbols of their PDBs: no offset stands here.
// Memory is read as VTL 1 sees it. Lists may be torn, circular or endless: each walk has a limit and says when it met
// it.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/image_catalog.h"
#include "sim/support/result.h"
#include "sim/symbols/library.h"
#include "vtl/virtual_processor.h"

namespace machine {
class Machine;
}

namespace symbols {

/// Reads [address, address + to.size()) of kernel space; false if any of it cannot be read.
using ReadKernel = std::function<bool(uint64_t address, std::span<uint8_t> to)>;

/// As record Process of sim/rpc/methods.def.
struct KernelProcess {
  std::string name;
  vtl::Vtl vtl{};
  uint64_t pid{}, cr3{}, secure_handle{}, object{};
  bool current{};
};

/// A member and its value. As record TypeField.
struct FieldValue {
  std::string name, type;
  uint64_t offset{}, size{};
  uint8_t bit{}, bits{};     ///< of a bit field
  uint64_t count{};          ///< of an array
  std::optional<std::string> value;  ///< "??" where memory cannot be read; absent for structures within
  std::optional<uint64_t> number;    ///< of integers, pointers, enumerations
  bool is_pointer{};
};

struct KernelTrustlet {
  std::string name;
  uint64_t trustlet_id{}, pid{}, cr3{}, object{}, handle{};
  std::vector<FieldValue> fields;
};

/// As the results of kernel.table.
struct KernelTable {
  struct Row {
    std::vector<std::string> cells;
    std::optional<uint64_t> address;  ///< of the object
  };
  std::vector<std::string> columns;
  std::vector<Row> rows;
  std::string complaint;  ///< why it is not complete; empty if it is
};

/// Members of the structure `type` of one image, with their values at `address` if given.
[[nodiscard]] std::vector<FieldValue> fields_of(const TypeTable& types, TypeIndex type, std::optional<uint64_t> address,
                                                const ReadKernel& read);

class Kernels {
 public:
  /// Looks at one moment: `images` and the machine must be of it. All must outlive this.
  Kernels(const machine::Machine& machine, uint32_t vp, const loader::ImageCatalog& images, const Library& library);

  /// Of both kernels. Errors: a kernel runs and its list cannot be found or read.
  [[nodiscard]] support::Result<std::vector<KernelProcess>> processes() const;
  [[nodiscard]] support::Result<std::vector<KernelTrustlet>> trustlets() const;
  /// "threads", "secure_threads", "handles", "mailboxes", "blobs", "images", "pools", "ranges".
  [[nodiscard]] support::Result<KernelTable> table(std::string_view what) const;

 private:
  const machine::Machine& machine_;
  uint32_t vp_;
  const loader::ImageCatalog& images_;
  const Library& library_;
};

}  // namespace symbols
