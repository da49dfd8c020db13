#include "sim/timing/call_ledger.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/trace/call_decoder.h"

namespace timing {
namespace {

using support::Event;
using support::EventKind;
using trace::CallFrame;

constexpr size_t maximum_parked = 4096;  // cookies come from guests

}  // namespace

CallParts& CallParts::operator+=(const CallParts& other) {
  entry += other.entry;
  marshalling += other.marshalling;
  work += other.work;
  hypervisor += other.hypervisor;
  normal += other.normal;
  walks += other.walks;
  exit += other.exit;
  return *this;
}

void CallLedger::on(const InstructionCost& cost) {
  Processor& vp = processor(cost.record.vp);
  Phase phase = phases_.of(cost.record);
  if (phase == Phase::Between) phase = vp.phase == Phase::NewCall ? Phase::Marshalling : vp.phase;
  vp.phase = phase;
  if (cost.record.vtl == abi::hv::Vtl::Vtl0) return add_lower(vp, cost, phase);
  if (vp.current == nobody) {
    outside_[static_cast<uint8_t>(cost.record.vtl)] += cost.charge.total();
    return;
  }
  SecureCall& call = calls_[vp.current];
  ++call.instructions;
  call.walk_count += cost.walks.size();
  call.parts.walks += cost.charge.walk;
  call.parts.hypervisor += cost.charge.system;
  const Quarters rest = cost.charge.total() - cost.charge.walk - cost.charge.system;
  (phase == Phase::Work ? call.parts.work : call.parts.marshalling) += rest;
}

void CallLedger::add_pending(Processor& vp, const InstructionCost& cost) {
  ++vp.pending_instructions;
  vp.pending_walks += cost.walks.size();
  vp.pending.marshalling += cost.charge.total() - cost.charge.walk;
  vp.pending.walks += cost.charge.walk;
}

/// No VTL call came: what was prepared belongs to whom NTOS serves, or to nobody.
void CallLedger::give_up_pending(Processor& vp) {
  if (vp.serving.empty()) outside_[0] += vp.pending.total();
  else calls_[vp.serving.back()].parts += vp.pending;
  vp.pending = {};
  vp.pending_instructions = vp.pending_walks = 0;
  vp.preparing = false;
}

/// VTL 0: it prepares a call, unpacks one, serves one, or lives its own life.
void CallLedger::add_lower(Processor& vp, const InstructionCost& cost, Phase phase) {
  const uint64_t rsp = cost.record.registers[vtl::Rsp];
  if (vp.finished != nobody && rsp > frames_[vp.finished]) vp.finished = nobody;
  if (vp.preparing && rsp > vp.frame) give_up_pending(vp);
  if (phase == Phase::NewCall) {
    give_up_pending(vp);
    vp.finished = nobody;
    vp.preparing = true;
    vp.frame = rsp;
  }
  if (vp.preparing) return add_pending(vp, cost);
  size_t to = vp.finished;
  if (to == nobody && !vp.serving.empty()) {
    if (phase != Phase::Work) return add_pending(vp, cost);  // on the way back into VTL 1
    to = vp.serving.back();
  }
  if (to == nobody) {
    outside_[0] += cost.charge.total();
    return;
  }
  SecureCall& call = calls_[to];
  ++call.instructions;
  call.walk_count += cost.walks.size();
  call.parts.walks += cost.charge.walk;
  (to == vp.finished ? call.parts.marshalling : call.parts.normal) += cost.charge.total() - cost.charge.walk;
}

void CallLedger::on(const Event& event, const Charge& charge, Quarters start) {
  switch (event.kind) {
    case EventKind::ImageLoaded:
    case EventKind::ImageUnloaded: phases_.forget(); break;
    case EventKind::VtlEnabled:
      if (event.b == 1) processor(event.vp).start_expected = true;
      break;
    case EventKind::VtlCall:
    case EventKind::VtlInterruptEntry: return enter(event, charge, start);
    case EventKind::VtlReturn: return leave(event, charge);
    default: break;
  }
  if (charge.total() != 0) system(event, charge);
}

size_t CallLedger::open(const Event& event, Quarters start, std::string name) {
  SecureCall call;
  call.name = std::move(name);
  call.first = event.at;
  call.start = start;
  call.vp = event.vp;
  calls_.push_back(std::move(call));
  frames_.push_back(processor(event.vp).frame);
  return calls_.size() - 1;
}

void CallLedger::enter(const Event& event, const Charge& charge, Quarters start) {
  Processor& vp = processor(event.vp);
  if (event.kind == EventKind::VtlInterruptEntry) {
    vp.current = open(event, start, "(interrupt or intercept)");
  } else if (vp.start_expected) {
    vp.start_expected = false;
    vp.current = open(event, start, "(first entry)");
  } else if (event.frame == nullptr) {
    vp.current = open(event, start, "(VTL call)");
  } else {
    const trace::DecodedSecureCall call = trace::decode_secure_call(CallFrame{event.frame, 13});
    const auto parked = vp.parked.find(call.cookie);
    const bool resumes = call.kind == trace::DecodedSecureCall::Kind::Resume;
    if (resumes && parked != vp.parked.end()) {
      vp.current = parked->second;
      std::erase(vp.serving, vp.current);
      vp.parked.erase(parked);
    } else {
      vp.current = open(event, start, resumes ? "(thread of a trustlet)" : call.name);
    }
  }
  SecureCall& call = calls_[vp.current];
  ++call.switches;
  call.parts.entry += charge.total();
  if (event.kind == EventKind::VtlInterruptEntry) return;  // nothing was prepared for it
  call.parts += vp.pending;
  call.instructions += vp.pending_instructions;
  call.walk_count += vp.pending_walks;
  vp.pending = {};
  vp.pending_instructions = vp.pending_walks = 0;
  vp.preparing = false;
  vp.finished = nobody;
}

void CallLedger::leave(const Event& event, const Charge& charge) {
  Processor& vp = processor(event.vp);
  if (vp.current == nobody) {
    outside_[static_cast<uint8_t>(event.vtl)] += charge.total();
    return;
  }
  const size_t index = vp.current;
  SecureCall& call = calls_[index];
  vp.current = nobody;
  call.parts.exit += charge.total();
  const bool carries = event.frame != nullptr && call.name.front() != '(';
  const bool thread = event.frame != nullptr && call.name == "(thread of a trustlet)";
  if (carries || thread) {
    const trace::DecodedNormalCall answer = trace::decode_normal_call(CallFrame{event.frame, 13});
    if (answer.kind != trace::DecodedNormalCall::Kind::Finished) {
      if (vp.parked.size() < maximum_parked) {
        vp.parked[answer.cookie] = index;
        vp.serving.push_back(index);
      }
      return;
    }
  }
  call.finished = true;
  if (carries || thread) vp.finished = index;
}

void CallLedger::system(const Event& event, const Charge& charge) {
  Processor& vp = processor(event.vp);
  const bool delivery = event.kind == EventKind::Exception || event.kind == EventKind::Interrupt;
  if (event.vtl != abi::hv::Vtl::Vtl0 && vp.current != nobody) {
    CallParts& parts = calls_[vp.current].parts;
    (delivery ? parts.work : parts.hypervisor) += charge.total();
  } else if (event.vtl == abi::hv::Vtl::Vtl0 && !vp.serving.empty()) {
    calls_[vp.serving.back()].parts.normal += charge.total();
  } else {
    outside_[static_cast<uint8_t>(event.vtl)] += charge.total();
  }
}

}  // namespace timing
