// One child whose every act its parent answers, two that count side by side, and one that is ended.
#include "partitions.h"

using namespace kernel;
using namespace abi::hv;
using namespace parent;

extern "C" {
extern const uint8_t asking_begin[], asking_end[], counting_begin[], counting_end[];
}

namespace {

Child asking, counting[2];
uint32_t types[8];
uint32_t known;

/// Notes each message and lets the child go on as it needs.
void answer_one(const Message& message) {
  if (known < 8) types[known] = static_cast<uint32_t>(message.header.type);
  ++known;
  const auto& header = *reinterpret_cast<const InterceptHeader*>(message.payload);
  switch (message.header.type) {
    case MessageType::X64CpuidIntercept:
      set(asking, call::RegisterName::Rax, 0xCAFE);
      break;
    case MessageType::UnmappedGpa:
      one(call::CallCode::MapGpaPages, MapGpaPages{asking.id, 0x100, map_gpa::readable | map_gpa::writable, 0},
          GpaPage{asking.pages[15] / 4096});
      resume(asking);
      return;
    case MessageType::X64Halt:
      return;  // it stays where it is
    default:
      break;
  }
  skip(asking, header);
  resume(asking);
}

const char* child_is_answered() {
  if (const char* answer = listen()) return answer;
  if (const char* answer = make(asking, asking_begin, static_cast<std::size_t>(asking_end - asking_begin))) return answer;
  asking.at<uint32_t>(0x9000) = 0x1000;
  EXPECT_STATUS(install(asking, InterceptType::X64Cpuid, 4, 0x40000001), Success);
  EXPECT_STATUS(install(asking, InterceptType::X64IoPort, 3, 0xCF8), Success);
  EXPECT_STATUS(install(asking, InterceptType::X64Msr, 3, 0), Success);
  on_message(answer_one);
  const uint32_t before = heard;
  if (const char* answer = start(asking)) return answer;
  wait_for(before + 5);
  const MessageType wanted[] = {MessageType::X64CpuidIntercept, MessageType::X64IoPortIntercept,
                                MessageType::MsrIntercept, MessageType::UnmappedGpa, MessageType::X64Halt};
  for (unsigned i = 0; i < 5; ++i) EXPECT_EQUAL(types[i], wanted[i]);
  EXPECT_EQUAL(asking.at<uint32_t>(0xA000), 0x1001);
  EXPECT_EQUAL(asking.at<uint32_t>(0xA004), 0xCAFE);
  EXPECT_EQUAL(asking.at<uint32_t>(0xF000), 0x600D);
  EXPECT_EQUAL(asking.at<uint32_t>(0xA008), 0xFFFFFFFF);  // a port that nobody answers
  EXPECT_EQUAL(get(asking, call::RegisterName::InterceptSuspend), 1);
  return nullptr;
}

/// Lets the child that wrote to port 0x10 + its number go on.
void answer_counting(const Message& message) {
  const auto& port = *reinterpret_cast<const IoPortIntercept*>(message.payload);
  if (message.header.type != MessageType::X64IoPortIntercept) return;
  for (Child& child : counting) {
    if (child.id != message.header.origin) continue;
    skip(child, port.header);
    resume(child);
  }
}

const char* children_side_by_side() {
  constexpr uint32_t rounds = 20;
  on_message(answer_counting);
  for (uint32_t i = 0; i < 2; ++i) {
    if (const char* answer = make(counting[i], counting_begin, static_cast<std::size_t>(counting_end - counting_begin)))
      return answer;
    counting[i].at<uint32_t>(0x9000) = i + 1;  // its step
    counting[i].at<uint32_t>(0x9004) = rounds;
    EXPECT_STATUS(install(counting[i], InterceptType::X64IoPort, 2, 0x10), Success);
  }
  const uint32_t before = heard;
  for (const Child& child : counting)
    if (const char* answer = start(child)) return answer;
  wait_for(before + 2 * rounds + 2);  // and both halt
  EXPECT_EQUAL(counting[0].at<uint32_t>(0xA000), rounds);
  EXPECT_EQUAL(counting[1].at<uint32_t>(0xA000), 2 * rounds);
  return nullptr;
}

const char* deposited_pages_are_gone() {
  static uint64_t page;
  page = allocate_page();
  at<uint64_t>(page) = 0x5EC2E7;
  EXPECT_STATUS(one(call::CallCode::DepositMemory, PartitionIdOnly{counting[0].id}, GpaPage{page / 4096}), Success);
  EXPECT_EQUAL(guarded([](void*) { (void)load<uint64_t>(page); }).vector, 13);
  EXPECT_STATUS(one(call::CallCode::DepositMemory, PartitionIdOnly{counting[0].id}, GpaPage{counting[0].pages[0] / 4096}),
                OperationDenied);
  return nullptr;
}

const char* ended_children_give_everything_back() {
  for (const Child& child : counting) {
    unsigned pages = 0;
    if (const char* answer = end(child, pages)) return answer;
    EXPECT_THAT(pages >= 24);
  }
  unsigned pages = 0;
  return end(asking, pages);
}

const kernel::Test tests[] = {
    {"a parent answers each act of its child", child_is_answered},
    {"two children with the same addresses count side by side", children_side_by_side},
    {"deposited pages are out of everybody's reach", deposited_pages_are_gone},
    {"children that end give back all their pages, empty", ended_children_give_everything_back},
};

}  // namespace

std::span<const kernel::Test> child_tests() { return tests; }
