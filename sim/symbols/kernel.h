#pragma once
// What the kernels keep, read from their memory by the types and global symbols of their PDBs: no offset stands here.
// Memory is read as VTL 1 sees it. Lists may be torn, circular or endless: each walk has a limit and says when it met
// it.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/image_catalog.h"
#include "sim/support/result.h"
#include "sim/symbols/library.h"
#include "sim/symbols/owners.h"
#include "sim/symbols/structures.h"
#include "vtl/virtual_processor.h"

namespace machine {
class Machine;
}

namespace symbols {

/// As record Process of sim/rpc/methods.def.
struct KernelProcess {
  std::string name;
  vtl::Vtl vtl{};
  uint64_t pid{}, cr3{}, secure_handle{}, object{};
  bool current{};
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

class Kernels {
 public:
  /// Looks at one moment: `images` and the machine must be of it. All must outlive this.
  Kernels(const machine::Machine& machine, uint32_t vp, const loader::ImageCatalog& images, const Library& library);

  /// Of both kernels. Errors: a kernel runs and its list cannot be found or read.
  [[nodiscard]] support::Result<std::vector<KernelProcess>> processes() const;
  [[nodiscard]] support::Result<std::vector<KernelTrustlet>> trustlets() const;
  /// "threads", "secure_threads", "handles", "mailboxes", "blobs", "images", "pools", "ranges".
  [[nodiscard]] support::Result<KernelTable> table(std::string_view what) const;
  /// Processes, threads, stacks, mailboxes, blobs, memory of trustlets: as many as their lists name. Empty where no kernel is.
  [[nodiscard]] std::vector<KernelObject> objects() const;
  /// What the secure kernel's page frame database says of a page: "Shared", "Secured" ...; empty where it says nothing.
  [[nodiscard]] std::string page_state(uint64_t page_number) const;

 private:
  class Kernel;
  class Owners;
  void nt_objects(const Kernel& nt, Owners& owners) const;
  void secure_objects(const Kernel& sk, Owners& owners) const;
  [[nodiscard]] bool each_nt_process(const Kernel& nt, const std::function<void(const Object&)>& each) const;
  void each_secure_process(const Kernel& sk, const std::function<void(const Object&)>& each) const;
  [[nodiscard]] bool each_handle(const Kernel& sk,
                                 const std::function<void(const Object& header, const Object& body)>& each) const;
  [[nodiscard]] static std::string secure_name(const Object& process);
  [[nodiscard]] std::vector<uint64_t> page_classes(const Kernel& sk) const;

  [[nodiscard]] KernelTable threads(const Kernel& nt) const;
  [[nodiscard]] KernelTable secure_threads(const Kernel& sk) const;
  [[nodiscard]] KernelTable handles(const Kernel& sk) const;
  [[nodiscard]] KernelTable mailboxes(const Kernel& sk) const;
  [[nodiscard]] KernelTable blobs(const Kernel& sk) const;
  [[nodiscard]] KernelTable secure_images(const Kernel& sk) const;
  [[nodiscard]] KernelTable pools(const Kernel& sk) const;
  [[nodiscard]] KernelTable ranges(const Kernel& sk) const;

  const machine::Machine& machine_;
  uint32_t vp_;
  const loader::ImageCatalog& images_;
  const Library& library_;
};

}  // namespace symbols
