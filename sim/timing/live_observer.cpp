#include "sim/timing/live_observer.h"

#include <fmt/format.h>

#include <cstring>

#include "mmu/explain.h"

namespace timing {
namespace {

constexpr size_t code_lines = 16384;

cpu::CodeSize code_size(uint8_t bits) {
  return bits == 64 ? cpu::CodeSize::Bits64 : bits == 32 ? cpu::CodeSize::Bits32 : cpu::CodeSize::Bits16;
}

}  // namespace

LiveObserver::LiveObserver(const mmu::Translator& translator, SpaceOf space_of, const CostTable& costs)
    : translator_{translator}, space_of_{std::move(space_of)}, costs_{costs}, code_(code_lines) {
  add(Paging::Slat);
}

CycleModel& LiveObserver::add(Paging paging) {
  models_.push_back(std::make_unique<CycleModel>(costs_, static_cast<WalkSource&>(*this), paging));
  return *models_.back();
}

void LiveObserver::read_code(trace::InstructionRecord& record, const mmu::AddressSpace& space) {
  std::array<uint8_t, trace::longest_instruction> bytes{};
  const size_t read =
      mmu::read_gva(translator_, space, mmu::Gva{record.rip}, bytes, record.code_bits == 64 && vp_->cpl() == 3);
  Code& line = code_[(record.rip ^ record.rip >> 14) % code_lines];
  const bool same = line.rip == record.rip && line.code_bits == record.code_bits && line.length != 0 &&
                    line.length <= read && std::memcmp(line.bytes.data(), bytes.data(), line.length) == 0;
  if (!same) {
    line.rip = record.rip;
    line.code_bits = record.code_bits;
    const cpu::Instruction in = cpu::decode({bytes.data(), read}, code_size(record.code_bits));
    line.length = in.status == cpu::DecodeStatus::Ok ? in.length : uint8_t{0};
    line.bytes = {};
    std::memcpy(line.bytes.data(), bytes.data(), line.length);
  }
  record.length = line.length;
  record.bytes = line.bytes;
}

void LiveObserver::before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) {
  trace::InstructionRecord record = trace::capture(now, vp);
  vp_ = &vp;
  space_ = space_of_(vp);
  read_code(record, space_);
  for (const auto& model : models_) {
    asking_ = model.get();
    model->instruction(record);
  }
  vp_ = nullptr;
}

void LiveObserver::on(const support::Event& event) {
  for (const auto& model : models_) model->event(event);
}

Walk LiveObserver::walk(const trace::InstructionRecord& record, uint64_t gva, mmu::AccessKind kind) {
  const mmu::Access access{mmu::Gva{gva}, kind, vp_->cpl() == 3, false};
  mmu::WalkReport report;
  report.result = translator_.walk_only(space_, access, &report);
  const Walk walk = to_walk(report, access);
  if (walk_sink_ != nullptr && asking_ == models_.front().get()) {
    const std::string bytes = encode(walk);
    walk_sink_->on({.at = record.at,
                    .vp = record.vp,
                    .vtl = record.vtl,
                    .kind = support::EventKind::Walk,
                    .a = gva,
                    .b = walk.gpa,
                    .c = static_cast<uint64_t>(kind),
                    .rip = record.rip,
                    .text = bytes});
  }
  return walk;
}

void TraceFeeder::on(const trace::Record& record) {
  if (const auto* executed = std::get_if<trace::InstructionRecord>(&record)) {
    finish();
    if (!executed->has_registers) ++without_registers_;
    else held_ = *executed;
    return;
  }
  const auto& event = std::get<trace::EventRecord>(record);
  if (event.event.kind == support::EventKind::Walk) {
    // One that does not decode is one that is missing.
    if (auto walk = decode_walk(event.text)) answers_.push_back(*walk);
    return;
  }
  finish();
  model_.event(event.view());
}

void TraceFeeder::finish() {
  if (held_) model_.instruction(*held_);
  held_.reset();
  answers_.clear();
  next_answer_ = 0;
}

std::string TraceFeeder::doubt() const {
  constexpr const char* remedy = "record it with `airlock run --trace FILE --cycles`";
  if (without_registers_ != 0)
    return fmt::format("the trace knows no registers, so nobody can say what memory was touched; {}", remedy);
  if (missing_ == 0) return "";
  return fmt::format("{} walks of page tables are not in the trace and count nothing; {}", missing_, remedy);
}

Walk TraceFeeder::walk(const trace::InstructionRecord&, uint64_t gva, mmu::AccessKind kind) {
  if (next_answer_ < answers_.size()) {
    const Walk& answer = answers_[next_answer_];
    if (answer.gva == gva && answer.kind == kind) {
      ++next_answer_;
      return answer;
    }
  }
  ++missing_;
  Walk none;  // as if the address were its own translation
  none.gva = none.spa = none.gpa = gva;
  none.kind = kind;
  none.granted = none.dirty = true;
  return none;
}

}  // namespace timing
