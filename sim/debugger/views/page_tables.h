#pragma once
// Which physical pages are page tables, and of whom.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/debugger/views/eye.h"

namespace debugger::views {

/// Page tables of one address space.
struct TableRoot {
  abi::hv::Vtl vtl{};
  uint64_t cr3{};
  std::string owner;  ///< a process, or whatever it is the root of
};

struct TablePage {
  size_t root{};    ///< of the roots that were asked for: the first that leads there
  uint8_t level{};  ///< 5 to 1
  bool kernel{};    ///< of addresses of the upper half, which all address spaces of a VTL may share
};
/// By page number, as guests count them.
using TablePages = std::map<uint64_t, TablePage>;

/// Of long mode; guests of other modes have none here. What guests wrote there may be anything: at most `maximum` are found.
[[nodiscard]] TablePages table_pages(const machine::Machine& machine, uint32_t vp, const std::vector<TableRoot>& roots,
                                     size_t maximum = 8192);
/// "page directory of VTL 1's kernel", "page table of lsaiso.exe".
[[nodiscard]] std::string text_of(const TablePage& page, const std::vector<TableRoot>& roots);

}  // namespace debugger::views
