#pragma once
// The demonstration that a run ends with: what VTL 0 sees of the page that holds the secret.
#include <optional>
#include <string>
#include <vector>

#include "mmu/explain.h"
#include "sim/machine/machine.h"

namespace cli {

/// Where the secret lies in the process that keeps it (S24).
inline constexpr abi::Gva secret_address{0x2779cbb0000};
inline constexpr size_t secret_view_bytes = 0x20 * 4;  ///< `dc 2779cbb0000 L20`

/// Which of the worlds a run showed.
enum class World : uint8_t { Bare, HypervisorOnly, Vsm };
[[nodiscard]] World world_of(const machine::Machine& machine);
[[nodiscard]] const char* word(World world);

/// VTL 0's view of the secret's page: of the trustlet with VSM, of the ordinary process without.
struct Trophy {
  support::Instant at;
  std::string process;
  uint64_t pid{}, cr3{};
  mmu::WalkRule rule{};  ///< what decided about the first byte
  std::vector<std::optional<uint8_t>> bytes;

  [[nodiscard]] size_t readable() const;
};

/// Looks at the page when the process that keeps the secret ends, or the system with it: while it is still there; or at the
/// end of a run that stops earlier. Looking changes nothing.
class TrophyHunter : public support::EventSink {
 public:
  void on(const support::Event& event) override;
  /// The machine to look into; nothing is heard before it exists.
  void attach(const machine::Machine& machine) { machine_ = &machine; }
  /// Nothing if the process that keeps the secret was not reached.
  [[nodiscard]] std::optional<Trophy> result() const;

 private:
  [[nodiscard]] Trophy look(support::Instant at) const;

  const machine::Machine* machine_{};
  std::string process_;
  uint64_t pid_{}, cr3_{};
  std::optional<Trophy> seen_;
};

/// One or two sentences that say what was shown, from what was seen.
[[nodiscard]] std::string verdict(World world, const std::optional<Trophy>& trophy);

}  // namespace cli
