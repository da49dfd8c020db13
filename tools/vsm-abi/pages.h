#pragma once
// Which pages there are, and what fills each.
#include <string>
#include <vector>

#include "contract.h"
#include "markdown.h"

namespace vsm_abi {

struct PagePlan {
  const char* file;
  const char* title;
  const char* what;                   ///< one paragraph below the title, and the line in the index
  std::vector<std::string> headers;   ///< headers whose structures stand on this page
  void (*fill)(const Contract&, Page&);
};

const std::vector<PagePlan>& plans();

void fill_hypercalls(const Contract& contract, Page& page);
void fill_statuses(const Contract& contract, Page& page);
void fill_vp_registers(const Contract& contract, Page& page);
void fill_msrs(const Contract& contract, Page& page);
void fill_secure_services(const Contract& contract, Page& page);
void fill_normal_services(const Contract& contract, Page& page);
void fill_system_calls(const Contract& contract, Page& page);
void fill_not_implemented(const Contract& contract, Page& page);

}  // namespace vsm_abi
