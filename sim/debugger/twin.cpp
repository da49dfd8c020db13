#include "sim/debugger/twin.h"

#include <algorithm>
#include <iterator>

#include "sim/support/check.h"

namespace debugger {

Twin::Twin(machine::Machine& original, std::unique_ptr<machine::Machine> exact)
    : original_{original},
      exact_{std::move(exact)},
      in_original_{original_.memory().add_dirty_consumer()},
      in_exact_{exact_->memory().add_dirty_consumer()} {}

Twin::~Twin() {
  original_.memory().remove_dirty_consumer(in_original_);
  exact_->memory().remove_dirty_consumer(in_exact_);
}

void Twin::catch_up() {
  mmu::PhysicalMemory &from = original_.memory(), &to = exact_->memory();
  from.drain_dirty(in_original_, dirty_original_);
  to.drain_dirty(in_exact_, dirty_exact_);
  if (!equal_once_) {
    dirty_original_ = from.pages_in_use();
    dirty_exact_ = to.pages_in_use();
    equal_once_ = true;
  }
  pages_.clear();
  std::set_union(dirty_original_.begin(), dirty_original_.end(), dirty_exact_.begin(), dirty_exact_.end(),
                 std::back_inserter(pages_));
  for (const uint64_t page : pages_) to.restore_page(page, from.data() + page * abi::page_size);
  fields_.clear();
  original_.write_fields(fields_);
  CHECK(exact_->read_fields(fields_).ok());
  to.drain_dirty(in_exact_, dirty_exact_);
}

}  // namespace debugger
