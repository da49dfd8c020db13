#pragma once
// How a type says what its state is. Every piece of state of the machine lists its members once; saving, restoring,
// hashing and comparing (sim/support/state.h) all read that list.
//
// The list is a structured binding over the whole object, which must name every data member: a member that is added and
// not listed does not compile. Members that are no state (references to other parts, caches, what the configuration
// decides) stand in parentheses:
//
//   class Timer {
//    public:
//     STATE_FIELDS((bus_), deadline_, period_)
//
//    private:
//     Bus& bus_;
//     Instant deadline_;
//     uint64_t period_{};
//     /// Optional: whether what a reader found can be. Empty, or what is wrong.
//     const char* state_error() const { return period_ != 0 ? "" : "a period of nothing"; }
//   };
//
// A class whose parts come and go writes the same by hand, as GuestMemory does:
//
//   template <class Visitor, class Self>
//   static void visit_state(Visitor& visit, Self& self) {
//     auto& [bus_, deadline_, period_] = self;
//     visit.host(bus_)("deadline", deadline_)("period", period_);
//   }
//
// Self is const unless the visitor reads.
#include "abi/layout/fields.h"

// Whether an item stands in parentheses: 1 or 0.
#define STATE_PROBE(...) ~, 1
#define STATE_SECOND(a, b, ...) b
#define STATE_CHOOSE(...) STATE_SECOND(__VA_ARGS__)
#define STATE_IS_HOST(item) STATE_CHOOSE(STATE_PROBE item, 0, ~)
#define STATE_JOIN(a, b) STATE_JOIN_(a, b)
#define STATE_JOIN_(a, b) a##b
#define STATE_STRIP(...) __VA_ARGS__

#define STATE_NAME_0(item) item
#define STATE_NAME_1(item) STATE_STRIP item
#define STATE_BIND_EACH(item, ...)                   \
  STATE_JOIN(STATE_NAME_, STATE_IS_HOST(item))(item) \
  __VA_OPT__(, STATE_BIND_AGAIN ABI_PARENS(__VA_ARGS__))
#define STATE_BIND_AGAIN() STATE_BIND_EACH

#define STATE_VISIT_0(item) visit(#item, item);
#define STATE_VISIT_1(item) visit.host(STATE_STRIP item);
#define STATE_VISIT_EACH(item, ...)                   \
  STATE_JOIN(STATE_VISIT_, STATE_IS_HOST(item))(item) \
  __VA_OPT__(STATE_VISIT_AGAIN ABI_PARENS(__VA_ARGS__))
#define STATE_VISIT_AGAIN() STATE_VISIT_EACH

/// Inside a struct or class: all its data members, in order of declaration.
#define STATE_FIELDS(...)                                        \
  template <class Visitor_, class Self_>                         \
  static void visit_state(Visitor_& visit, Self_& self) {        \
    auto& [ABI_EXPAND(STATE_BIND_EACH(__VA_ARGS__))] = self;     \
    ABI_EXPAND(STATE_VISIT_EACH(__VA_ARGS__))                    \
    if constexpr (Visitor_::reads && requires { self.state_error(); }) visit.require_empty(self.state_error()); \
  }
