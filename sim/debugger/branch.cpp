// What if: a run of its own from an instant of the recorded one, in which things can be changed.
#include <fmt/format.h>

#include <algorithm>

#include "sim/debugger/session.h"

namespace debugger {

using support::Error;
using support::Result;
using support::Status;

Status Session::begin_branch(std::string name) {
  if (branch_) return Error{fmt::format("there is a branch already: {}", *branch())};
  (void)look();
  branch_ = TRY(timeline_->fork());
  branch_->interrupt_with(interrupted_);
  names_.follow(branch_->history(), branch_->now());
  branched_at_ = focus_;
  branch_name_ = name.empty() ? "what if" : std::move(name);
  changes_.clear();
  return support::Unit{};
}

Result<Stop> Session::end_branch() {
  if (!branch_) return Error{"there is no branch"};
  names_.follow(timeline_->history(), branched_at_.at);
  branch_.reset();
  focus_ = branched_at_;
  (void)timeline_->seek(focus_.at);
  return describe(StopReason::Place);
}

std::optional<std::string> Session::branch() const {
  if (!branch_) return std::nullopt;
  std::string text = fmt::format("{}, since instant {}", branch_name_, branched_at_.at.ticks);
  for (const std::string& change : changes_) text += "; " + change;
  return text;
}

/// A change at the focus.
Status Session::edit(const Timeline::Change& change, std::string what) {
  if (!branch_) return Error{"this would change the run: begin a branch first"};
  (void)look();
  TRY(branch_->edit(change));
  names_.forget_after(branch_->now());
  changes_.push_back(fmt::format("{} at {}", what, branch_->now().ticks));
  return support::Unit{};
}

/// `pieces` are the pages' parts that the bytes lie in.
Status Session::write_pieces(const Conditions& pieces, std::span<const uint8_t> bytes, std::string what) {
  std::vector<std::pair<Spa, std::vector<uint8_t>>> writes;
  for (const Condition& piece : pieces) {
    const auto& part = std::get<MemoryWatch>(piece);
    writes.emplace_back(part.first, std::vector<uint8_t>(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(part.bytes)));
    bytes = bytes.subspan(part.bytes);
  }
  return edit([writes = std::move(writes)](machine::Machine& machine) -> Status {
    for (const auto& [at, content] : writes)
      if (!machine.memory().write(at, std::span<const uint8_t>{content})) return Error{"outside the machine's memory"};
    return support::Unit{};
  }, std::move(what));
}

Status Session::write_memory(Vtl vtl, std::optional<uint64_t> cr3, Gva address, std::span<const uint8_t> bytes) {
  if (bytes.empty()) return support::Unit{};
  const View view = look();
  const Conditions pieces = TRY(watch_gva(view.machine, vtl, cr3, address, bytes.size()));
  return write_pieces(pieces, bytes, fmt::format("{} bytes at {:#x} of VTL {}", bytes.size(), address.value(),
                                                 static_cast<unsigned>(vtl)));
}

Status Session::write_memory(Vtl vtl, Gpa address, std::span<const uint8_t> bytes) {
  if (bytes.empty()) return support::Unit{};
  const View view = look();
  const Conditions pieces = TRY(watch_gpa(view.machine, vtl, address, bytes.size()));
  return write_pieces(pieces, bytes, fmt::format("{} bytes at GPA {:#x}", bytes.size(), address.value()));
}

Status Session::write_memory(Spa address, std::span<const uint8_t> bytes) {
  if (bytes.empty()) return support::Unit{};
  const View view = look();
  const Conditions pieces = watch_spa(view.machine, address, bytes.size());
  if (pieces.empty()) return Error{fmt::format("SPA {:#x}: outside the machine's memory", address.value())};
  return write_pieces(pieces, bytes, fmt::format("{} bytes at SPA {:#x}", bytes.size(), address.value()));
}

Status Session::write_register(RegisterId id, uint32_t vp, Vtl vtl, vtl::Xmm value) {
  if (vp >= timeline().machine().processor_count()) return Error{fmt::format("there is no virtual processor {}", vp)};
  return edit([id, vp, vtl, value](machine::Machine& machine) {
    Status status = support::Unit{};
    machine.change_processor(vp, [&](vtl::VirtualProcessor& processor) { status = set_register(id, processor, vtl, value); });
    return status;
  }, fmt::format("{} = {:#x}", register_name(id), value.low));
}

}  // namespace debugger
