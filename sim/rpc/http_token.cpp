// The secret of a server: the one random number of this program that no seed may repeat.
#include <sys/random.h>

#include <array>
#include <cstdint>

#include "sim/rpc/http_gate.h"
#include "sim/rpc/records.h"

namespace rpc {

std::string make_token() {
  std::array<uint8_t, 16> bytes{};
  const ssize_t count = getrandom(bytes.data(), bytes.size(), 0);
  return count == static_cast<ssize_t>(bytes.size()) ? bytes_text(bytes) : std::string{};
}

}  // namespace rpc
