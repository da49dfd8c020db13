// Machine: back to one instant, many times a second. The fields are those of Machine::visit_state; the bytes never left this
// process, so nothing about them is doubted, and reading them is copying.
#include "sim/machine/machine.h"
#include "sim/support/check.h"
#include "sim/support/state.h"

namespace machine {
namespace {

template <class T>
constexpr bool remembers_itself = std::same_as<std::remove_const_t<T>, mmu::Translator>;

class FieldWriter : public support::StateVisitor<FieldWriter> {
 public:
  static constexpr bool reads = false;
  explicit FieldWriter(std::vector<uint8_t>& bytes) : bytes_{bytes} {}

  template <class T>
  FieldWriter& operator()(const char*, T& value) {
    if constexpr (!remembers_itself<T>) visit(value);
    return *this;
  }
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
  bool same_count(const uint64_t&) { return true; }

 private:
  void append(const void* data, size_t size) {
    const auto* const from = static_cast<const uint8_t*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
  }
  std::vector<uint8_t>& bytes_;
};

class FieldReader : public support::StateVisitor<FieldReader> {
 public:
  static constexpr bool reads = true, rewinds = true;
  explicit FieldReader(const uint8_t* at) : at_{at} {}

  template <class T>
  FieldReader& operator()(const char*, T& value) {
    if constexpr (!remembers_itself<T>) visit(value);
    return *this;
  }
  [[nodiscard]] static bool ok() { return true; }
  FieldReader& require(bool, const char*) { return *this; }
  FieldReader& require_empty(const char*) { return *this; }
  void enter(const char*) {}
  void index(uint64_t) {}
  void leave() {}
  template <class T>
  void scalar(T& value) {
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
  }
  template <class T, size_t N>
  void bulk(std::span<T, N> values) {
    if (values.empty()) return;
    std::memcpy(values.data(), at_, values.size_bytes());
    at_ += values.size_bytes();
  }
  void count(uint64_t& number, size_t) { scalar(number); }
  static bool same_count(uint64_t) { return true; }
  [[nodiscard]] const uint8_t* position() const { return at_; }

 private:
  const uint8_t* at_;
};

}  // namespace

std::vector<uint8_t> Machine::remember() {
  translator_.remember();
  std::vector<uint8_t> fields;
  FieldWriter writer{fields};
  writer.visit(static_cast<const Machine&>(*this));
  return fields;
}

void Machine::put_back(std::span<const uint8_t> fields) {
  FieldReader reader{fields.data()};
  reader.visit(*this);
  CHECK(reader.position() == fields.data() + fields.size());
  (void)translator_.put_back();
  stop_requested_ = stopped_before_address_ = false;
  (void)host_breakpoints_.take_met();
  detail_ = "";
}

}  // namespace machine
