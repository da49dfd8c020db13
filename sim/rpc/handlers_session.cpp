// hello, status, reload, bookmarks.
#include <fmt/format.h>

#include "sim/replay/recorder.h"
#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"

namespace rpc {
namespace {

constexpr int protocol = 1;

std::vector<std::string> complaints(Desk& desk) {
  std::vector<std::string> list = desk.facts.complaints;
  const debugger::Timeline& timeline = desk.session.timeline();
  for (const std::string& text : {timeline.complaint(), desk.session.timeline().history().complaint()})
    if (!text.empty()) list.push_back(text);
  const auto& of_images = desk.session.names().images().complaints();
  list.insert(list.end(), of_images.begin(), of_images.end());
  return list;
}

Answer hello(Desk& desk, const Parameters&) {
  machine::Machine& machine = desk.session.look().machine;
  Json json{{"program", "airlock"}, {"version", desk.facts.version}, {"protocol", protocol}};
  if (!desk.facts.recording.empty()) json["recording"] = desk.facts.recording;
  json["live"] = desk.facts.recording.empty();
  if (!desk.facts.other.empty()) json["other"] = desk.facts.other;
  json["processors"] = machine.processor_count();
  json["memory"] = hex(machine.config().memory_bytes);
  json["configuration"] = machine.configuration().to_string();
  Json served = Json::array();
  for (const Method& method : methods())
    if (desk.dispatcher.serves(method.name)) served.push_back(method.name);
  json["methods"] = std::move(served);
  return json;
}

Answer status(Desk& desk, const Parameters&) {
  machine::Machine& machine = desk.session.look().machine;
  const debugger::Timeline& timeline = desk.session.timeline();
  Json json{{"focus", to_json(desk.session.focus())}, {"end", timeline.end().ticks}};
  if (const auto ending = timeline.ending()) json["ending"] = machine::word(*ending);
  json["instructions"] = timeline.instructions();
  if (const auto branch = desk.session.branch()) json["branch"] = *branch;
  json["complaints"] = complaints(desk);
  json["fingerprint"] = machine.fingerprint().to_string();
  return json;
}

Answer reload(Desk& desk, const Parameters& parameters) {
  desk.session.names().reload(parameters.text("folder"));
  desk.library = symbols::Library{desk.session.names().folders()};
  (void)desk.session.look();
  return Json{{"modules", modules_json(desk.session.names())}, {"complaints", complaints(desk)}};
}

Answer add_bookmark(Desk& desk, const Parameters& parameters) {
  const support::Instant at{parameters.integer("at", desk.session.focus().at.ticks)};
  const std::string text = parameters.text("text");
  const bool saved = !desk.facts.recording.empty() && !desk.session.branch();
  if (saved) (void)TRY(or_refuse(replay::save_bookmark(desk.facts.recording, {replay::BookmarkEdit::Kind::Add, 0, at, text})));
  desk.facts.bookmarks.push_back({at, text});
  return Json{{"saved", saved}};
}

Answer list_bookmarks(Desk& desk, const Parameters&) {
  Json list = Json::array();
  for (const replay::Bookmark& bookmark : desk.facts.bookmarks)
    list.push_back({{"at", bookmark.at.ticks}, {"text", bookmark.text}});
  return Json{{"bookmarks", std::move(list)}};
}

}  // namespace

void serve_session(Desk& desk) {
  serve(desk, "hello", hello);
  serve(desk, "status", status);
  serve(desk, "reload", reload);
  serve(desk, "bookmark.add", add_bookmark);
  serve(desk, "bookmark.list", list_bookmarks);
}

}  // namespace rpc
