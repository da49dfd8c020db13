#include "sim/debugger/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace debugger {
namespace {

using support::Event;
using support::EventKind;
using support::Instant;

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_letter);
}

trace::EventRecord keep(const Event& event) {
  trace::EventRecord record{.event = event, .has_frame = false, .frame = {}, .text = std::string{event.text}};
  record.event.frame = nullptr;
  record.event.text = {};
  return record;
}

bool upper_half(uint64_t address) { return address >> 63 != 0; }

}  // namespace

Names::Names(History& history, std::vector<std::string> folders) : history_{&history}, folders_{std::move(folders)} {
  images_ = std::make_unique<loader::ImageCatalog>(folders_);
  learner_.emplace(*images_);
}

bool Names::changes_names(const Event& event) {
  return event.kind == EventKind::ImageLoaded || event.kind == EventKind::ImageUnloaded ||
         event.kind == EventKind::ProcessCreated || event.kind == EventKind::ProcessExited;
}

/// Reads what the history has in [known_, at).
void Names::learn_up_to(Instant at) {
  if (at <= known_) return;
  constexpr KindSet kinds = set_of(EventKind::ImageLoaded) | set_of(EventKind::ImageUnloaded) | set_of(EventKind::ProcessCreated) |
                            set_of(EventKind::ProcessExited);
  history_->each(known_, at, kinds, [&](const Event& event) { log_.push_back(keep(event)); });
  known_ = at;
}

void Names::apply(const trace::EventRecord& record) {
  const Event event = record.view();
  processes_.on(event);
  learner_->learn(event);
  learner_->forget(event);
}

/// Images go one by one: the catalogue keeps the symbols that it has read.
void Names::start_over() {
  while (!images_->images().empty()) {
    const loader::LoadedImage& last = images_->images().back();
    images_->unload(std::string{last.name}, last.base);
  }
  processes_.clear();
  learner_.emplace(*images_);
  applied_ = 0;
}

void Names::move_to(Instant at) {
  learn_up_to(at);
  if (applied_ != 0 && log_[applied_ - 1].event.at >= at) start_over();
  while (applied_ < log_.size() && log_[applied_].event.at < at) apply(log_[applied_++]);
  at_ = at;
}

void Names::forget_after(Instant at) {
  if (known_ <= at) return;
  known_ = at;
  std::erase_if(log_, [&](const trace::EventRecord& record) { return record.event.at >= at; });
  if (applied_ > log_.size()) {
    start_over();
    move_to(std::min(at_, at));
  }
}

void Names::follow(History& history, Instant at) {
  history_ = &history;
  forget_after(at);
}

void Names::reload(const std::string& folder) {
  if (!folder.empty() && std::find(folders_.begin(), folders_.end(), folder) == folders_.end()) folders_.push_back(folder);
  images_ = std::make_unique<loader::ImageCatalog>(folders_);
  processes_.clear();
  learner_.emplace(*images_);
  applied_ = 0;
  move_to(at_);
}

Place Names::place(uint64_t address, uint64_t cr3) const {
  Place place;
  place.address = address;
  place.text = fmt::format("{:#x}", address);
  const loader::LoadedImage* image = images_->find(address, cr3);
  if (image == nullptr) return place;
  place.module = image->module;
  place.displacement = address - image->base;
  const auto rva = static_cast<uint32_t>(address - image->base);
  if (image->symbols != nullptr) {
    if (const auto nearest = image->symbols->nearest(rva)) {
      place.symbol = nearest->name;
      place.displacement = nearest->displacement;
    }
    if (const auto line = image->symbols->line(rva)) {
      place.file = line->file;
      place.line = line->line;
    }
  }
  place.text = place.symbol.empty() ? place.module : place.module + "!" + place.symbol;
  if (place.displacement != 0) place.text += fmt::format("+{:#x}", place.displacement);
  return place;
}

std::vector<NamedAddress> Names::find(std::string_view name) const {
  std::vector<NamedAddress> found;
  const size_t mark = name.find('!');
  const std::string_view module = name.substr(0, mark);
  const std::string_view symbol = mark == std::string_view::npos ? std::string_view{} : name.substr(mark + 1);
  for (const loader::LoadedImage& image : images_->images()) {
    if (!same_name(image.module, module) && !same_name(image.name, module)) continue;
    uint64_t address = image.base;
    if (mark != std::string_view::npos) {
      const auto rva = image.symbols != nullptr ? image.symbols->find(symbol) : std::nullopt;
      if (!rva) continue;
      address += *rva;
    }
    const NamedAddress one{address, upper_half(image.base) ? 0 : image.cr3};
    const auto same = [&](const NamedAddress& other) { return other.address == one.address && other.cr3 == one.cr3; };
    if (std::none_of(found.begin(), found.end(), same)) found.push_back(one);
  }
  return found;
}

}  // namespace debugger
