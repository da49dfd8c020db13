#include "sim/symbols/kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <tuple>

#include "sim/machine/machine.h"

namespace symbols {
namespace {

using support::Error;
using support::Result;
using vtl::Vtl;

constexpr size_t most_objects = 4096, most_blocks = 65536;
constexpr uint64_t most_pages = uint64_t{1} << 24;  // of a page frame database: 64 GiB
constexpr std::string_view nt_image = "ntoskrnl.exe", secure_image = "securekernel.exe";

std::string hex(std::optional<uint64_t> value) { return value ? fmt::format("{:#x}", *value) : "?"; }
std::string decimal(std::optional<uint64_t> value) { return value ? fmt::format("{}", *value) : "?"; }

/// An address by its symbol, where it has one.
std::string named(const loader::ImageCatalog& images, std::optional<uint64_t> address) {
  const std::string name = address ? images.describe(*address) : "";
  return name.empty() ? hex(address) : name;
}

/// "{00112233-4455-6677-8899-aabbccddeeff}": four little-endian parts, as GUIDs are written.
std::string guid(const std::vector<uint8_t>& bytes) {
  if (bytes.size() != 16) return "?";
  const auto at = [&](size_t i) { return bytes[i]; };
  std::string out = fmt::format("{{{:02x}{:02x}{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}-{:02x}{:02x}-", at(3), at(2),
                                at(1), at(0), at(5), at(4), at(7), at(6), at(8), at(9));
  for (size_t i = 10; i < 16; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out + "}";
}

/// Walks a list from `first` over the pointer `next`. False if it has a circle or no end.
template <class Each>
bool walk(std::optional<Object> first, std::string_view next, const Each& each, size_t most = most_objects) {
  std::set<uint64_t> seen;
  for (; first; first = first->follow(next)) {
    if (seen.size() == most || !seen.insert(first->address()).second) return false;
    each(*first);
  }
  return true;
}

/// The objects that an array of pointers names.
template <class Each>
void each_pointer(const std::optional<Object>& array, uint64_t count, const Each& each) {
  if (!array) return;
  for (uint64_t i = 0; i < std::min<uint64_t>(count, most_objects); ++i)
    if (const auto object = array->follow(fmt::format("[{}]", i))) each(i, *object);
}

}  // namespace

/// One kernel in memory: where its globals are, and their types.
class Kernels::Kernel {
 public:
  /// Nothing if the image is not there yet.
  static std::optional<Kernel> find(const Kernels& kernels, std::string_view name, Vtl vtl) {
    const auto& images = kernels.images_.images();
    const auto image = std::find_if(images.rbegin(), images.rend(), [&](const auto& one) { return one.name == name; });
    if (image == images.rend()) return std::nullopt;
    return Kernel{image->name, image->base, kernels.library_.of(image->name),
                  reader_of(kernels.machine_, kernels.vp_, vtl)};
  }

  [[nodiscard]] const TypeTable& types() const { return symbols_->types; }
  [[nodiscard]] bool has_types() const { return symbols_->has_pdb; }
  [[nodiscard]] std::string no_types() const {
    return fmt::format("{} has no PDB, which says where its lists are", name_);
  }

  /// The global of that name whose type is, points to or consists of (pointers to) `type`.
  [[nodiscard]] std::optional<Object> global(std::string_view name, std::string_view type) const {
    const auto wanted = types().find(type);
    for (const Datum* datum : symbols_->functions.find_data(name)) {
      TypeIndex at = types().resolve(datum->type);
      for (int depth = 0; depth < 3 && wanted && at != *wanted && types().target(at) != 0; ++depth)
        at = types().resolve(types().target(at));
      if (wanted ? at == *wanted : types().text(datum->type) == type)
        return Object{types(), datum->type, base_ + datum->rva, *read_};
    }
    return std::nullopt;
  }
  [[nodiscard]] uint64_t count(const Object& array) const { return types().count(array.type()); }
  [[nodiscard]] Object at(TypeIndex type, uint64_t address) const { return {types(), type, address, *read_}; }
  [[nodiscard]] const ReadMemory& read() const { return *read_; }

 private:
  Kernel(std::string name, uint64_t base, const ImageSymbols& symbols, ReadMemory read)
      : name_{std::move(name)}, base_{base}, symbols_{&symbols}, read_{std::make_shared<ReadMemory>(std::move(read))} {}

  std::string name_;
  uint64_t base_;
  const ImageSymbols* symbols_;
  std::shared_ptr<ReadMemory> read_;  ///< objects refer to it
};

Kernels::Kernels(const machine::Machine& machine, uint32_t vp, const loader::ImageCatalog& images,
                 const Library& library)
    : machine_{machine}, vp_{vp}, images_{images}, library_{library} {}

bool Kernels::each_nt_process(const Kernel& nt, const std::function<void(const Object&)>& each) const {
  const auto list = nt.global("process_list", "EPROCESS");
  return walk(list ? list->follow() : std::nullopt, "next", each);
}

void Kernels::each_secure_process(const Kernel& sk, const std::function<void(const Object&)>& each) const {
  const auto table = sk.global("processes", "SkProcess");
  if (table) each_pointer(table, sk.count(*table), [&](uint64_t, const Object& process) { each(process); });
}

Result<std::vector<KernelProcess>> Kernels::processes() const {
  std::vector<KernelProcess> out;
  const vtl::VirtualProcessor& vp = machine_.processor(vp_);
  if (const auto nt = Kernel::find(*this, nt_image, Vtl::Vtl0)) {
    if (!nt->has_types()) return Error{nt->no_types()};
    const bool whole = each_nt_process(*nt, [&](const Object& process) {
      KernelProcess one{process.text("name").value_or("?"), Vtl::Vtl0, process.number("pid").value_or(0),
                        process.number("directory_table_base").value_or(0), process.number("secure_pid").value_or(0),
                        process.address(), false};
      one.current = one.cr3 != 0 && one.cr3 == vp.contexts[Vtl::Vtl0].cr3;
      out.push_back(std::move(one));
    });
    if (!whole) return Error{fmt::format("NTOS's processes form no list that ends within {}", most_objects)};
  }
  if (const auto sk = Kernel::find(*this, secure_image, Vtl::Vtl1)) {
    if (!sk->has_types()) return Error{sk->no_types()};
    each_secure_process(*sk, [&](const Object& process) {
      KernelProcess one{secure_name(process),
                        Vtl::Vtl1,
                        process.number("process_id").value_or(0),
                        process.number("root").value_or(0),
                        process.number("secure_pid").value_or(0),
                        process.address(),
                        false};
      one.current = one.cr3 != 0 && one.cr3 == vp.contexts[Vtl::Vtl1].cr3;
      out.push_back(std::move(one));
    });
  }
  return out;
}

std::string Kernels::secure_name(const Object& process) {
  if (process.number("system_process").value_or(0) != 0) return "Secure System";
  return process.text("name").value_or("?");
}

Result<std::vector<KernelTrustlet>> Kernels::trustlets() const {
  std::vector<KernelTrustlet> out;
  const auto sk = Kernel::find(*this, secure_image, Vtl::Vtl1);
  if (!sk) return out;
  if (!sk->has_types()) return Error{sk->no_types()};
  each_secure_process(*sk, [&](const Object& process) {
    if (process.number("system_process").value_or(0) != 0) return;
    KernelTrustlet one{secure_name(process),
                       process.number("trustlet_id").value_or(0),
                       process.number("process_id").value_or(0),
                       process.number("root").value_or(0),
                       process.address(),
                       process.number("secure_pid").value_or(0),
                       fields_of(sk->types(), process.type(), process.address(), sk->read())};
    out.push_back(std::move(one));
  });
  return out;
}

Result<KernelTable> Kernels::table(std::string_view what) const {
  using Reader = KernelTable (Kernels::*)(const Kernel&) const;
  struct Row {
    std::string_view what, image;
    Vtl vtl;
    Reader read;
  };
  static constexpr Row rows[] = {
      {"threads", nt_image, Vtl::Vtl0, &Kernels::threads},
      {"secure_threads", secure_image, Vtl::Vtl1, &Kernels::secure_threads},
      {"handles", secure_image, Vtl::Vtl1, &Kernels::handles},
      {"mailboxes", secure_image, Vtl::Vtl1, &Kernels::mailboxes},
      {"blobs", secure_image, Vtl::Vtl1, &Kernels::blobs},
      {"images", secure_image, Vtl::Vtl1, &Kernels::secure_images},
      {"pools", secure_image, Vtl::Vtl1, &Kernels::pools},
      {"ranges", secure_image, Vtl::Vtl1, &Kernels::ranges},
  };
  const auto row = std::find_if(std::begin(rows), std::end(rows), [&](const Row& one) { return one.what == what; });
  if (row == std::end(rows))
    return Error{fmt::format("there is no table \"{}\"", loader::printable(what.substr(0, 64)))};
  const auto kernel = Kernel::find(*this, row->image, row->vtl);
  if (!kernel) return Error{fmt::format("{} is not loaded", row->image)};
  if (!kernel->has_types()) return Error{kernel->no_types()};
  return (this->*row->read)(*kernel);
}

KernelTable Kernels::threads(const Kernel& nt) const {
  KernelTable out{{"tid", "process", "state", "mode", "secure cookie", "stack", "start"}, {}, {}};
  const bool whole = each_nt_process(nt, [&](const Object& process) {
    const std::string name = process.text("name").value_or("?");
    const bool all = walk(process.follow("threads"), "next_in_process", [&](const Object& thread) {
      const auto cookie = thread.number("secure_thread_cookie");
      out.rows.push_back({{decimal(thread.number("tid")), name, thread.name("state"), thread.name("previous_mode"),
                           cookie.value_or(0) == 0 ? "" : hex(cookie), hex(thread.number("kernel_stack")),
                           named(images_, thread.number("start"))},
                          thread.address()});
    });
    if (!all) out.complaint = fmt::format("the threads of {} form no list that ends", name);
  });
  if (!whole) out.complaint = "the processes form no list that ends";
  return out;
}

KernelTable Kernels::secure_threads(const Kernel& sk) const {
  KernelTable out{
      {"cookie", "process", "state", "tid", "mode", "nesting", "saved rsp", "normal thread", "teb"}, {}, {}};
  const auto table = sk.global("table", "SkThread");
  if (!table) return {out.columns, {}, "the secure kernel's PDB names no table of threads"};
  each_pointer(table, sk.count(*table), [&](uint64_t, const Object& thread) {
    const auto process = thread.follow("process");
    out.rows.push_back(
        {{hex(thread.number("cookie")), process ? secure_name(*process) : "(pool)", thread.name("state"),
          decimal(thread.number("tid")), thread.name("previous_mode"), decimal(thread.number("nesting")),
          hex(thread.number("saved_rsp")), hex(thread.number("normal_thread")), hex(thread.number("teb"))},
         thread.address()});
  });
  return out;
}

bool Kernels::each_handle(const Kernel& sk,
                          const std::function<void(const Object& header, const Object& body)>& each) const {
  const auto table = sk.global("table", "ObjectHeader");
  if (!table) return false;
  each_pointer(table, sk.count(*table), [&](uint64_t, const Object& header) {
    // What a handle names lies behind the header; which structure that is stands in it.
    const std::string type = header.name("type");
    const auto body = sk.types().find(type == "Process"      ? "SkProcess"
                                      : type == "Allocation" ? "SecureAllocation"
                                                             : "SecureImage");
    each(header, sk.at(body.value_or(0), header.address() + header.size()));
  });
  return true;
}

KernelTable Kernels::handles(const Kernel& sk) const {
  KernelTable out{{"handle", "type", "references", "object"}, {}, {}};
  const bool found = each_handle(sk, [&](const Object& header, const Object& body) {
    const std::string type = header.name("type");
    std::string object;
    if (type == "Process") object = secure_name(body);
    if (type == "Allocation") object = fmt::format("{} bytes", decimal(body.number("size")));
    if (type == "Image") {
      const auto base = body.number("base");
      const loader::LoadedImage* image = base.value_or(0) != 0 ? images_.find(*base) : nullptr;
      object = fmt::format("{}, {} bytes", image != nullptr ? image->name : body.name("kind"), decimal(body.number("file_size")));
      if (base.value_or(0) != 0) object += fmt::format(" at {}", hex(base));
    }
    out.rows.push_back(
        {{hex(header.number("handle")), type, decimal(header.number("references")), object}, body.address()});
  });
  if (!found) out.complaint = "the secure kernel's PDB names no table of handles";
  return out;
}

KernelTable Kernels::mailboxes(const Kernel& sk) const {
  KernelTable out{{"process", "slot", "bytes"}, {}, {}};
  each_secure_process(sk, [&](const Object& process) {
    const auto slots = process.part("mailboxes");
    if (!slots) return;
    each_pointer(slots, sk.count(*slots), [&](uint64_t slot, const Object& mailbox) {
      out.rows.push_back({{secure_name(process), decimal(slot), decimal(mailbox.number("size"))}, mailbox.address()});
    });
  });
  return out;
}

KernelTable Kernels::blobs(const Kernel& sk) const {
  KernelTable out{{"instance", "id", "bytes"}, {}, {}};
  const auto list = sk.global("blob_list", "BlobEntry");
  const bool whole = walk(list ? list->follow() : std::nullopt, "next", [&](const Object& entry) {
    const auto page = entry.follow("page");
    out.rows.push_back({{guid(entry.bytes("instance")), page ? decimal(page->number("id")) : "?",
                         page ? decimal(page->number("size")) : "?"},
                        page ? page->address() : entry.address()});
  });
  if (!list) out.complaint = "the secure kernel's PDB names no list of blobs";
  if (!whole) out.complaint = "the blobs form no list that ends";
  return out;
}

KernelTable Kernels::secure_images(const Kernel& sk) const {
  KernelTable out{{"handle", "kind", "base", "file bytes", "accepted", "relocated", "pages in use"}, {}, {}};
  const bool found = each_handle(sk, [&](const Object& header, const Object& body) {
    if (header.name("type") != "Image") return;
    const auto word = [&](std::string_view path) { return body.number(path).value_or(0) != 0 ? "yes" : "no"; };
    out.rows.push_back({{hex(header.number("handle")), body.name("kind"), hex(body.number("base")),
                         decimal(body.number("file_size")), word("accepted"), word("relocated"), word("pages_in_use")},
                        body.address()});
  });
  if (!found) out.complaint = "the secure kernel's PDB names no table of handles";
  return out;
}

/// The size of the pool blocks that each page was cut into, by page number; 0 for other pages. Fewer than all pages
/// where the database cannot be read.
std::vector<uint64_t> Kernels::page_classes(const Kernel& sk) const {
  std::vector<uint64_t> out;
  const auto database = sk.global("database", "Pfn");
  const auto length = sk.global("database_pages", "uint64_t");
  const auto first = database ? database->follow() : std::nullopt;
  const auto field = first ? first->part("size_class") : std::nullopt;
  if (!field || !length || field->size() > sizeof(uint64_t)) return out;
  const uint64_t count = std::min(length->number().value_or(0), most_pages);
  const uint64_t record = first->size(), at = field->address() - first->address();
  constexpr uint64_t batch = 1024;
  std::vector<uint8_t> bytes;
  for (uint64_t i = 0; i < count; i += batch) {
    bytes.resize(static_cast<size_t>(record * std::min(batch, count - i)));
    if (sk.read()(first->address() + i * record, bytes) != Reach::Read) break;
    for (uint64_t offset = at; offset + field->size() <= bytes.size(); offset += record) {
      uint64_t size = 0;
      std::memcpy(&size, bytes.data() + offset, static_cast<size_t>(field->size()));
      out.push_back(size);
    }
  }
  return out;
}

KernelTable Kernels::pools(const Kernel& sk) const {
  KernelTable out{{"block bytes", "pages", "blocks", "free"}, {}, {}};
  struct Class {
    uint64_t pages{}, free{};
  };
  std::map<uint64_t, Class> classes;
  const std::vector<uint64_t> pages = page_classes(sk);
  for (const uint64_t size : pages)
    if (size != 0) ++classes[size].pages;
  const auto lists = sk.global("free_lists", "FreeBlock");
  const auto window = sk.global("SkmmDirectMap", "uint64_t");  // where physical memory is mapped
  const uint64_t start = window ? window->number().value_or(0) : 0;
  if (pages.empty() || !lists || start == 0)
    return {out.columns, {}, "the page frame database or the pool's lists cannot be found"};
  each_pointer(lists, sk.count(*lists), [&](uint64_t list, const Object& block) {
    const uint64_t page = (block.address() - start) / abi::page_size;
    uint64_t blocks = 0;
    const bool whole = walk(block, "next", [&](const Object&) { ++blocks; }, most_blocks);
    if (!whole) out.complaint = fmt::format("free list {} does not end within {} blocks", list, most_blocks);
    if (page < pages.size() && pages[page] != 0) classes[pages[page]].free += blocks;
    else out.complaint = fmt::format("free list {} begins outside the pool", list);
  });
  for (const auto& [size, one] : classes)
    out.rows.push_back(
        {{decimal(size), decimal(one.pages), decimal(one.pages * abi::page_size / size), decimal(one.free)}, {}});
  return out;
}

/// Collects objects of one world; what is absurd is none.
class Kernels::Owners {
 public:
  Owners(std::vector<KernelObject>& list, Vtl vtl) : list_{list}, vtl_{vtl} {}

  void add(uint64_t address, uint64_t size, std::string text, uint64_t cr3 = 0) {
    if (address == 0 || size == 0 || size > largest_object || address + size < address) return;
    list_.push_back({address, size, vtl_, cr3, std::move(text)});
  }
  void add(const Object& object, std::string text) { add(object.address(), object.size(), std::move(text)); }
  /// From what one member says to what another one does.
  void add_between(const Object& object, std::string_view from, std::string_view to, std::string text, uint64_t cr3 = 0) {
    const uint64_t first = object.number(from).value_or(0), end = object.number(to).value_or(0);
    if (end > first) add(first, end - first, std::move(text), cr3);
  }

 private:
  std::vector<KernelObject>& list_;
  Vtl vtl_;
};

void Kernels::nt_objects(const Kernel& nt, Owners& owners) const {
  (void)each_nt_process(nt, [&](const Object& process) {
    const std::string name = process.text("name").value_or("?");
    owners.add(process, fmt::format("EPROCESS of {}", name));
    (void)walk(process.follow("threads"), "next_in_process", [&](const Object& thread) {
      const std::string who = fmt::format("thread {} of {}", decimal(thread.number("tid")), name);
      owners.add(thread, fmt::format("KTHREAD: {}", who));
      owners.add_between(thread, "stack_limit", "stack_top", fmt::format("kernel stack of {}", who));
    });
  });
}

void Kernels::secure_objects(const Kernel& sk, Owners& owners) const {
  each_secure_process(sk, [&](const Object& process) {
    const std::string name = secure_name(process);
    const uint64_t cr3 = process.number("root").value_or(0);
    owners.add(process, fmt::format("SKPROCESS of {}", name));
    (void)walk(process.follow("ranges"), "next", [&](const Object& range) {
      const uint64_t pages = std::min(range.number("pages").value_or(0), largest_object / abi::page_size);
      owners.add(range.number("base").value_or(0), pages * abi::page_size, fmt::format("memory that {} allocated", name), cr3);
    });
    const auto slots = process.part("mailboxes");
    if (!slots) return;
    each_pointer(slots, sk.count(*slots), [&](uint64_t slot, const Object& mailbox) {
      owners.add(mailbox.address(), mailbox.size() + std::min(mailbox.number("size").value_or(0), largest_object),
                 fmt::format("mailbox {} of {}", slot, name));
    });
  });
  if (const auto table = sk.global("table", "SkThread")) {
    each_pointer(table, sk.count(*table), [&](uint64_t, const Object& thread) {
      const auto process = thread.follow("process");
      const std::string who = fmt::format("secure thread {} of {}", hex(thread.number("cookie")), process ? secure_name(*process) : "the pool");
      owners.add(thread, fmt::format("SKTHREAD: {}", who));
      owners.add_between(thread, "stack_base", "stack_top", fmt::format("kernel stack of {}", who));
      if (process)
        owners.add_between(thread, "user_stack_base", "user_stack_top", fmt::format("user stack of {}", who), process->number("root").value_or(0));
    });
  }
  const auto list = sk.global("blob_list", "BlobEntry");
  (void)walk(list ? list->follow() : std::nullopt, "next", [&](const Object& entry) {
    if (const auto page = entry.follow("page")) owners.add(page->address(), abi::page_size, fmt::format("storage blob {} of {}", decimal(page->number("id")), guid(entry.bytes("instance"))));
  });
}

std::vector<KernelObject> Kernels::objects() const {
  std::vector<KernelObject> out;
  if (const auto nt = Kernel::find(*this, nt_image, Vtl::Vtl0); nt && nt->has_types()) {
    Owners owners{out, Vtl::Vtl0};
    nt_objects(*nt, owners);
  }
  if (const auto sk = Kernel::find(*this, secure_image, Vtl::Vtl1); sk && sk->has_types()) {
    Owners owners{out, Vtl::Vtl1};
    secure_objects(*sk, owners);
  }
  return out;
}

std::string Kernels::page_state(uint64_t page_number) const {
  const auto sk = Kernel::find(*this, secure_image, Vtl::Vtl1);
  if (!sk || !sk->has_types()) return "";
  const auto database = sk->global("database", "Pfn");
  const auto length = sk->global("database_pages", "uint64_t");
  const auto first = database ? database->follow() : std::nullopt;
  if (!first || !length || page_number >= std::min(length->number().value_or(0), most_pages)) return "";
  const Object page = sk->at(first->type(), first->address() + page_number * first->size());
  return page.number("state") ? page.name("state") : "";
}

std::vector<const KernelObject*> objects_at(const std::vector<KernelObject>& objects, Vtl vtl, uint64_t cr3, uint64_t address) {
  std::vector<const KernelObject*> found;
  for (const KernelObject& one : objects) {
    const bool visible = one.cr3 == 0 || one.cr3 >> 12 == cr3 >> 12;
    if (one.vtl == vtl && visible && address - one.address < one.size) found.push_back(&one);
  }
  std::sort(found.begin(), found.end(), [](const KernelObject* a, const KernelObject* b) {
    return std::tie(a->size, a->address, a->text) < std::tie(b->size, b->address, b->text);
  });
  return found;
}

KernelTable Kernels::ranges(const Kernel& sk) const {
  KernelTable out{{"process", "from", "to", "pages", "what"}, {}, {}};
  std::multimap<uint64_t, std::pair<uint64_t, std::string_view>> of_threads;  // by process
  if (const auto threads = sk.global("table", "SkThread"))
    each_pointer(threads, sk.count(*threads), [&](uint64_t, const Object& thread) {
      const uint64_t process = thread.number("process").value_or(0);
      of_threads.emplace(process, std::pair{thread.number("user_stack_base").value_or(0), "stack"});
      of_threads.emplace(process, std::pair{thread.number("teb").value_or(0), "TEB"});
    });
  each_secure_process(sk, [&](const Object& process) {
    std::vector<std::pair<uint64_t, std::string_view>> known{{process.number("image_base").value_or(0), "image"},
                                                             {process.number("peb").value_or(0), "PEB"}};
    const auto [first, end] = of_threads.equal_range(process.address());
    for (auto one = first; one != end; ++one) known.push_back(one->second);
    const bool whole = walk(process.follow("ranges"), "next", [&](const Object& range) {
      const auto base = range.number("base"), pages = range.number("pages");
      const uint64_t bytes = pages.value_or(0) * abi::page_size;
      const auto what = std::find_if(known.begin(), known.end(), [&](const auto& one) {
        return one.first != 0 && one.first - base.value_or(0) < bytes;
      });
      out.rows.push_back({{secure_name(process), hex(base), hex(base.value_or(0) + bytes), decimal(pages),
                           what != known.end() ? std::string{what->second} : ""},
                          range.address()});
    });
    if (!whole) out.complaint = fmt::format("the ranges of {} form no list that ends", secure_name(process));
  });
  return out;
}

}  // namespace symbols
