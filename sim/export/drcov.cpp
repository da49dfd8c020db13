#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "sim/export/buffered_file.h"
#include "sim/export/export.h"

namespace exporting {
namespace {

/// The instruction may be followed by another one than that behind it: a block ends here.
bool ends_block(const trace::InstructionRecord& record) {
  size_t i = 0;
  const auto prefix = [](uint8_t byte) {
    return byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3 || byte == 0xf0 || byte == 0x2e ||
           byte == 0x36 || byte == 0x3e || byte == 0x26 || byte == 0x64 || byte == 0x65;
  };
  while (i < record.length && prefix(record.bytes[i])) ++i;
  if (record.code_bits == 64 && i < record.length && (record.bytes[i] & 0xf0) == 0x40) ++i;
  if (i >= record.length) return true;
  const uint8_t opcode = record.bytes[i], next = i + 1 < record.length ? record.bytes[i + 1] : uint8_t{0};
  if ((opcode & 0xf0) == 0x70 || (opcode >= 0xe0 && opcode <= 0xe3) || (opcode >= 0xe8 && opcode <= 0xeb)) return true;
  if (opcode == 0xc2 || opcode == 0xc3 || (opcode >= 0xca && opcode <= 0xcf)) return true;
  if (opcode == 0xff) return (next >> 3 & 7) >= 2 && (next >> 3 & 7) <= 5;
  if (opcode != 0x0f) return false;
  return (next & 0xf0) == 0x80 || next == 0x05 || next == 0x07 || next == 0x34 || next == 0x35;
}

class Drcov final : public Exporter {
 public:
  Drcov(container::OutputFile file, loader::ImageCatalog& images) : file_{std::move(file)}, images_{images} {}

  void on(const trace::Record& record) override {
    const auto* executed = std::get_if<trace::InstructionRecord>(&record);
    if (executed == nullptr) return;
    ++instructions_;
    const bool goes_on = size_ != 0 && executed->rip == start_ + size_ && executed->vp == vp_ &&
                         executed->vtl == vtl_ && size_ + executed->length <= 0xffff;
    if (!goes_on) {
      end_block();
      start_ = executed->rip;
      vp_ = executed->vp;
      vtl_ = executed->vtl;
      cr3_ = executed->registers[trace::cr3];
    }
    size_ += executed->length;
    if (ends_block(*executed)) end_block();
  }

  support::Status finish() override {
    end_block();
    if (instructions_ == 0) {
      static_cast<void>(file_.close());
      return support::Error{"there are no instructions to take coverage from"};
    }
    file_.put(std::string_view{"DRCOV VERSION: 2\nDRCOV FLAVOR: drcov-64\n"});
    file_.put(fmt::format("Module Table: version 2, count {}\n", modules_.size()));
    file_.put(std::string_view{"Columns: id, base, end, entry, checksum, timestamp, path\n"});
    for (size_t i = 0; i < modules_.size(); ++i)
      file_.put(fmt::format("{:3}, {:#018x}, {:#018x}, {:#018x}, 0x00000000, 0x00000000, {}\n", i, modules_[i].base,
                            modules_[i].base + modules_[i].size, 0, modules_[i].name));
    file_.put(fmt::format("BB Table: {} bbs\n", blocks_.size()));
    for (const auto& [module, offset, size] : blocks_) {
      const std::array<uint8_t, 8> row{
          static_cast<uint8_t>(offset), static_cast<uint8_t>(offset >> 8), static_cast<uint8_t>(offset >> 16),
          static_cast<uint8_t>(offset >> 24), static_cast<uint8_t>(size), static_cast<uint8_t>(size >> 8),
          static_cast<uint8_t>(module), static_cast<uint8_t>(module >> 8)};
      file_.put(row);
    }
    return file_.close();
  }
  [[nodiscard]] std::string summary() const override {
    return fmt::format("{} blocks of {} modules; {} block executions lie in no image", blocks_.size(), modules_.size(),
                       outside_);
  }

 private:
  struct Module {
    std::string name;
    uint64_t base, size;
  };

  void end_block() {
    const uint32_t size = std::exchange(size_, 0);
    if (size == 0) return;
    // Most blocks were seen a moment ago.
    Recent& recent = recent_[(start_ ^ start_ >> 12) % recent_.size()];
    if (recent.start == start_ && recent.size == size && recent.cr3 == cr3_ && recent.images == images_.images().size())
      return;
    const loader::LoadedImage* image = images_.find(start_, cr3_);
    if (image == nullptr || start_ - image->base > 0xffffffff) {
      ++outside_;
      return;
    }
    recent = {start_, cr3_, size, images_.images().size()};
    auto module = std::find_if(modules_.begin(), modules_.end(),
                               [&](const Module& m) { return m.base == image->base && m.name == image->name; });
    if (module == modules_.end()) {
      if (modules_.size() > 0xffff) return;
      module = modules_.insert(modules_.end(), {image->name, image->base, image->size});
    }
    blocks_.emplace(static_cast<uint32_t>(module - modules_.begin()), static_cast<uint32_t>(start_ - image->base), size);
  }

  struct Recent {
    uint64_t start{}, cr3{};
    uint32_t size{};
    size_t images{};
  };
  BufferedFile file_;
  loader::ImageCatalog& images_;
  std::vector<Module> modules_;
  std::set<std::tuple<uint32_t, uint32_t, uint32_t>> blocks_;
  std::array<Recent, 4096> recent_{};
  uint64_t start_{}, cr3_{}, instructions_{}, outside_{};
  uint32_t size_{}, vp_{};
  abi::hv::Vtl vtl_{};
};

}  // namespace

support::Result<std::unique_ptr<Exporter>> create_drcov(const Options& options, loader::ImageCatalog& images) {
  return std::unique_ptr<Exporter>{new Drcov{TRY(container::OutputFile::create(options.path)), images}};
}

}  // namespace exporting
