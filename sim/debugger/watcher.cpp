#include "sim/debugger/watcher.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "sim/support/check.h"

namespace debugger {
namespace {

constexpr size_t known_instructions = 4096;

}  // namespace

Watcher::Watcher(machine::Machine& exact, trace::Disassembler& disassembler, std::span<const Condition> conditions,
                 Which which, Instant from, Instant before)
    : machine_{exact},
      disassembler_{disassembler},
      conditions_{conditions},
      which_{which},
      from_{from},
      before_{before},
      doer_{doer_of(exact.now(), exact.processor())},
      written_(conditions.size()) {
  for (size_t number = 0; number < exact.processor_count(); ++number) {
    then_.push_back(exact.processor(number));
    doers_.push_back(doer_of(exact.now(), exact.processor(number)));
  }
  for (const Condition& condition : conditions) {
    values_.push_back(watched_value(exact, condition));
    if (const auto* watch = std::get_if<MemoryWatch>(&condition)) {
      CHECK(values_.back().size() == watch->bytes && watch->bytes != 0);
      memory_watched_ = memory_watched_ || watch->ignore == 0;
    }
    accesses_watched_ = accesses_watched_ || std::holds_alternative<AccessWatch>(condition);
    registers_watched_ = registers_watched_ || std::holds_alternative<RegisterWatch>(condition) ||
                         std::holds_alternative<Cr3Break>(condition);
  }
  if (memory_watched_ || accesses_watched_) known_.resize(known_instructions);
  findings_.registers_known = registers_watched_;
}

Watcher::Doer Watcher::doer_of(Instant now, const vtl::VirtualProcessor& vp) {
  return {now, vp.number, vp.active, vp.cpl(), vp.context().rip, vp.context().cr3};
}

void Watcher::before_instruction(Instant now, const vtl::VirtualProcessor& vp) {
  look_back(now, vp);
  look_ahead(now, vp);
  if (memory_watched_ || accesses_watched_) decode(now, vp);
}

void Watcher::finish() {
  look_back(machine_.now(), machine_.processor());
  for (size_t number = 0; registers_watched_ && number < then_.size(); ++number) note_registers(machine_.processor(number));
  look_ahead(machine_.now(), machine_.processor());
}

/// What changed is the work of the instruction seen last.
void Watcher::look_back(Instant now, const vtl::VirtualProcessor& vp) {
  for (size_t i = 0; i < conditions_.size(); ++i) {
    if (!is_watch(conditions_[i])) continue;
    const bool same_again = written_[i] && now > doer_.at;
    written_[i] = false;
    if (!same_again && !changed(i)) continue;
    std::vector<uint8_t> value;
    if (const auto* watch = std::get_if<RegisterWatch>(&conditions_[i])) {
      const vtl::Xmm present = register_value(watch->id, machine_.processor(watch->vp), watch->vtl);
      value.resize(sizeof present);
      std::memcpy(value.data(), &present.low, 8);
      std::memcpy(value.data() + 8, &present.high, 8);
    } else {
      value = watched_value(machine_, conditions_[i]);
    }
    take(i, doer_, now, values_[i], value);
    values_[i] = std::move(value);
  }
  if (registers_watched_) note_registers(vp);
}

/// Nearly all instructions change general registers and nothing else, and looking at each register of each costs.
void Watcher::note_registers(const vtl::VirtualProcessor& vp) {
  vtl::VirtualProcessor& before = then_[vp.number];
  bool rare = std::memcmp(&before.shared.cr2, &vp.shared.cr2, sizeof vp.shared - offsetof(vtl::SharedRegisters, cr2)) != 0;
  for (const Vtl vtl : {Vtl::Vtl0, Vtl::Vtl1}) {
    vtl::VtlContext& then = before.contexts[vtl];
    const vtl::VtlContext& now = vp.contexts[vtl];
    rare = rare || std::memcmp(&then.cr0, &now.cr0, sizeof now - offsetof(vtl::VtlContext, cr0)) != 0;
  }
  if (rare) {
    for (const Vtl vtl : {Vtl::Vtl0, Vtl::Vtl1}) include_changes(findings_.changed[vtl], before, vp, vtl);
    before = vp;
    return;
  }
  for (const Vtl vtl : {Vtl::Vtl0, Vtl::Vtl1}) include_common_changes(findings_.changed[vtl], before, vp, vtl);
  before.shared.gpr = vp.shared.gpr;
  for (const Vtl vtl : {Vtl::Vtl0, Vtl::Vtl1}) {
    before.contexts[vtl].rip = vp.contexts[vtl].rip;
    before.contexts[vtl].rsp = vp.contexts[vtl].rsp;
    before.contexts[vtl].rflags = vp.contexts[vtl].rflags;
  }
}

bool Watcher::changed(size_t index) const {
  if (const auto* watch = std::get_if<RegisterWatch>(&conditions_[index])) {
    const vtl::Xmm value = register_value(watch->id, machine_.processor(watch->vp), watch->vtl);
    return std::memcmp(values_[index].data(), &value.low, 8) != 0 ||
           std::memcmp(values_[index].data() + 8, &value.high, 8) != 0;
  }
  const auto& watch = std::get<MemoryWatch>(conditions_[index]);
  const uint8_t* present = machine_.memory().data() + watch.first.value();
  if (std::memcmp(values_[index].data(), present, watch.bytes) == 0) return false;
  return watch.ignore == 0 || differs(conditions_[index], values_[index], watched_value(machine_, conditions_[index]));
}

void Watcher::look_ahead(Instant now, const vtl::VirtualProcessor& vp) {
  const Doer next = doer_of(now, vp);
  const Doer& last = doers_[vp.number];
  if (const uint64_t page = next.rip / abi::page_size; page != code_page_) {
    code_page_ = page;
    const auto place = std::lower_bound(findings_.code_pages.begin(), findings_.code_pages.end(), page);
    if (place == findings_.code_pages.end() || *place != page) findings_.code_pages.insert(place, page);
  }
  for (size_t i = 0; i < conditions_.size(); ++i) {
    bool met = false;
    if (const auto* level = std::get_if<VtlBreak>(&conditions_[i])) {
      met = next.vtl == level->vtl && last.vtl != level->vtl;
    } else if (const auto* space = std::get_if<Cr3Break>(&conditions_[i])) {
      met = next.cr3 == space->cr3 && last.cr3 != space->cr3;
    }
    if (met) take(i, next, now, {}, {});
  }
  doer_ = doers_[vp.number] = next;
}

void Watcher::take(size_t index, const Doer& doer, Instant now, std::vector<uint8_t> before, std::vector<uint8_t> after) {
  const bool watch = is_watch(conditions_[index]) || std::holds_alternative<AccessWatch>(conditions_[index]);
  const bool too_early = watch ? doer.at < from_ : which_ == Which::First && doer.at <= from_;
  if (too_early || doer.at >= before_ || (which_ == Which::First && hit_ && hit_->at != doer.at)) return;
  Hit hit{.at = doer.at, .condition = index, .also = {}, .vp = doer.vp, .vtl = doer.vtl, .cpl = doer.cpl, .rip = doer.rip,
          .cr3 = doer.cr3, .between = false, .seen = now, .before = std::move(before), .after = std::move(after), .event = {}};
  if (const Check& check = check_of(conditions_[index]); check && !check(machine_, hit)) return;
  if (hit_ && hit_->at == hit.at) hit_->also.push_back(index);
  else hit_ = std::move(hit);
}

/// Which watched bytes does the instruction say it writes or reads? Needed for those that write what is there already.
void Watcher::decode(Instant now, const vtl::VirtualProcessor& vp) {
  const mmu::AddressSpace space = machine_.view(vp.active);
  const bool user = vp.cpl() == 3;
  trace::InstructionRecord record;
  record.bytes = {};
  const uint64_t count = mmu::read_gva(machine_.translator(), space, Gva{vp.context().rip}, record.bytes, user);
  if (count == 0) return;
  Known& known = known_[(vp.context().rip ^ (vp.context().rip >> 12)) % known_.size()];
  const bool met_before = known.rip == vp.context().rip && known.bytes == record.bytes;
  if (met_before && !known.matters) return;
  const auto bytes = record.bytes;
  record = trace::capture(now, vp);
  record.bytes = bytes;
  record.length = disassembler_.length(record.code_bits, {bytes.data(), count});
  const trace::Instruction instruction = disassembler_.decode(record);
  bool matters = false;
  for (const trace::MemoryAccess& access : instruction.accesses) {
    if (!access.write && !accesses_watched_) continue;
    matters = true;
    note_access(now, vp, space, access);
  }
  known = {record.rip, bytes, record.code_bits, matters};
}

void Watcher::note_access(Instant now, const vtl::VirtualProcessor& vp, const mmu::AddressSpace& space,
                          const trace::MemoryAccess& access) {
  const auto kind = access.write ? mmu::AccessKind::Write : mmu::AccessKind::Read;
  for (uint64_t done = 0; done < access.size;) {
    const Gva address{access.address + done};
    const uint64_t part = std::min<uint64_t>(access.size - done, abi::page_size - address.page_offset());
    done += part;
    const mmu::TranslationResult result =
        machine_.translator().probe(space, {.address = address, .kind = kind, .user = vp.cpl() == 3});
    if (!result.ok) return;
    const uint64_t spa = result.translation.spa.value();
    for (size_t i = 0; i < conditions_.size(); ++i) {
      if (const auto* touched = std::get_if<AccessWatch>(&conditions_[i])) {
        const bool met = spa < touched->first.value() + touched->bytes && touched->first.value() < spa + part;
        if (met) take(i, doer_of(now, vp), now, {}, {});
        continue;
      }
      const auto* watch = std::get_if<MemoryWatch>(&conditions_[i]);
      if (watch == nullptr || watch->ignore != 0 || !access.write) continue;
      if (spa < watch->first.value() + watch->bytes && watch->first.value() < spa + part) written_[i] = true;
    }
  }
}

Findings Watcher::findings() && { return std::move(findings_); }

}  // namespace debugger
