#pragma once
// Every input that determines a run, as plain data. The defaults are the machine that `airlock run`
// boots without a file.
#include <cstddef>
#include <cstdint>
#include <string>

namespace loader {

/// Exact counts each instruction (needed for tracing); Fast counts blocks. Both give the same
/// results.
enum class GearSetting : uint8_t { Exact, Fast };

/// A boot option that the boot manager reads (BCD hypervisorlaunchtype, vsmlaunchtype).
enum class LaunchType : uint8_t { Off, Auto };

/// Hypervisor-enforced code integrity. Strict: no dynamic code and no relaxation for old drivers.
enum class HvciSetting : uint8_t { Off, On, Strict };

/// Bounds of MachineConfig::memory_bytes. All RAM is [0, memory_bytes) and must stay below the
/// local APIC's page.
inline constexpr uint64_t minimum_memory = uint64_t{64} << 20;
inline constexpr uint64_t maximum_memory = uint64_t{3} << 30;
/// memory_bytes is a multiple of this: RAM is mapped by large pages.
inline constexpr uint64_t memory_granule = uint64_t{2} << 20;
inline constexpr uint64_t default_memory = uint64_t{128} << 20;

/// Who runs next when a machine has several virtual processors. All are functions of the machine alone.
enum class SchedulerPolicy : uint8_t {
  RoundRobin,   ///< in order of their number, each for one quantum
  Random,       ///< the next and its slice are drawn from the scheduler's own stream
  Adversarial,  ///< as Random, and may change after each VTL switch, hypercall, intercept, PAUSE and locked instruction
};

/// What stands around the processors.
enum class Board : uint8_t {
  Native,  ///< the one that the firmware image boots on: disk, launch port, few devices
  Pc,      ///< a PC that begins with a Multiboot kernel
};

/// Of a kernel's command line: printable ASCII, at most so many characters.
inline constexpr size_t maximum_append = 2048;
/// Seconds since 1970-01-01 00:00:00 that a clock can start from: the years 1970 to 9999.
inline constexpr int64_t maximum_clock = 253'402'300'799;
inline constexpr int64_t default_clock = 1'767'225'600;  ///< 2026-01-01 00:00:00

inline constexpr uint32_t maximum_processors = 8;
inline constexpr uint32_t maximum_child_processors = 8;
inline constexpr uint32_t minimum_quantum = 100, maximum_quantum = 100'000'000;

struct MachineConfig {
  // [machine]
  uint64_t memory_bytes{
      default_memory};  ///< RAM of the guests, without the hypervisor's own region
  uint64_t seed{1};     ///< of every random stream of the machine; 0 .. 2^63-1
  GearSetting gear{GearSetting::Fast};

  uint32_t processors{1};  ///< of the root partition: 1 to maximum_processors
  Board board{Board::Native};     ///< Pc as soon as a kernel is named
  int64_t clock{default_clock};   ///< what the PC's clock shows at instant 0: 0 to maximum_clock

  // [scheduler]
  SchedulerPolicy scheduler_policy{SchedulerPolicy::RoundRobin};
  uint64_t scheduler_seed{1};  ///< 0 .. 2^63-1
  uint32_t quantum{200'000};    ///< instructions of a slice: minimum_quantum to maximum_quantum

  // [hypervisor]
  uint32_t maximum_vtl{1};       ///< the highest VTL that guests may enable: 1 or 2
  uint32_t child_processors{0};  ///< virtual processors that HvCallCreateVp can give to child partitions: 0 to 8

  // [boot]
  /// Files on the host; empty means the ones that the build makes. A relative path in a machine
  /// file is taken from the folder of that file and stored here already joined with it.
  std::string disk;
  std::string firmware;
  std::string kernel, initrd;  ///< of the PC board: what it begins with, and the module beside it
  std::string append;          ///< the kernel's command line after its first word
  LaunchType hypervisor_launch_type{LaunchType::Auto};
  /// Auto only together with hypervisor_launch_type Auto.
  LaunchType vsm_launch_type{LaunchType::Auto};
  bool secure_boot{true};
  bool test_signing{false};
  HvciSetting hvci{HvciSetting::On};  ///< without VSM nobody enforces it

  // [limits]
  /// The run stops as abnormal when this many instructions have retired; 0 means no limit.
  uint64_t instruction_limit{20'000'000'000};

  friend bool operator==(const MachineConfig&, const MachineConfig&) = default;
};

}  // namespace loader
