// hello, status, reload.
#include <fmt/format.h>

#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"

namespace rpc {
namespace {

constexpr int protocol = 1;

std::vector<std::string> complaints(Desk& desk) {
  std::vector<std::string> list = desk.facts.complaints;
  const debugger::Timeline& timeline = desk.session.timeline();
  for (const std::string& text : {timeline.complaint(), desk.session.timeline().history().complaint(), desk.bookmarks.complaint()})
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
  if (!desk.facts.finding.empty()) json["finding"] = desk.facts.finding;
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
  json["beginning"] = timeline.beginning().ticks;
  json["events"] = desk.session.timeline().history().size();
  if (const auto verified = desk.event_check ? desk.event_check->text() : std::nullopt) json["verified"] = *verified;
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

}  // namespace

void serve_session(Desk& desk) {
  serve(desk, "hello", hello);
  serve(desk, "status", status);
  serve(desk, "reload", reload);
}

}  // namespace rpc
