#pragma once
// A host operation that may fail, and the terse way to pass its failure on.
#include <string>
#include <utility>
#include <variant>

namespace support {

/// Why a host operation failed, as a sentence for the user.
struct Error {
  std::string message;
};

/// A value or the reason why there is none. Never used for what a guest receives.
template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_{std::in_place_index<0>, std::move(value)} {}
  Result(E error) : state_{std::in_place_index<1>, std::move(error)} {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] T& value() { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const { return std::get<0>(state_); }
  [[nodiscard]] E& error() { return std::get<1>(state_); }
  [[nodiscard]] const E& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, E> state_;
};

/// Success without a value.
struct Unit {};
using Status = Result<Unit>;

}  // namespace support

/// Yields the value of a Result or returns its error from the enclosing function.
#define TRY(expression)                                              \
  ({                                                                 \
    auto try_result_ = (expression);                                 \
    if (!try_result_.ok()) return std::move(try_result_.error());    \
    std::move(try_result_.value());                                  \
  })
