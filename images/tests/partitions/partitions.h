#pragma once
// What a parent does with its children. The launch, hypercalls and VTL 1 come from the hypervisor's tests.
#include "tests/hypervisor/tests.h"

std::span<const kernel::Test> child_tests();        ///< children run, and their parent answers
std::span<const kernel::Test> family_tests();       ///< what parent and child may do to each other
std::span<const kernel::Test> three_level_tests();  ///< VTL 2 above VTL 1 above VTL 0

namespace parent {

using call::one;
using call::Result;
using call::simple;

inline constexpr unsigned child_pages = 16;  ///< RAM of a child, from 0 on
inline constexpr uint64_t code_at = 0x8000;
inline constexpr uint32_t started_vp = 1;

/// A child that was made by make().
struct Child {
  uint64_t id;
  uint64_t pages[child_pages];  ///< of the parent
  template <class T>
  volatile T& at(uint64_t gpa) const {
    return kernel::at<T>(pages[gpa / 4096] + gpa % 4096);
  }
};

/// A child with 16 pages of RAM in which `code` lies at 0x8000, below page tables of its own; its VP 1 is started there.
const char* make(Child& child, const void* code, std::size_t size, uint64_t flags = 0);
/// Ends it and takes all its pages back, each of which must be empty.
const char* end(const Child& child, unsigned& pages);
const char* start(const Child& child);
Result set(const Child& child, call::RegisterName name, uint64_t value);
uint64_t get(const Child& child, call::RegisterName name);
Result install(const Child& child, abi::hv::InterceptType type, uint32_t access, uint64_t parameter);

/// Messages of children are heard; the handler answers them.
const char* listen();
/// Called for each message, with interrupts off; it lets the VP go on, or not.
using Answer = void (*)(const abi::hv::Message& message);
void on_message(Answer answer);
/// Goes past the instruction that the message is about.
void skip(const Child& child, const abi::hv::InterceptHeader& header);
void resume(const Child& child);
extern volatile uint32_t heard;
/// Halts until `count` messages were heard in all.
void wait_for(uint32_t count);

}  // namespace parent
