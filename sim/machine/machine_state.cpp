// Machine: save, restore, hash, compare. What the state is, says Machine::visit_state and the lists that it leads to.
#include <fmt/format.h>

#include "sim/machine/machine.h"
#include "sim/machine/semantics.h"
#include "sim/support/state.h"

namespace machine {

support::StateHash Machine::configuration() {
  if (configuration_) return *configuration_;
  // The gear is left out, both give the same results; so are paths, and the limit at which a run is given up.
  support::StateHasher hasher;
  hasher.add(config_.memory_bytes).add(config_.seed).add(config_.processors);
  hasher.add(config_.maximum_vtl).add(config_.child_processors);
  hasher.add(static_cast<uint64_t>(config_.scheduler_policy)).add(config_.scheduler_seed).add(config_.quantum);
  hasher.add(static_cast<uint64_t>(config_.hypervisor_launch_type)).add(static_cast<uint64_t>(config_.vsm_launch_type));
  hasher.add(config_.secure_boot).add(config_.test_signing).add(static_cast<uint64_t>(config_.hvci));
  hasher.add(static_cast<uint64_t>(config_.board)).add(static_cast<uint64_t>(config_.clock));
  hasher.add(std::string_view{config_.append});
  hasher.add(disk_ ? disk_->hash() : support::StateHash{});
  configuration_ = hasher.finish();
  return *configuration_;
}

support::StateHash Machine::fingerprint() {
  support::StateHasher hasher;
  hasher.add(memory_.hash());
  support::StateDigest digest{hasher};
  digest.visit(static_cast<const Machine&>(*this));
  return hasher.finish();
}

void Machine::write_fields(std::vector<uint8_t>& bytes) const {
  support::StateWriter writer{bytes};
  writer.visit(*this);
}

support::Status Machine::read_fields(std::span<const uint8_t> bytes) {
  support::StateReader reader{bytes};
  reader.visit(*this);
  stop_requested_ = false;
  detail_ = "";
  return reader.finish();
}

State Machine::save() {
  State state;
  state.semantics = semantics_version;
  state.configuration = configuration();
  state.at = now_;
  write_fields(state.fields);
  state.pages = memory_.pages_in_use();
  state.contents.resize(state.pages.size() * abi::page_size);
  uint8_t* to = state.contents.data();
  for (const uint64_t page : state.pages) {
    std::memcpy(to, memory_.data() + page * abi::page_size, abi::page_size);
    to += abi::page_size;
  }
  return state;
}

support::Status Machine::fits(const State& state) {
  if (state.semantics != semantics_version) {
    return support::Error{fmt::format("state: of a machine of version {}; this one has version {}", state.semantics,
                                      semantics_version)};
  }
  if (state.configuration != configuration()) return support::Error{"state: of a machine of another configuration or disk"};
  if (state.contents.size() != state.pages.size() * abi::page_size) return support::Error{"state: not 4096 bytes for each page"};
  for (size_t i = 0; i < state.pages.size(); ++i) {
    if (state.pages[i] >= memory_.page_count()) return support::Error{"state: a page beyond the end of memory"};
    if (i != 0 && state.pages[i] <= state.pages[i - 1]) return support::Error{"state: pages are not in order"};
  }
  return support::Unit{};
}

support::Status Machine::apply_state(const State& state) {
  TRY(read_fields(state.fields));
  if (now_ != state.at) return support::Error{"state: the instant in its head is not the machine's"};
  size_t position = 0;
  for (const uint64_t page : memory_.pages_in_use()) {
    for (; position < state.pages.size() && state.pages[position] < page; ++position)
      memory_.restore_page(state.pages[position], state.page(position));
    const bool kept = position < state.pages.size() && state.pages[position] == page;
    const uint8_t* const bytes = kept ? state.page(position++) : nullptr;
    if (bytes == nullptr || std::memcmp(bytes, memory_.data() + page * abi::page_size, abi::page_size) != 0)
      memory_.restore_page(page, bytes);
  }
  for (; position < state.pages.size(); ++position) memory_.restore_page(state.pages[position], state.page(position));
  return support::Unit{};
}

/// What readers of single parts cannot see, because it lies between them or in memory.
support::Status Machine::check_state() const {
  // A timer may be late by the few ticks of one exit; one that is later would be caught up period by period.
  constexpr uint64_t late = 10'000;
  if (pc_ && now_.ticks > late && pc_->next_event() < support::Instant{now_.ticks - late})
    return support::Error{"state: a timer of the board should have fired before"};
  if (!translator_.state_is_sound()) return support::Error{"state: a TLB entry leads to where nothing is"};
  if (const std::string_view unsound = hypervisor_.what_is_unsound(); !unsound.empty())
    return support::Error{fmt::format("state: {}", unsound)};
  return support::Unit{};
}

support::Status Machine::restore(const State& state) {
  TRY(fits(state));
  const State before = save();
  support::Status status = apply_state(state);
  if (status.ok()) status = check_state();
  if (!status.ok()) CHECK(apply_state(before).ok());
  return status;
}

std::vector<support::NamedState> Machine::names() const {
  support::StateNames names;
  names.visit(*this);
  return names.fields();
}

support::Result<std::vector<support::StateDifference>> Machine::diff(const State& a, const State& b) {
  TRY(fits(a));
  TRY(fits(b));
  std::vector<uint8_t> before;
  write_fields(before);
  std::vector<support::NamedState> named[2];
  support::Status status = support::Unit{};
  const State* const states[] = {&a, &b};
  for (int side = 0; side < 2 && status.ok(); ++side) {
    status = read_fields(states[side]->fields);
    if (status.ok()) named[side] = names();
  }
  CHECK(read_fields(before).ok());
  if (!status.ok()) return status.error();
  std::vector<support::StateDifference> differences = support::compare(named[0], named[1]);
  for (support::StateDifference& difference : diff_memory(a, b)) differences.push_back(std::move(difference));
  return differences;
}

}  // namespace machine
