// vsm-abi: prints the reference pages from the tables that host and guests compile, and checks that the committed ones say
// the same.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "contract.h"
#include "pages.h"

namespace {

constexpr const char* usage =
    "usage: vsm-abi ABI --write FOLDER   write the pages\n"
    "       vsm-abi ABI --check FOLDER   compare them with what is there; 1 if anything differs\n"
    "ABI is the folder vtl/abi, FOLDER docs/reference.\n";
constexpr const char* regenerate = "cmake --build --preset dev --target reference-docs";

std::string index(const std::vector<vsm_abi::Page>& pages) {
  vsm_abi::Page page{"README.md", "Reference", "Numbers, layouts and names of everything that host and guests agree on, one page per subject."};
  vsm_abi::Table table{{"Page", "What"}};
  for (const vsm_abi::Page& other : pages) table.row({fmt::format("[{}]({})", other.title(), other.file()), other.what()});
  page.table(table);
  page.paragraph(
      "Where a number comes from stands beside it. [Sources](../sources.md) says what the short names mean (TLFS, SDM, hvdef, hdk, S51, section 7.5, "
      "decisions 5) and which choices are this project's own.");
  return page.text();
}

std::map<std::string, std::string> render(const vsm_abi::Contract& contract) {
  std::vector<vsm_abi::Page> pages;
  for (const vsm_abi::PagePlan& plan : vsm_abi::plans()) {
    pages.emplace_back(plan.file, plan.title, plan.what);
    plan.fill(contract, pages.back());
  }
  std::map<std::string, std::string> files{{"README.md", index(pages)}};
  for (const vsm_abi::Page& page : pages) files.emplace(page.file(), page.text());
  return files;
}

int write(const std::map<std::string, std::string>& files, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (const auto& [name, text] : files) {
    if (vsm_abi::read_file(folder / name) == text) continue;
    std::ofstream file{folder / name, std::ios::binary};
    if (!(file << text).flush()) {
      fmt::print(stderr, "vsm-abi: cannot write {}\n", (folder / name).string());
      return 1;
    }
    fmt::print("{}\n", (folder / name).string());
  }
  return 0;
}

/// The first line that differs, so that the message says what changed.
std::string first_difference(const std::string& committed, const std::string& wanted) {
  size_t line_start = 0, line = 1, i = 0;
  for (; i < committed.size() && i < wanted.size() && committed[i] == wanted[i]; ++i) {
    if (wanted[i] == '\n') line_start = i + 1, ++line;
  }
  const auto at = [&](const std::string& text) { return text.substr(line_start, text.find('\n', line_start) - line_start); };
  return fmt::format("line {}\n  committed: {}\n  tables:    {}", line, at(committed), at(wanted));
}

int check(const std::map<std::string, std::string>& files, const std::filesystem::path& folder) {
  int wrong = 0;
  for (const auto& [name, text] : files) {
    const auto committed = vsm_abi::read_file(folder / name);
    if (committed == text) continue;
    ++wrong;
    fmt::print("{}: {}\n", name, committed ? "differs from the tables, " + first_difference(*committed, text) : "is missing");
  }
  std::set<std::string> there;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{folder, error}) there.insert(entry.path().filename().string());
  for (const std::string& name : there) {
    // Those are of tools/conformance, tools/rpc-pages and the console's table of commands.
    if (files.contains(name) || name == "conformance.md" || name == "rpc.md" || name == "console.md") continue;
    ++wrong;
    fmt::print("{}: is not a page of the tables; remove it\n", name);
  }
  if (wrong != 0) fmt::print("{} pages are not what the tables say. To regenerate them:\n  {}\n", wrong, regenerate);
  return wrong == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc == 4 ? argv[2] : "";
  if (mode != "--write" && mode != "--check") {
    fmt::print(stderr, "{}", usage);
    return 2;
  }
  vsm_abi::Contract contract{argv[1]};
  for (const vsm_abi::PagePlan& plan : vsm_abi::plans()) {
    for (const std::string& header : plan.headers) contract.place(header, plan.file);
  }
  for (const std::string& header : contract.unplaced()) {
    fmt::print(stderr, "vsm-abi: vtl/abi/{} is on no page; give it one in tools/vsm-abi/pages.cpp\n", header);
  }
  if (!contract.unplaced().empty()) return 1;
  const auto files = render(contract);
  return mode == "--write" ? write(files, argv[3]) : check(files, argv[3]);
}
