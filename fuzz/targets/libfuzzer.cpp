// A target as a libFuzzer program: AIRLOCK_FUZZ_TARGET is its name. Only this file is built with -fsanitize=fuzzer, and
// nothing of the simulator is instrumented: the counters are those of the guest's edges.
//
//   fuzz_NAME [--guests=FOLDER] [--seeds=FOLDER] [--no-compares] [libFuzzer's options and folders]
//
// --guests: where images/ and disk.img are; guests/ beside the program otherwise. --seeds: writes the target's own inputs
// there first. --no-compares: mutations do not look at what the guest compares, which takes a second machine in gear Exact.//
// With -reload=0 (libFuzzer reads its folders again by the clock of the host) a seed and a corpus give one campaign.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "fuzz/engine/compares.h"
#include "fuzz/engine/session.h"
#include "fuzz/targets/targets.h"
#include "sim/support/prng.h"

// The interface of clang's sanitizer runtime (SanitizerCoverage, "Inline 8bit-counters" and "PC-Table").
extern "C" {
void __sanitizer_cov_8bit_counters_init(uint8_t* first, uint8_t* end);
void __sanitizer_cov_pcs_init(const uintptr_t* first, const uintptr_t* end);
size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t maximum);
}

namespace {

using fuzzing::Ending;
using fuzzing::Session;

struct Fuzzer {
  std::unique_ptr<fuzzing::Target> target;
  std::unique_ptr<Session> session;
  // For mutations by what the guest compares; opened when first needed.
  bool compares{true};
  std::string guests;
  fuzzing::CompareRecorder recorder;
  std::unique_ptr<fuzzing::Target> compared_target;
  std::unique_ptr<Session> compared;
};
Fuzzer* fuzzer{};

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "fuzz_%s: %s\n", AIRLOCK_FUZZ_TARGET, message.c_str());
  std::exit(2);
}

void write_seeds(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  size_t number = 0;
  for (const std::vector<uint8_t>& seed : fuzzer->target->seeds()) {
    char name[32];
    std::snprintf(name, sizeof name, "/seed-%04zu", number++);
    std::ofstream file{folder + name, std::ios::binary};
    file.write(reinterpret_cast<const char*>(seed.data()), static_cast<std::streamsize>(seed.size()));
    if (!file.flush()) fail("cannot write seeds to " + folder);
  }
}

std::string folder_of_program() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

/// libFuzzer wants an address for each counter. Edges have none: their numbers stand for them.
void register_counters() {
  constexpr size_t count = cpu::BlockCoverage::edge_counters;
  static uintptr_t places[2 * count];
  for (size_t i = 0; i < count; ++i) places[2 * i] = 0x100000 + 16 * i;
  const auto edges = fuzzer->session->coverage().edges();
  __sanitizer_cov_8bit_counters_init(edges.data(), edges.data() + edges.size());
  __sanitizer_cov_pcs_init(places, places + 2 * count);
}

/// In place of a value that the guest compared, the one that it was compared with.
std::vector<uint8_t> mutate_by_compares(std::span<const uint8_t> input, unsigned seed) {
  if (fuzzer->compared == nullptr) {
    fuzzer->compared_target = fuzzing::make_target(AIRLOCK_FUZZ_TARGET, fuzzer->guests, loader::GearSetting::Exact);
    auto session = Session::open(*fuzzer->compared_target, {&fuzzer->recorder}, {.coverage = false});
    if (!session.ok()) fail(session.error().message);
    fuzzer->compared = std::move(session.value());
  }
  (void)fuzzer->compared->execute(input);
  return fuzzing::substitute(input, fuzzer->recorder.comparisons(), seed);
}

/// libFuzzer learns from what the host compares, pointers included: that says nothing of the guest, and differs from run to run.
void do_not_learn_from_the_host(int* argc, char*** argv) {
  static char off[] = "-use_cmp=0";
  static std::vector<char*> arguments{*argv, *argv + *argc};
  const auto chosen = [](const char* argument) { return std::string_view{argument}.starts_with("-use_cmp="); };
  if (std::any_of(arguments.begin(), arguments.end(), chosen)) return;
  arguments.insert(arguments.begin() + 1, off);
  arguments.push_back(nullptr);
  *argv = arguments.data();
  ++*argc;
}

void tell_of(const fuzzing::Execution& execution) {
  for (const fuzzing::Violation& violation : execution.violations) {
    std::fprintf(stderr, "fuzz_%s: %s: %s at %#llx\n", AIRLOCK_FUZZ_TARGET, violation.oracle.c_str(), violation.text.c_str(),
                 static_cast<unsigned long long>(violation.rip));
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  std::string guests = folder_of_program() + "/../guests", seeds;
  bool compares = true;
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (argument.starts_with("--guests=")) guests = argument.substr(9);
    else if (argument.starts_with("--seeds=")) seeds = argument.substr(8);
    else if (argument == "--no-compares") compares = false;
    else if (argument.starts_with("--")) fail("no such option: " + std::string{argument});
  }
  fuzzer = new Fuzzer;
  fuzzer->guests = guests;
  fuzzer->compares = compares;
  fuzzer->target = fuzzing::make_target(AIRLOCK_FUZZ_TARGET, guests);
  if (fuzzer->target == nullptr) fail("there is no such target");
  auto session = Session::open(*fuzzer->target);
  if (!session.ok()) fail(session.error().message);
  fuzzer->session = std::move(session.value());
  register_counters();
  if (!seeds.empty()) write_seeds(seeds);
  do_not_learn_from_the_host(argc, argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzzing::Execution& execution = fuzzer->session->execute({data, size});
  tell_of(execution);
  const bool ours = execution.ending == Ending::Stopped && execution.stop == machine::StopReason::MachineFailure;
  if (ours) std::fprintf(stderr, "fuzz_%s: the machine failed: %s\n", AIRLOCK_FUZZ_TARGET, fuzzer->session->detail().c_str());
  if (ours || !execution.violations.empty()) std::abort();
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t maximum, unsigned seed) {
  constexpr uint64_t rarely = 64;  // the Exact machine takes as long as many executions
  support::Prng random{seed, "mutator"};
  if (random.one_in(2)) return LLVMFuzzerMutate(data, size, maximum);
  const std::span<const uint8_t> input{data, size};
  const bool by_compares = fuzzer->compares && random.one_in(rarely);
  const std::vector<uint8_t> mutated = by_compares ? mutate_by_compares(input, seed) : fuzzer->target->mutate(input, maximum, seed);
  if (!mutated.empty()) std::memcpy(data, mutated.data(), mutated.size());
  return mutated.size();
}
