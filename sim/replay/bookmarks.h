#pragma once
// Bookmarks of a recording: how they lie in the file, and how one is added, changed or removed in a file that others read.
#include <cstdint>
#include <string>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/support/instant.h"
#include "sim/support/result.h"

namespace replay {

/// A place that somebody marked. The nth one that a file was given has the id n for as long as it is there.
struct Bookmark {
  support::Instant at;
  std::string text;  ///< 1 to maximum_text bytes
  uint64_t id{};
  friend bool operator==(const Bookmark&, const Bookmark&) = default;
};

/// A record of a BOOK chunk.
[[nodiscard]] std::vector<uint8_t> encode_bookmark(const Bookmark& bookmark);

/// The bookmarks of a file, while its chunks are read in their order.
class BookmarkList {
 public:
  /// Takes a BOOK chunk of `count` records.
  support::Status add(loader::Bytes payload, uint32_t count);
  /// Takes a `mark` chunk: what became of bookmarks.
  support::Status change(loader::Bytes payload, uint32_t count);
  /// In the order in which they were made.
  [[nodiscard]] const std::vector<Bookmark>& all() const { return all_; }
  /// Null if there is none with that id.
  [[nodiscard]] const Bookmark* find(uint64_t id) const;
  /// The id that the next one gets.
  [[nodiscard]] uint64_t next_id() const { return made_ + 1; }
  /// Records so far, of both kinds: at most maximum_bookmarks.
  [[nodiscard]] uint64_t records() const { return records_; }

 private:
  support::Status count_records(uint32_t count);
  std::vector<Bookmark> all_;
  uint64_t made_{}, records_{};
};

/// What is to become of a bookmark.
struct BookmarkEdit {
  enum class Kind : uint8_t { Add, Change, Remove } kind{};
  uint64_t id{};        ///< of Change and Remove
  support::Instant at;  ///< of Add
  std::string text;     ///< of Add and Change
};

struct SavedBookmark {
  uint64_t id{};
  std::vector<Bookmark> all;  ///< that the file has now, those of other programs too
};

class Recording;

/// Appends to a recording that was closed in good order, which gets a new index and foot; whoever has it open for reading is
/// not disturbed. Two programs take turns. What a crash cut off in the middle of an earlier one is overwritten. Errors leave
/// the file as it was: no such file or bookmark, not closed in good order, damaged, not writable, disk full, another program
/// holds it for seconds, or it is not the run of `expected` (null: whichever it is).
[[nodiscard]] support::Result<SavedBookmark> save_bookmark(const std::string& path, const BookmarkEdit& edit,
                                                           const Recording* expected = nullptr);

}  // namespace replay
