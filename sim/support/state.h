#pragma once
// The visitors of state: to bytes, from bytes that nobody vouches for, to a hash, to names and values. What is visited
// stands with each type (sim/support/state_fields.h). Integers are little-endian in their own size; a list is its count
// (8 bytes) and its elements; an optional part is a byte 0 or 1 and then the part.
#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "abi/layout/address.h"
#include "sim/support/instant.h"
#include "sim/support/result.h"
#include "sim/support/state_fields.h"
#include "sim/support/state_hash.h"

namespace support {

static_assert(std::endian::native == std::endian::little, "saved integers are copied as they lie in memory");

namespace state_detail {

template <class T>
concept Scalar = std::integral<T> || std::is_enum_v<T>;

template <class T>
struct IsAddress : std::false_type {};
template <class Space>
struct IsAddress<abi::Address<Space>> : std::true_type {};

/// A register of named bits: its state is the integer under it.
template <class T>
concept Bits = requires(T value) { requires std::integral<std::remove_cvref_t<decltype(value.raw)>>; } &&
               sizeof(T) == sizeof(T::raw);

template <class T>
struct IsArray : std::false_type {};
template <class T, size_t N>
struct IsArray<std::array<T, N>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

/// Elements that are copied all at once: integers, and structs without padding that ask for it by `state_is_plain`.
template <class T>
concept Plain = (std::integral<T> && !std::same_as<T, bool>) ||
                (requires { requires T::state_is_plain; } && std::has_unique_object_representations_v<T> &&
                 std::is_trivially_copyable_v<T>);

}  // namespace state_detail

/// What all visitors have in common. A visitor supplies scalar(), bulk(), count(), and enter(), index(), leave() around
/// each named or numbered part.
template <class Derived>
class StateVisitor {
 public:
  /// One field.
  template <class T>
  Derived& operator()(const char* name, T& value) {
    return group(name, [&] { visit(value); });
  }
  /// Members that are no state: references to other parts, caches, what the configuration decides.
  template <class... T>
  Derived& host(const T&...) {
    return derived();
  }
  /// A condition on what was read before; only a reader looks.
  Derived& require(bool, const char*) { return derived(); }
  /// The same for what is said as a text: empty, or what is wrong.
  Derived& require_empty(const char* what) { return derived().require(*what == '\0', what); }

  /// Everything that `body` visits stands under `name`.
  template <class Body>
  Derived& group(const char* name, Body body) {
    derived().enter(name);
    body();
    derived().leave();
    return derived();
  }
  /// A list whose length the configuration decides: `body(element)` visits each.
  template <class Range, class Body>
  Derived& each(const char* name, Range& range, Body body) {
    return group(name, [&] {
      uint64_t number = std::size(range);
      if (!derived().same_count(number)) return;
      uint64_t position = 0;
      for (auto& element : range) {
        derived().index(position++);
        body(element);
        derived().leave();
      }
    });
  }
  /// A part that comes and goes: `make()` yields a new one to read into, `drop(part)` prepares one to be destroyed.
  template <class Pointer, class Make, class Drop>
  Derived& object(const char* name, Pointer& pointer, Make make, Drop drop) {
    return group(name, [&] {
      bool present = pointer != nullptr;
      derived().scalar(present);
      if constexpr (Derived::reads) {
        if (!derived().ok()) return;
        if (present && pointer == nullptr) pointer = make();
        if (!present && pointer != nullptr) {
          drop(*pointer);
          pointer.reset();
        }
      }
      if (pointer != nullptr) visit(*pointer);
    });
  }

  template <class T>
  void visit(T& value) {
    using Type = std::remove_const_t<T>;
    using namespace state_detail;
    if constexpr (requires { Type::visit_state(derived(), value); }) {
      Type::visit_state(derived(), value);
    } else if constexpr (Scalar<Type>) {
      derived().scalar(value);
    } else if constexpr (Bits<Type>) {
      derived().scalar(value.raw);
    } else if constexpr (std::same_as<Type, Instant>) {
      derived().scalar(value.ticks);
    } else if constexpr (IsAddress<Type>::value) {
      uint64_t raw = value.value();
      derived().scalar(raw);
      if constexpr (Derived::reads) value = Type{raw};
    } else if constexpr (IsArray<Type>::value) {
      elements(value);
    } else if constexpr (IsVector<Type>::value || std::same_as<Type, std::string>) {
      visit_list(value);
    } else {
      static_assert(IsOptional<Type>::value, "this type does not say what its state is: see state_fields.h");
      visit_optional(value);
    }
  }

 protected:
  Derived& derived() { return static_cast<Derived&>(*this); }

 private:
  template <class List>
  void elements(List& list) {
    using Element = typename List::value_type;
    if constexpr (state_detail::Plain<Element>) {
      derived().bulk(std::span{list});
    } else {
      uint64_t position = 0;
      for (auto& element : list) {
        derived().index(position++);
        visit(element);
        derived().leave();
      }
    }
  }
  template <class List>
  void visit_list(List& list) {
    using Element = typename List::value_type;
    uint64_t number = list.size();
    derived().count(number, state_detail::Plain<Element> ? sizeof(Element) : 1);
    if constexpr (Derived::reads) {
      if (!derived().ok()) return;
      list.resize(number);
    }
    elements(list);
  }
  template <class Optional>
  void visit_optional(Optional& optional) {
    bool present = optional.has_value();
    derived().scalar(present);
    if constexpr (Derived::reads) {
      if (!derived().ok()) return;
      if (present) optional.emplace();
      else optional.reset();
    }
    if (optional) visit(*optional);
  }
};

/// State to bytes, appended to what is there.
class StateWriter : public StateVisitor<StateWriter> {
 public:
  static constexpr bool reads = false;
  explicit StateWriter(std::vector<uint8_t>& bytes) : bytes_{bytes} {}

  void enter(const char*) {}
  void index(uint64_t) {}
  void leave() {}
  template <class T>
  void scalar(const T& value) {
    append(&value, sizeof value);
  }
  template <class T, size_t N>
  void bulk(std::span<T, N> values) {
    append(values.data(), values.size_bytes());
  }
  void count(const uint64_t& number, size_t) { scalar(number); }
  bool same_count(const uint64_t& number) {
    scalar(number);
    return true;
  }

 private:
  void append(const void* data, size_t size) {
    if (size == 0) return;
    const size_t before = bytes_.size();
    bytes_.resize(before + size);
    std::memcpy(bytes_.data() + before, data, size);
  }
  std::vector<uint8_t>& bytes_;
};

/// State from bytes that may be damaged or made by an enemy. The first thing that is wrong ends the reading: what follows
/// keeps the values it had. Nothing is allocated that the bytes do not pay for.
class StateReader : public StateVisitor<StateReader> {
 public:
  static constexpr bool reads = true;
  explicit StateReader(std::span<const uint8_t> bytes) : bytes_{bytes} {}

  [[nodiscard]] bool ok() const { return message_.empty(); }
  /// The first error, or that bytes are left over; success otherwise.
  [[nodiscard]] Status finish() const;
  StateReader& require(bool condition, const char* what) {
    if (!condition && ok()) fail(what);
    return *this;
  }

  void enter(const char* name) { push({name, 0}); }
  void index(uint64_t position) { push({nullptr, position}); }
  void leave() { --depth_; }
  template <class T>
  void scalar(T& value) {
    if constexpr (std::same_as<T, bool>) {
      uint8_t byte = 0;
      if (!take(&byte, 1)) return;
      if (byte > 1) return fail("neither 0 nor 1");
      value = byte != 0;
    } else {
      take(&value, sizeof value);
    }
  }
  template <class T, size_t N>
  void bulk(std::span<T, N> values) {
    take(values.data(), values.size_bytes());
  }
  /// Elements take at least `bytes_each`.
  void count(uint64_t& number, size_t bytes_each);
  bool same_count(uint64_t expected);

 private:
  struct Step {
    const char* name;
    uint64_t index;
  };
  bool take(void* to, size_t size) {
    if (!ok()) return false;
    if (size > bytes_.size() - position_) {
      fail("the bytes end here");
      return false;
    }
    if (size != 0) std::memcpy(to, bytes_.data() + position_, size);
    position_ += size;
    return true;
  }
  void push(Step step) {
    if (depth_ < path_.size()) path_[depth_] = step;
    ++depth_;
  }
  void fail(const char* what);

  std::span<const uint8_t> bytes_;
  size_t position_{};
  std::array<Step, 24> path_{};
  size_t depth_{};
  std::string message_;
};

/// State to a hash.
class StateDigest : public StateVisitor<StateDigest> {
 public:
  static constexpr bool reads = false;
  explicit StateDigest(StateHasher& hasher) : hasher_{hasher} {}

  void enter(const char*) {}
  void index(uint64_t) {}
  void leave() {}
  template <class T>
  void scalar(const T& value) {
    hasher_.add(static_cast<uint64_t>(value));
  }
  template <class T, size_t N>
  void bulk(std::span<T, N> values) {
    hasher_.add(std::span{reinterpret_cast<const uint8_t*>(values.data()), values.size_bytes()});
  }
  void count(const uint64_t& number, size_t) { hasher_.add(number); }
  bool same_count(const uint64_t& number) {
    hasher_.add(number);
    return true;
  }

 private:
  StateHasher& hasher_;
};

/// One field by its path, such as `vp[0].contexts[1].rip`. Lists of bytes are one field.
struct NamedState {
  std::string path;
  uint64_t value{};
  std::vector<uint8_t> bytes;  ///< of a list of bytes; value is then their number
};

/// A field that differs, or that only one side has.
struct StateDifference {
  std::string path;
  std::string a, b;  ///< as text; "absent" when that side has no such field
};

/// State to paths and values.
class StateNames : public StateVisitor<StateNames> {
 public:
  static constexpr bool reads = false;
  void enter(const char* name);
  void index(uint64_t position);
  void leave();
  template <class T>
  void scalar(const T& value) {
    add(static_cast<uint64_t>(value));
  }
  template <class T, size_t N>
  void bulk(std::span<T, N> values) {
    if constexpr (sizeof(T) == 1) {
      add(std::span{reinterpret_cast<const uint8_t*>(values.data()), values.size()});
    } else {
      for (size_t i = 0; i < values.size(); ++i) {
        index(i);
        visit(values[i]);
        leave();
      }
    }
  }
  void count(const uint64_t& number, size_t) { group("count", [&] { scalar(number); }); }
  bool same_count(const uint64_t& number) {
    count(number, 1);
    return true;
  }

  [[nodiscard]] const std::vector<NamedState>& fields() const { return fields_; }

 private:
  void add(uint64_t value);
  void add(std::span<const uint8_t> bytes);

  std::string path_;
  std::vector<size_t> lengths_;  ///< of the path before each step
  std::vector<NamedState> fields_;
};

/// The fields that differ: first those of `a` in their order, then those that only `b` has.
[[nodiscard]] std::vector<StateDifference> compare(const std::vector<NamedState>& a, const std::vector<NamedState>& b);

/// The hash of one listed object.
template <class T>
[[nodiscard]] StateHash hash_of(const T& value) {
  StateHasher hasher;
  StateDigest digest{hasher};
  digest.visit(value);
  return hasher.finish();
}

}  // namespace support
