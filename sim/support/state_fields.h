#pragma once
// How a type says what its state is. Every piece of state of the machine lists its fields once; saving, restoring,
// hashing and comparing (sim/support/state.h) all read that list.
//
// The list is a structured binding over the whole object, which must name every data member: a member that is added and
// not listed does not compile.
//
//   struct DescriptorTable {
//     uint64_t base{};
//     uint16_t limit{};
//     STATE_FIELDS(base, limit)
//   };
//
// A class with members that are no state (references, caches) or with conditions writes the same by hand:
//
//   template <class Visitor, class Self>
//   static void visit_state(Visitor& visit, Self& self) {
//     auto& [memory_, root_] = self;
//     visit.host(memory_)("root", root_).require(root_.page_offset() == 0, "the root is not page-aligned");
//   }
//
// Self is const unless the visitor reads.
#include "abi/layout/fields.h"

#define STATE_VISIT_EACH(x, ...) \
  visit(#x, x);                  \
  __VA_OPT__(STATE_VISIT_AGAIN ABI_PARENS(__VA_ARGS__))
#define STATE_VISIT_AGAIN() STATE_VISIT_EACH

/// Inside a struct or class: all its data members, in order of declaration, are its state.
#define STATE_FIELDS(...)                                   \
  template <class Visitor_, class Self_>                    \
  static void visit_state(Visitor_& visit, Self_& self) {   \
    auto& [__VA_ARGS__] = self;                             \
    ABI_EXPAND(STATE_VISIT_EACH(__VA_ARGS__))               \
  }
