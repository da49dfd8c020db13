#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "sim/loader/pe_image.h"
#include "sim/symbols/unwind.h"

namespace symbols {

using support::Error;
using support::Result;

Result<UnwindTable> UnwindTable::parse(loader::Bytes file) {
  const loader::PeImage image = TRY(loader::PeImage::parse(file));
  UnwindTable table;
  const loader::pe::DataDirectory directory = image.directory(loader::Directory::Exception);
  if (directory.size == 0) return table;
  const loader::Bytes records = TRY(image.bytes_at(directory.rva, directory.size, "the exception directory"));
  table.image_.resize(image.optional_header().size_of_image);  // bounded by the image's own check
  const auto place = [&](uint64_t rva, loader::Bytes bytes) {
    if (rva >= table.image_.size()) return;
    std::copy_n(bytes.begin(), std::min<size_t>(bytes.size(), table.image_.size() - static_cast<size_t>(rva)),
                table.image_.begin() + static_cast<ptrdiff_t>(rva));
  };
  place(0, file.first(std::min<size_t>(file.size(), image.optional_header().size_of_headers)));
  for (const loader::PeSection& section : image.sections())
    if (const auto raw = loader::part(file, section.file_offset, std::min(section.file_size, section.virtual_size)))
      place(section.rva, *raw);

  for (uint64_t at = 0; at + sizeof(Entry) <= records.size(); at += sizeof(Entry)) {
    const Entry entry = *loader::read_at<Entry>(records, at);
    if (entry.begin == 0 && entry.end == 0) continue;  // padding
    const uint32_t before = table.entries_.empty() ? 0 : table.entries_.back().end;
    if (entry.begin >= entry.end || entry.begin < before || entry.end > table.image_.size())
      return Error{fmt::format(".pdata entry {} says {:#x} to {:#x}, which no function of this image can be",
                               at / sizeof(Entry), entry.begin, entry.end)};
    table.entries_.push_back(entry);
  }
  return table;
}

const UnwindTable::Entry* UnwindTable::find(uint32_t rva) const {
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), rva,
                                      [](uint32_t value, const Entry& entry) { return value < entry.begin; });
  if (after == entries_.begin() || rva >= std::prev(after)->end) return nullptr;
  return &*std::prev(after);
}

loader::Bytes UnwindTable::bytes(uint32_t rva, size_t count) const {
  if (rva >= image_.size()) return {};
  return loader::Bytes{image_}.subspan(rva, std::min(count, image_.size() - rva));
}

}  // namespace symbols
