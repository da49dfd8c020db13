// bookmark.*: places that somebody marked.
#include "sim/rpc/desk.h"

namespace rpc {
namespace {

Json to_json(const replay::Bookmark& bookmark) {
  return {{"id", bookmark.id}, {"at", bookmark.at.ticks}, {"text", bookmark.text}};
}

Json list_json(const Desk& desk) {
  Json list = Json::array();
  for (const replay::Bookmark& bookmark : desk.bookmarks.all()) list.push_back(to_json(bookmark));
  return {{"bookmarks", std::move(list)}};
}

/// For who asked and for all who listen.
Answer changed(Desk& desk, const BookmarkShelf::Done& done) {
  desk.dispatcher.notify("bookmarks", list_json(desk));
  Json json = Json::object();
  if (const auto bookmark = desk.bookmarks.find(done.id)) json["bookmark"] = to_json(*bookmark);
  json["saved"] = done.saved;
  return json;
}

support::Result<uint64_t, Refusal> existing(const Desk& desk, const Parameters& parameters) {
  const uint64_t id = *parameters.integer("id");
  if (desk.bookmarks.find(id)) return id;
  return refuse(Code::NotThere, "there is no bookmark " + std::to_string(id));
}

/// What is marked in a branch is no place of the run, and goes with the session.
Answer add(Desk& desk, const Parameters& parameters) {
  const support::Instant at{parameters.integer("at", desk.session.focus().at.ticks)};
  return changed(desk, TRY(or_refuse(desk.bookmarks.add(at, parameters.text("text"), !desk.session.branch()))));
}

Answer change(Desk& desk, const Parameters& parameters) {
  const uint64_t id = TRY(existing(desk, parameters));
  return changed(desk, TRY(or_refuse(desk.bookmarks.change(id, parameters.text("text")))));
}

Answer remove(Desk& desk, const Parameters& parameters) {
  const uint64_t id = TRY(existing(desk, parameters));
  return changed(desk, TRY(or_refuse(desk.bookmarks.remove(id))));
}

Answer list(Desk& desk, const Parameters&) { return list_json(desk); }

}  // namespace

void serve_bookmarks(Desk& desk) {
  serve(desk, "bookmark.add", add);
  serve(desk, "bookmark.change", change);
  serve(desk, "bookmark.remove", remove);
  serve(desk, "bookmark.list", list);
}

}  // namespace rpc
