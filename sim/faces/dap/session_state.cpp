// Threads, stacks, scopes, variables, expressions, modules and sources.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/faces/dap/session.h"

namespace faces::dap {
namespace {

constexpr uint64_t most_frames = 1000;

Json variable(const std::string& name, const std::string& value, uint64_t reference = 0, const std::string& type = {}) {
  Json result{{"name", name}, {"value", value}, {"variablesReference", reference}};
  if (!type.empty()) result["type"] = type;
  return result;
}

/// All digits of a register.
std::string padded(const Json& row) {
  const std::string value = text_of(row, "value");
  const size_t width = number_or_zero(row, "bits") / 4;
  std::string digits = value.starts_with("0x") ? value.substr(2) : value;
  if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
  return "0x" + digits;
}

constexpr std::array<std::string_view, 7> register_groups{"segment", "control", "debug", "msr", "x87", "sse", "synthetic"};
constexpr std::array<std::string_view, 8> tables{"threads", "secure_threads", "handles", "mailboxes", "blobs", "images", "pools", "ranges"};

Json with_focus(const Json& focus, Json parameters = Json::object()) {
  parameters["focus"] = focus;
  return parameters;
}

}  // namespace

uint64_t Session::contain(Container container) {
  containers_.emplace(next_reference_, std::move(container));
  return next_reference_++;
}

Session::Answer Session::threads(const Json&) {
  Json list = Json::array();
  for (uint64_t vp = 0; vp < processors_; ++vp)
    for (const uint64_t vtl : {0U, 1U}) list.push_back({{"id", thread_of(vp, vtl)}, {"name", fmt::format("VP {} {}", vp, vtl_name(vtl))}});
  return Json{{"threads", list}};
}

Session::Answer Session::stack_trace(const Json& arguments) {
  const auto thread = number_of(arguments, "threadId");
  if (!thread || *thread == 0 || vp_of(*thread) >= processors_) return support::Error{"there is no such thread"};
  const Json& here = object_of(last_stop_, "focus");
  const Json focus{{"at", number_or_zero(here, "at")}, {"vp", vp_of(*thread)}, {"vtl", vtl_of(*thread)}};
  const uint64_t first = number_or_zero(arguments, "startFrame");
  const uint64_t levels = number_or_zero(arguments, "levels") == 0 ? 64 : std::min(number_or_zero(arguments, "levels"), most_frames);
  const Json answer = TRY(ask("stack", with_focus(focus, {{"maximum", std::min(first + levels, most_frames)}})));
  const Json& frames = list_of(answer, "frames");
  Json list = Json::array();
  for (size_t at = first; at < frames.size() && list.size() < levels; ++at) {
    const Json& frame = frames[at];
    const Json& pc = object_of(frame, "pc");
    Json its = focus;
    if (at != 0) its["frame"] = at;
    const uint64_t number = next_reference_++;
    frames_[number] = std::move(its);
    const std::string suffix = number_or_zero(frame, "vtl") != vtl_of(*thread) ? fmt::format(" [{}]", vtl_name(number_or_zero(frame, "vtl"))) : "";
    Json row{{"id", number}, {"name", text_of(pc, "text") + suffix}, {"line", 0}, {"column", 0}, {"instructionPointerReference", text_of(pc, "address")}};
    if (const std::string module = text_of(pc, "module"); !module.empty()) row["moduleId"] = module;
    if (const std::string file = text_of(pc, "file"); !file.empty()) {
      row["source"] = source_of(file);
      row["line"] = to_client_line(number_or_zero(pc, "line"));
      row["column"] = columns_from_1_ ? 1 : 0;
    }
    list.push_back(std::move(row));
  }
  return Json{{"stackFrames", list}, {"totalFrames", frames.size()}};
}

/// The focus of the frame that arguments name, or where the machine stopped.
support::Result<Json> Session::frame_focus(const Json& arguments) {
  const auto number = number_of(arguments, "frameId");
  if (!number) return Json(object_of(last_stop_, "focus"));
  const auto found = frames_.find(*number);
  if (found == frames_.end()) return support::Error{"this frame is gone: the machine has moved since"};
  return Json(found->second);
}

Json Session::scope(const std::string& name, Container container, const std::string& hint) {
  Json result{{"name", name}, {"variablesReference", contain(std::move(container))}, {"expensive", hint != "registers"}};
  if (!hint.empty()) result["presentationHint"] = hint;
  return result;
}

Session::Answer Session::scopes(const Json& arguments) {
  const Json focus = TRY(frame_focus(arguments));
  const uint64_t vtl = number_or_zero(focus, "vtl");
  Json list = Json::array();
  for (const uint64_t its : {vtl, uint64_t{vtl == 0 ? 1U : 0U}}) {
    Json at = focus;
    at["vtl"] = its;
    if (its != vtl) at.erase("frame");
    list.push_back(scope(fmt::format("Registers of {}", vtl_name(its)), registers_of(at), "registers"));
  }
  list.push_back(scope("Kernel structures", kernel_structures(focus)));
  list.push_back(scope("Events at this instant", events_at(focus)));
  return Json{{"scopes", list}};
}

Session::Answer Session::list_registers(const Json& focus, const std::string& group, bool with_groups) {
  const Json answer = TRY(ask("registers", with_focus(focus, {{"groups", {group}}})));
  Json list = Json::array();
  for (const Json& row : list_of(answer, "registers")) {
    Json its = variable(text_of(row, "name"), padded(row), 0, fmt::format("{} bits{}", number_or_zero(row, "bits"), flag_of(row, "shared") ? ", shared by VTLs" : ""));
    if (group == "general") its["memoryReference"] = text_of(row, "value");
    list.push_back(std::move(its));
  }
  if (!with_groups) return list;
  for (const std::string_view name : register_groups)
    list.push_back(variable(std::string{name}, "", contain(register_group(focus, std::string{name}))));
  return list;
}

Session::Container Session::register_group(const Json& focus, const std::string& group) {
  const std::string where = fmt::format("{}.{}", number_or_zero(focus, "vp"), number_or_zero(focus, "vtl"));
  return {[this, focus, group] { return list_registers(focus, group, group == "general"); },
          [this, focus](const std::string& name, const std::string& value) { return set_register(focus, name, value); }, where};
}

Session::Container Session::registers_of(const Json& focus) { return register_group(focus, "general"); }

Session::Answer Session::set_register(const Json& focus, const std::string& name, const std::string& value) {
  const Json number = TRY(ask("evaluate", with_focus(focus, {{"expression", value}})));
  if (!number_of(number, "number")) return support::Error{fmt::format("{} is no number", value)};
  TRY(need_branch());
  TRY(ask("registers.write", {{"name", name}, {"value", text_of(number, "number")}, {"vtl", number_or_zero(focus, "vtl")}, {"vp", number_or_zero(focus, "vp")}}));
  after([this] { changed(std::nullopt, 0); });
  return Json{{"value", text_of(number, "number")}};
}

Session::Container Session::fields(const Json& list) {
  return {[list] {
            Json result = Json::array();
            for (const Json& field : list) result.push_back(variable(text_of(field, "name"), text_of(field, "value"), 0, text_of(field, "type")));
            return Answer{result};
          },
          {}, {}};
}

Session::Container Session::trustlets(const Json& focus) {
  return {[this, focus]() -> Answer {
            const Json answer = TRY(ask("trustlets", with_focus(focus)));
            Json list = Json::array();
            for (const Json& row : list_of(answer, "trustlets")) {
              Json its = variable(text_of(row, "name"), fmt::format("trustlet {}, process {}, SKPROCESS {}", text_of(row, "trustlet_id"), number_or_zero(row, "pid"), text_of(row, "object")),
                                  contain(fields(list_of(row, "fields"))));
              its["memoryReference"] = text_of(row, "object");
              list.push_back(std::move(its));
            }
            return list;
          },
          {}, {}};
}

Session::Container Session::processes(const Json& focus) {
  return {[this, focus]() -> Answer {
            const Json answer = TRY(ask("processes", with_focus(focus)));
            Json list = Json::array();
            for (const Json& row : list_of(answer, "processes")) {
              Json its = variable(fmt::format("{} ({})", text_of(row, "name"), vtl_name(number_or_zero(row, "vtl"))),
                                  fmt::format("process {}, cr3 {}{}", number_or_zero(row, "pid"), text_of(row, "cr3"), flag_of(row, "current") ? ", current" : ""));
              if (const std::string object = text_of(row, "object"); !object.empty()) its["memoryReference"] = object;
              list.push_back(std::move(its));
            }
            return list;
          },
          {}, {}};
}

Session::Container Session::kernel_table(const Json& focus, const std::string& what) {
  return {[this, focus, what]() -> Answer {
            const Json answer = TRY(ask("kernel.table", with_focus(focus, {{"what", what}})));
            const Json& columns = list_of(answer, "columns");
            Json list = Json::array();
            for (const Json& row : list_of(answer, "rows")) {
              const Json& cells = list_of(row, "cells");
              Json parts = Json::array();
              for (size_t at = 0; at < cells.size() && at < columns.size(); ++at)
                if (cells[at].is_string() && columns[at].is_string()) parts.push_back({{"name", columns[at]}, {"value", cells[at]}});
              const std::string first = parts.empty() ? std::to_string(list.size()) : text_of(parts[0], "value");
              std::string all;
              for (const Json& part : parts) all += fmt::format("{}{}={}", all.empty() ? "" : " ", text_of(part, "name"), text_of(part, "value"));
              Json its = variable(first, all, contain(fields(parts)));
              if (const std::string address = text_of(row, "address"); !address.empty()) its["memoryReference"] = address;
              list.push_back(std::move(its));
            }
            return list;
          },
          {}, {}};
}

Session::Container Session::kernel_structures(const Json& focus) {
  return {[this, focus] {
            Json list = Json::array();
            list.push_back(variable("processes", "as both kernels know them", contain(processes(focus))));
            list.push_back(variable("trustlets", "SKPROCESS", contain(trustlets(focus))));
            for (const std::string_view what : tables)
              list.push_back(variable(std::string{what}, "of the secure kernel", contain(kernel_table(focus, std::string{what}))));
            return Answer{list};
          },
          {}, {}};
}

Session::Container Session::events_at(const Json& focus) {
  return {[this, focus]() -> Answer {
            const uint64_t at = number_or_zero(focus, "at");
            const Json answer = TRY(ask("events.list", {{"from", at}, {"to", at}, {"maximum", 100}}));
            Json list = Json::array();
            for (const Json& event : list_of(answer, "events")) {
              if (number_or_zero(event, "at") != at) continue;
              const std::string name = text_of(event, "name");
              list.push_back(variable(name.empty() ? text_of(event, "kind") : fmt::format("{} {}", text_of(event, "kind"), name), text_of(event, "text"),
                                      contain(fields(list_of(event, "arguments")))));
            }
            return list;
          },
          {}, {}};
}

Session::Answer Session::variables(const Json& arguments) {
  const auto found = containers_.find(number_or_zero(arguments, "variablesReference"));
  if (found == containers_.end()) return support::Error{"these values are gone: the machine has moved since"};
  const auto list = found->second.list;  // asking may add containers
  Json all = TRY(list());
  const uint64_t start = number_or_zero(arguments, "start"), count = number_or_zero(arguments, "count");
  if (start == 0 && count == 0) return Json{{"variables", all}};
  Json part = Json::array();
  for (size_t at = start; at < all.size() && (count == 0 || part.size() < count); ++at) part.push_back(all[at]);
  return Json{{"variables", part}};
}

Session::Answer Session::set_variable(const Json& arguments) {
  const auto found = containers_.find(number_or_zero(arguments, "variablesReference"));
  if (found == containers_.end()) return support::Error{"this value is gone: the machine has moved since"};
  if (!found->second.set) return support::Error{"this cannot be changed here; memory can, in the memory view"};
  const auto set = found->second.set;
  return set(text_of(arguments, "name"), text_of(arguments, "value"));
}

Session::Answer Session::repl(const std::string& line) {
  moving_ = true;
  const Answer answer = ask("console", {{"line", line}});
  moving_ = false;
  const Json result = TRY(answer);
  if (const Json& stop = object_of(result, "stop"); !stop.empty())
    after([this, stop] { stopped(stop, "pause"); });
  if (flag_of(result, "ended")) after([this] { event("terminated"); });
  return Json{{"result", text_of(result, "output")}, {"variablesReference", 0}};
}

Session::Answer Session::evaluate(const Json& arguments) {
  const std::string expression = text_of(arguments, "expression");
  if (text_of(arguments, "context") == "repl") return repl(expression);
  const Json focus = TRY(frame_focus(arguments));
  const Json answer = TRY(ask("evaluate", with_focus(focus, {{"expression", expression}})));
  const std::string place = text_of(object_of(answer, "place"), "symbol").empty() ? "" : "  " + text_of(object_of(answer, "place"), "text");
  Json body{{"result", text_of(answer, "value") + place}, {"type", text_of(answer, "type")}, {"variablesReference", 0}};
  if (const std::string number = text_of(answer, "number"); !number.empty()) body["memoryReference"] = number;
  return body;
}

Session::Answer Session::completions(const Json& arguments) {
  const std::string text = text_of(arguments, "text");
  uint64_t column = number_or_zero(arguments, "column");
  if (columns_from_1_ && column > 0) --column;
  const std::string line = text.substr(0, std::min<size_t>(column, text.size()));
  const Json answer = TRY(ask("console.complete", {{"line", line}}));
  const uint64_t from = std::min<uint64_t>(number_or_zero(answer, "from"), line.size());
  Json list = Json::array();
  for (const Json& word : list_of(answer, "words"))
    list.push_back({{"label", word}, {"start", from}, {"length", line.size() - from}});
  return Json{{"targets", list}};
}

Session::Answer Session::modules(const Json& arguments) {
  tell_modules();
  const uint64_t start = number_or_zero(arguments, "startModule"), count = number_or_zero(arguments, "moduleCount");
  Json list = Json::array();
  uint64_t at = 0;
  for (const auto& [id, module] : modules_) {
    if (at >= start && (count == 0 || list.size() < count)) list.push_back(module);
    ++at;
  }
  return Json{{"modules", list}, {"totalModules", modules_.size()}};
}

/// What was loaded and unloaded since the client heard of it.
void Session::tell_modules() {
  const Answer answer = ask("modules");
  if (!answer) return;
  std::map<std::string, Json> now;
  for (const Json& row : list_of(answer.value(), "modules")) {
    const std::string name = text_of(row, "name"), process = text_of(row, "process");
    const std::string id = fmt::format("{}@{}{}{}", name, text_of(row, "base"), process.empty() ? "" : " ", process);
    const uint64_t base = number_or_zero(row, "base");
    Json module{{"id", id}, {"name", text_of(row, "file")}, {"symbolStatus", fmt::format("{} ({})", text_of(row, "symbols"), vtl_name(number_or_zero(row, "vtl")))},
                {"addressRange", fmt::format("{:#x}-{:#x}", base, base + number_or_zero(row, "size"))}};
    if (!process.empty()) module["path"] = process;
    now.emplace(id, std::move(module));
  }
  for (const auto& [id, module] : modules_)
    if (!now.contains(id)) event("module", {{"reason", "removed"}, {"module", module}});
  for (const auto& [id, module] : now)
    if (!modules_.contains(id)) event("module", {{"reason", "new"}, {"module", module}});
  modules_ = std::move(now);
}

/// A Source: by path where the file is at hand, by reference where only the interface can read it.
Json Session::source_of(const std::string& file) {
  if (const auto known = sources_.find(file); known != sources_.end()) return known->second;
  const size_t slash = file.find_last_of("/\\");
  Json source{{"name", slash == std::string::npos ? file : file.substr(slash + 1)}};
  const Answer answer = ask("source", {{"file", file}, {"count", 1}});
  if (!answer) {
    source["path"] = file;
    source["presentationHint"] = "deemphasize";
    source["origin"] = "not at hand";
  } else if (const std::string path = text_of(answer.value(), "path"); !path.empty()) {
    source["path"] = path;
  } else {
    source_references_.push_back(file);
    source["sourceReference"] = source_references_.size();
  }
  sources_.emplace(file, source);
  return source;
}

Session::Answer Session::source(const Json& arguments) {
  const uint64_t reference = number_or_zero(arguments, "sourceReference");
  std::string file = text_of(object_of(arguments, "source"), "path");
  if (reference != 0) {
    if (reference > source_references_.size()) return support::Error{"there is no such source"};
    file = source_references_[reference - 1];
  }
  const Json answer = TRY(ask("source", {{"file", file}}));
  std::string text;
  for (const Json& line : list_of(answer, "lines"))
    if (line.is_string()) text += line.get<std::string>() + "\n";
  return Json{{"content", text}, {"mimeType", "text/x-c++"}};
}

}  // namespace faces::dap
