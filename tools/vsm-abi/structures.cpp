// Includes the whole contract with an ABI_FIELDS that also writes down what it describes. A new structure needs no line here.
#include "structures.h"

namespace vsm_abi {
namespace {

std::map<std::string, StructureLayout>& mutable_structures() {
  static std::map<std::string, StructureLayout> map;
  return map;
}

template <size_t Count>
bool add(const char* name, size_t size, const abi::Field (&fields)[Count]) {
  mutable_structures().emplace(name, StructureLayout{size, fields});
  return true;
}

}  // namespace

const std::map<std::string, StructureLayout>& structures() { return mutable_structures(); }

}  // namespace vsm_abi

#undef ABI_FIELDS
#define VSM_ABI_JOIN(a, b) a##b
#define VSM_ABI_NAME(counter) VSM_ABI_JOIN(added_, counter)
#define ABI_FIELDS(T, Size, ...)                                                    \
  template <>                                                                       \
  struct abi::FieldsOf<T> {                                                         \
    using ABI_T_ = T;                                                               \
    static constexpr abi::Field list[] = {ABI_FOR(T, __VA_ARGS__)};                 \
  };                                                                                \
  static_assert(sizeof(T) == Size && abi::covers_every_byte<T>(), #T " drifted");   \
  [[maybe_unused]] static const bool VSM_ABI_NAME(__COUNTER__) = vsm_abi::add(#T, sizeof(T), abi::FieldsOf<T>::list)

#include "every_header.h"  // written by CMake: every header of vtl/abi that the host can read
