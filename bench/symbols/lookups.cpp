// What it costs to find symbols, places, source lines, types and stacks' unwind data, with every image of the build
// loaded at once. Needs the guest images, in guests/images below the current folder.
//
//   airlock_symbol_speed                   the table; times are of one lookup
#include <benchmark/benchmark.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "sim/loader/pe_image.h"
#include "sim/symbols/library.h"
#include "sim/symbols/places.h"

namespace {

namespace fs = std::filesystem;
using namespace symbols;

constexpr const char* folder = "guests/images";

/// All images side by side, and some of their names and addresses.
struct World {
  World() {
    std::vector<fs::path> files;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator{folder, none})
      if (entry.path().extension() != ".pdb" && entry.is_regular_file()) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    uint64_t base = 0xfffff80000000000;
    for (const fs::path& path : files) {
      const auto bytes = loader::read_file(path.string());
      if (!bytes) continue;
      const auto image = loader::PeImage::parse(bytes.value());
      if (!image) continue;
      images.load(path.filename().string(), base, image.value().optional_header().size_of_image, 0);
      base += uint64_t{64} << 20;
    }
    for (const loader::LoadedImage& image : images.images()) {
      if (image.symbols == nullptr) continue;
      for (const loader::PdbSymbol& symbol : image.symbols->symbols()) {
        names.push_back(image.module + "!" + symbol.name);
        bare.emplace_back(loader::last_name_part(symbol.name));
        addresses.push_back(image.base + symbol.rva + 3);
      }
    }
  }
  loader::ImageCatalog images{{folder}};
  Library library{{folder}};
  std::vector<std::string> names, bare;
  std::vector<uint64_t> addresses;
};

const World& world() {
  static const World all;
  return all;
}

bool ready(benchmark::State& state) {
  if (!world().names.empty()) return true;
  state.SkipWithError("no guest images below the current folder");
  return false;
}
void note_size(benchmark::State& state) {
  state.counters["images"] = static_cast<double>(world().images.images().size());
  state.counters["symbols"] = static_cast<double>(world().names.size());
}

/// Each symbol in turn, in an order that no cache likes.
template <class Each>
void over_all(benchmark::State& state, const Each& each) {
  if (!ready(state)) return;
  size_t at = 0;
  for (auto _ : state) {
    each(at);
    at = (at + 7919) % world().names.size();
  }
  note_size(state);
}

void by_module_and_name(benchmark::State& state) {
  over_all(state, [](size_t i) { benchmark::DoNotOptimize(address_of(world().images, world().names[i])); });
}
void by_bare_name(benchmark::State& state) {
  over_all(state, [](size_t i) { benchmark::DoNotOptimize(address_of(world().images, world().bare[i])); });
}
void absent_name(benchmark::State& state) {
  over_all(state, [](size_t) { benchmark::DoNotOptimize(address_of(world().images, "no_such_symbol")); });
}
void by_address(benchmark::State& state) {
  over_all(state, [](size_t i) { benchmark::DoNotOptimize(place_at(world().images, world().addresses[i])); });
}
void by_pattern(benchmark::State& state) {
  over_all(state, [](size_t) { benchmark::DoNotOptimize(find_symbols(world().images, "nt!Ki*", 100)); });
}
void by_pattern_in_all(benchmark::State& state) {
  over_all(state, [](size_t) { benchmark::DoNotOptimize(find_symbols(world().images, "*Process*", 100)); });
}
void by_source_line(benchmark::State& state) {
  over_all(state, [](size_t i) {
    benchmark::DoNotOptimize(addresses_of_line(world().images, "ske/processor.cpp", static_cast<uint32_t>(i % 120)));
  });
}
void type_by_name(benchmark::State& state) {
  if (!ready(state)) return;
  const TypeTable& types = world().library.of("securekernel.exe").types;
  for (auto _ : state) benchmark::DoNotOptimize(types.find("SkProcess"));
  state.counters["types"] = static_cast<double>(types.named().size());
}
void locals_of_a_function(benchmark::State& state) {
  if (!ready(state)) return;
  const FunctionTable& functions = world().library.of("ntoskrnl.exe").functions;
  size_t at = 0;
  for (auto _ : state) {
    const Function& function = functions.functions()[at];
    benchmark::DoNotOptimize(functions.locals(function, function.rva + function.size / 2));
    at = (at + 1) % functions.functions().size();
  }
}
void read_all_files(benchmark::State& state) {
  if (!ready(state)) return;
  for (auto _ : state) {
    const Library library{{folder}};
    for (const loader::LoadedImage& image : world().images.images()) benchmark::DoNotOptimize(library.of(image.name));
  }
  note_size(state);
}

BENCHMARK(by_module_and_name)->Unit(benchmark::kMicrosecond);
BENCHMARK(by_bare_name)->Unit(benchmark::kMicrosecond);
BENCHMARK(absent_name)->Unit(benchmark::kMicrosecond);
BENCHMARK(by_address)->Unit(benchmark::kMicrosecond);
BENCHMARK(by_pattern)->Unit(benchmark::kMicrosecond);
BENCHMARK(by_pattern_in_all)->Unit(benchmark::kMicrosecond);
BENCHMARK(by_source_line)->Unit(benchmark::kMicrosecond);
BENCHMARK(type_by_name)->Unit(benchmark::kMicrosecond);
BENCHMARK(locals_of_a_function)->Unit(benchmark::kMicrosecond);
BENCHMARK(read_all_files)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
