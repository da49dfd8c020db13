#include "sim/replay/bookmarks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sim/container/varint.h"
#include "sim/replay/recorder.h"
#include "sim/replay/recording.h"

namespace replay {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

/// The one with that id or the first after it: they ascend.
template <class Bookmarks>
auto place_of(Bookmarks& all, uint64_t id) {
  return std::lower_bound(all.begin(), all.end(), id, [](const Bookmark& each, uint64_t wanted) { return each.id < wanted; });
}

/// What a record of a `mark` chunk says.
enum class MarkAction : uint8_t { Text = 1, Remove = 2 };

Result<std::string> take_text(container::ByteReader& in) {
  const uint64_t size = in.varint();
  const loader::Bytes text = in.take(size <= maximum_text ? size : ~uint64_t{0});
  if (in.failed()) return Error{"its text is malformed"};
  return std::string{reinterpret_cast<const char*>(text.data()), text.size()};
}

std::vector<uint8_t> encode_change(const BookmarkEdit& edit) {
  const bool text = edit.kind == BookmarkEdit::Kind::Change;
  std::vector<uint8_t> out;
  container::put_varint(out, edit.id);
  out.push_back(static_cast<uint8_t>(text ? MarkAction::Text : MarkAction::Remove));
  container::put_varint(out, text ? edit.text.size() : 0);
  if (text) out.insert(out.end(), edit.text.begin(), edit.text.end());
  return out;
}

}  // namespace

std::vector<uint8_t> encode_bookmark(const Bookmark& bookmark) {
  std::vector<uint8_t> out;
  container::put_varint(out, bookmark.at.ticks);
  container::put_varint(out, bookmark.text.size());
  out.insert(out.end(), bookmark.text.begin(), bookmark.text.end());
  return out;
}

// ---- Reading -------------------------------------------------------------------------------------------------------

Status BookmarkList::count_records(uint32_t count) {
  records_ += count;
  if (records_ <= maximum_bookmarks) return Unit{};
  return Error{fmt::format("more than {} bookmarks and changes of them are not read", maximum_bookmarks)};
}

Status BookmarkList::add(loader::Bytes payload, uint32_t count) {
  TRY(count_records(count));
  container::ByteReader in{payload};
  for (uint32_t i = 0; i < count; ++i) {
    const support::Instant at{in.varint()};
    Result<std::string> text = take_text(in);
    if (!text) return Error{fmt::format("bookmark {} of the chunk is malformed", i)};
    all_.push_back({at, std::move(text.value()), ++made_});
  }
  if (!in.at_end()) return Error{"bytes follow the last bookmark of the chunk"};
  return Unit{};
}

Status BookmarkList::change(loader::Bytes payload, uint32_t count) {
  TRY(count_records(count));
  container::ByteReader in{payload};
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t id = in.varint();
    const auto action = static_cast<MarkAction>(in.byte());
    Result<std::string> text = take_text(in);
    if (!text || (action != MarkAction::Text && action != MarkAction::Remove))
      return Error{fmt::format("change {} of the chunk is malformed", i)};
    const auto place = place_of(all_, id);
    if (place == all_.end() || place->id != id)
      return Error{fmt::format("change {} of the chunk is of bookmark {}, which is not there", i, id)};
    if (action == MarkAction::Text) place->text = std::move(text.value());
    else all_.erase(place);
  }
  if (!in.at_end()) return Error{"bytes follow the last change of the chunk"};
  return Unit{};
}

const Bookmark* BookmarkList::find(uint64_t id) const {
  const auto place = place_of(all_, id);
  return place == all_.end() || place->id != id ? nullptr : &*place;
}

// ---- Writing -------------------------------------------------------------------------------------------------------

namespace {

/// Holds off other programs that append, from reading the end of the file until a new end is written.
class FileLock {
 public:
  static Result<FileLock> take(const std::string& path) {
    constexpr int attempts = 200;
    constexpr useconds_t pause = 10'000;  // an append takes about a millisecond
    FileLock lock{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (lock.descriptor_ < 0) return Error{fmt::format("cannot open {}: {}", path, std::strerror(errno))};
    for (int i = 0; ::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0; ++i) {
      if (errno != EWOULDBLOCK && errno != EINTR) return Error{fmt::format("cannot lock {}: {}", path, std::strerror(errno))};
      if (i == attempts) return Error{fmt::format("{}: another program is writing to it", path)};
      ::usleep(pause);
    }
    struct stat locked {}, named {};
    if (::fstat(lock.descriptor_, &locked) != 0 || ::stat(path.c_str(), &named) != 0 || locked.st_ino != named.st_ino ||
        locked.st_dev != named.st_dev || !S_ISREG(locked.st_mode))
      return Error{fmt::format("{}: it was replaced by another file", path)};
    lock.size_ = static_cast<uint64_t>(locked.st_size);
    return lock;
  }
  FileLock(FileLock&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)}, size_{other.size_} {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  /// Of the file, when it was locked.
  [[nodiscard]] uint64_t size() const { return size_; }

 private:
  explicit FileLock(int descriptor) : descriptor_{descriptor} {}
  int descriptor_;
  uint64_t size_{};
};

/// Whether what follows the last whole chunk is the beginning of one that was cut off. Anything else is not overwritten.
bool ends_in_a_cut(const std::string& path, uint64_t from, uint64_t size) {
  container::ChunkHeader header{};
  if (size - from < sizeof header) return true;
  const Result<container::Input> input = container::open_file(path);
  if (!input || input.value()(from, {reinterpret_cast<uint8_t*>(&header), sizeof header}) != sizeof header) return false;
  const loader::Bytes checked = container::bytes_of(header).first(offsetof(container::ChunkHeader, header_checksum));
  const bool sound = header.sync == container::chunk_sync && header.header_checksum == container::checksum(checked);
  return sound && from + sizeof header + container::padded(header.stored_size) > size;
}

bool same_run(const Recording& a, const Recording& b) {
  if (!a.foot() || !b.foot()) return false;
  const Foot &x = *a.foot(), &y = *b.foot();
  return x.end_tick == y.end_tick && x.events == y.events && x.instructions == y.instructions && x.state_low == y.state_low &&
         x.state_high == y.state_high && to_meta(a.facts()) == to_meta(b.facts());
}

Status check(const Recording& recording, const std::string& path, uint64_t size, const BookmarkEdit& edit) {
  if (edit.kind != BookmarkEdit::Kind::Remove && (edit.text.empty() || edit.text.size() > maximum_text))
    return Error{fmt::format("a bookmark's text has 1 to {} bytes", maximum_text)};
  if (!recording.foot()) return Error{fmt::format("{}: {}", path, recording.ending_text())};
  if (recording.size() < size && !ends_in_a_cut(path, recording.size(), size))
    return Error{fmt::format("{}: {}; nothing is written over that", path, recording.ending_text())};
  if (recording.bookmark_list().records() >= maximum_bookmarks)
    return Error{fmt::format("{} has {} bookmarks and changes: no more fit", path, maximum_bookmarks)};
  if (edit.kind == BookmarkEdit::Kind::Add) {
    if (edit.at.ticks <= recording.foot()->end_tick) return Unit{};
    return Error{fmt::format("the recording ends at {}, before the bookmark", recording.foot()->end_tick)};
  }
  if (recording.bookmark_list().find(edit.id) == nullptr) return Error{fmt::format("{} has no bookmark {}", path, edit.id)};
  return Unit{};
}

Status append(const Recording& recording, const std::string& path, const BookmarkEdit& edit) {
  const bool adds = edit.kind == BookmarkEdit::Kind::Add;
  container::Writer file = TRY(container::Writer::extend(path, recording.size(), recording.chunks(), recording.digest(), compression));
  std::vector<IndexEntry> index = recording.index();
  const uint64_t tick = adds ? edit.at.ticks : recording.bookmark_list().find(edit.id)->at.ticks;
  const uint32_t kind = adds ? kind_marks : kind_mark_changes;
  index.push_back({file.size(), kind, 1, tick, tick});
  TRY(file.append(kind, adds ? encode_bookmark({edit.at, edit.text}) : encode_change(edit), {0, 1, tick, tick}));
  return append_end(file, std::move(index), *recording.foot());
}

}  // namespace

Result<SavedBookmark> save_bookmark(const std::string& path, const BookmarkEdit& edit, const Recording* expected) {
  const FileLock lock = TRY(FileLock::take(path));
  const Recording recording = TRY(Recording::open_indexed(path, lock.size()));
  if (expected != nullptr && !same_run(recording, *expected)) return Error{fmt::format("{} is no longer the recording that is debugged", path)};
  TRY(check(recording, path, lock.size(), edit));
  if (const Status status = append(recording, path, edit); !status) {
    // Without what fitted: a bookmark without an index and foot behind it.
    (void)container::OutputFile::extend(path, recording.size());
    return status.error();
  }
  BookmarkList list = recording.bookmark_list();
  const uint64_t id = edit.kind == BookmarkEdit::Kind::Add ? list.next_id() : edit.id;
  const bool adds = edit.kind == BookmarkEdit::Kind::Add;
  TRY(adds ? list.add(encode_bookmark({edit.at, edit.text}), 1) : list.change(encode_change(edit), 1));
  return SavedBookmark{id, list.all()};
}

}  // namespace replay
