// The reader of functions and locals: any PDB.
#include <cstdlib>

#include "sim/symbols/functions.h"
#include "vtl/virtual_processor.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto table = symbols::FunctionTable::parse({data, size});
  if (!table) {
    if (table.error().message.empty()) std::abort();
    return 0;
  }
  uint32_t before = 0;
  size_t looked_at = 0;
  for (const symbols::Function& function : table.value().functions()) {
    if (function.rva < before) std::abort();
    before = function.rva;
    if (++looked_at > 32) continue;
    for (const uint32_t at : {0u, 1u, function.size / 2}) {
      for (const symbols::Local& local : table.value().locals(function, function.rva + at))
        if (local.where != symbols::Local::Where::Nowhere && local.reg >= vtl::gpr_count) std::abort();
    }
  }
  for (const symbols::Datum& datum : table.value().data())
    if (table.value().find_data(datum.name).empty()) std::abort();
  return 0;
}
