#pragma once
// The bookmarks of a session: those of its recording, and what could not be written there.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/replay/recording.h"

namespace rpc {

/// Nothing is lost when the file cannot be written: the change is kept for the session, and a complaint says so.
class BookmarkShelf {
 public:
  /// `run` is the recording at `path`, which outlives this; null: a live machine, whose bookmarks go with the session.
  BookmarkShelf(const replay::Recording* run, std::string path);

  struct Done {
    uint64_t id{};
    bool saved{};  ///< in the recording
  };
  /// `recorded`: the instant is one of the recording, not of a branch. Errors: the text is empty or longer than
  /// replay::maximum_text, or the recording ends before `at`.
  [[nodiscard]] support::Result<Done> add(support::Instant at, const std::string& text, bool recorded);
  /// Errors: the text; there is no such bookmark.
  [[nodiscard]] support::Result<Done> change(uint64_t id, const std::string& text);
  [[nodiscard]] support::Result<Done> remove(uint64_t id);

  /// By id: those of the file, then those of the session.
  [[nodiscard]] std::vector<replay::Bookmark> all() const;
  [[nodiscard]] std::optional<replay::Bookmark> find(uint64_t id) const;
  /// Why bookmarks are kept in the session only; empty: none is, or the machine is live.
  [[nodiscard]] std::string complaint() const;

 private:
  /// Ids from here on are the session's: a file has none as high.
  static constexpr uint64_t first_own_id = 1'000'000;
  static_assert(first_own_id > replay::maximum_bookmarks);
  [[nodiscard]] std::optional<uint64_t> save(const replay::BookmarkEdit& edit);

  const replay::Recording* run_;
  std::string path_;
  std::vector<replay::Bookmark> saved_;                          ///< as the file has them
  std::map<uint64_t, std::optional<replay::Bookmark>> unsaved_;  ///< instead of, or beside, those; nothing: removed
  uint64_t next_id_{first_own_id};
  std::string why_;  ///< the last failure to write
};

}  // namespace rpc
