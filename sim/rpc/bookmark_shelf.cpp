#include "sim/rpc/bookmark_shelf.h"

#include <fmt/format.h>

namespace rpc {

using replay::Bookmark;
using replay::BookmarkEdit;
using support::Error;
using support::Result;
using support::Status;

namespace {

Status check_text(const std::string& text) {
  if (!text.empty() && text.size() <= replay::maximum_text) return support::Unit{};
  return Error{fmt::format("a bookmark's text has 1 to {} bytes", replay::maximum_text)};
}

}  // namespace

BookmarkShelf::BookmarkShelf(const replay::Recording* run, std::string path) : run_{run}, path_{std::move(path)} {
  if (run_ != nullptr) saved_ = run_->bookmarks();
}

/// The id in the file; nothing if it cannot be written there.
std::optional<uint64_t> BookmarkShelf::save(const BookmarkEdit& edit) {
  if (run_ == nullptr) return std::nullopt;
  Result<replay::SavedBookmark> done = replay::save_bookmark(path_, edit, run_);
  if (!done) {
    why_ = done.error().message;
    return std::nullopt;
  }
  saved_ = std::move(done.value().all);
  return done.value().id;
}

Result<BookmarkShelf::Done> BookmarkShelf::add(support::Instant at, const std::string& text, bool recorded) {
  TRY(check_text(text));
  if (recorded && run_ != nullptr && at > run_->end())
    return Error{fmt::format("the recording ends at {}, before the bookmark", run_->end().ticks)};
  if (recorded)
    if (const auto id = save({BookmarkEdit::Kind::Add, 0, at, text})) return Done{*id, true};
  const uint64_t id = next_id_++;
  unsaved_[id] = Bookmark{at, text, id};
  return Done{id, false};
}

Result<BookmarkShelf::Done> BookmarkShelf::change(uint64_t id, const std::string& text) {
  TRY(check_text(text));
  std::optional<Bookmark> bookmark = find(id);
  if (!bookmark) return Error{fmt::format("there is no bookmark {}", id)};
  const bool saved = id < first_own_id && save({BookmarkEdit::Kind::Change, id, {}, text}).has_value();
  bookmark->text = text;
  if (saved) unsaved_.erase(id);
  else unsaved_[id] = std::move(bookmark);
  return Done{id, saved};
}

Result<BookmarkShelf::Done> BookmarkShelf::remove(uint64_t id) {
  if (!find(id)) return Error{fmt::format("there is no bookmark {}", id)};
  const bool own = id >= first_own_id;
  const bool saved = !own && save({BookmarkEdit::Kind::Remove, id, {}, ""}).has_value();
  if (own || saved) unsaved_.erase(id);
  else unsaved_[id] = std::nullopt;
  return Done{id, saved};
}

std::vector<Bookmark> BookmarkShelf::all() const {
  std::map<uint64_t, Bookmark> by_id;
  for (const Bookmark& bookmark : saved_) by_id[bookmark.id] = bookmark;
  for (const auto& [id, bookmark] : unsaved_) {
    if (bookmark) by_id[id] = *bookmark;
    else by_id.erase(id);
  }
  std::vector<Bookmark> list;
  for (auto& [id, bookmark] : by_id) list.push_back(std::move(bookmark));
  return list;
}

std::optional<Bookmark> BookmarkShelf::find(uint64_t id) const {
  if (const auto own = unsaved_.find(id); own != unsaved_.end()) return own->second;
  for (const Bookmark& bookmark : saved_)
    if (bookmark.id == id) return bookmark;
  return std::nullopt;
}

std::string BookmarkShelf::complaint() const {
  if (unsaved_.empty() || why_.empty()) return "";
  return fmt::format("{} of the bookmarks and their changes are kept in this session only: {}", unsaved_.size(), why_);
}

}  // namespace rpc
