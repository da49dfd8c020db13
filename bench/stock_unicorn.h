#pragma once
// The yardstick: the same library as it comes, with its built-in paging, no hooks and no counting.
#include <cstdint>
#include <memory>

#include "sim/machine/machine.h"

struct uc_struct;

namespace bench {

class StockUnicorn {
 public:
  /// A copy of the memory and the start of a machine that has not run yet. `block_hook`: with a hook at each block that only
  /// counts blocks, the least that any exact counting by this library can cost.
  explicit StockUnicorn(const machine::Machine& machine, bool block_hook = false);
  ~StockUnicorn();
  StockUnicorn(const StockUnicorn&) = delete;
  StockUnicorn& operator=(const StockUnicorn&) = delete;

  /// To HLT. False: the library reports an error.
  bool run();
  /// A general register after the run: Rsi must be 0.
  [[nodiscard]] uint64_t rsi() const;

 private:
  uc_struct* engine_{};
  uint64_t entry_{};
  uint64_t blocks_{};
};

}  // namespace bench
