#include "sim/rpc/schema.h"

#include <algorithm>
#include <array>

namespace rpc {
namespace {

// Each list of fields becomes an array of its own, so that rows can be of any length.
template <class... Fields>
constexpr auto list(Fields... fields) {
  return std::array<Field, sizeof...(Fields)>{fields...};
}

#define FIELD(...) Field{__VA_ARGS__}
#define PARAMETERS(...) list(__VA_ARGS__)
#define RESULTS(...) list(__VA_ARGS__)

#define RECORD(name, text, ...) constexpr auto record_##name = list(__VA_ARGS__);
#define METHOD(...)
#include "sim/rpc/methods.def"
#undef RECORD

constexpr Record all_records[] = {
#define RECORD(name, text, ...) {#name, text, record_##name},
#include "sim/rpc/methods.def"
#undef RECORD
};
#undef METHOD

/// Owns the lists of one method.
template <size_t parameters, size_t results>
struct Lists {
  std::array<Field, parameters> in;
  std::array<Field, results> out;
};
template <size_t parameters, size_t results>
constexpr Lists<parameters, results> lists(std::array<Field, parameters> in, std::array<Field, results> out) {
  return {in, out};
}

#define RECORD(...)
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define METHOD(name, effect, text, parameters, results) constexpr auto JOIN(row_, __LINE__) = lists(parameters, results);
#include "sim/rpc/methods.def"
#undef METHOD

constexpr Method all_methods[] = {
#define METHOD(name, effect, text, parameters, results) \
  {#name, text, JOIN(row_, __LINE__).in, JOIN(row_, __LINE__).out, Effect::effect},
#include "sim/rpc/methods.def"
#undef METHOD
};
#undef RECORD

template <class Row>
const Row* find(std::span<const Row> rows, std::string_view name) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& known) { return known.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

}  // namespace

std::span<const Record> records() { return all_records; }
std::span<const Method> methods() { return all_methods; }
const Record* find_record(std::string_view name) { return find(records(), name); }
const Method* find_method(std::string_view name) { return find(methods(), name); }

}  // namespace rpc
