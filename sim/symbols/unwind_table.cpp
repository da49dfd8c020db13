#include <fmt/format.h>

#include <algorithm>

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
  const uint32_t image_size = image.optional_header().size_of_image;
  table.file_.assign(file.begin(), file.end());
  table.parts_.push_back({0, 0, image.optional_header().size_of_headers});
  for (const loader::PeSection& section : image.sections())
    table.parts_.push_back({section.rva, section.file_offset, std::min(section.file_size, section.virtual_size)});

  for (uint64_t at = 0; at + sizeof(Entry) <= records.size(); at += sizeof(Entry)) {
    const Entry entry = *loader::read_at<Entry>(records, at);
    if (entry.begin == 0 && entry.end == 0) continue;  // padding
    const uint32_t before = table.entries_.empty() ? 0 : table.entries_.back().end;
    if (entry.begin >= entry.end || entry.begin < before || entry.end > image_size)
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
  const auto after = std::upper_bound(parts_.begin(), parts_.end(), rva,
                                      [](uint32_t value, const Part& part) { return value < part.rva; });
  if (after == parts_.begin()) return {};
  const Part& part = *std::prev(after);
  if (rva - part.rva >= part.size) return {};
  const auto all = loader::part(file_, part.offset, part.size);
  return all ? all->subspan(rva - part.rva, std::min<size_t>(count, part.size - (rva - part.rva))) : loader::Bytes{};
}

}  // namespace symbols
