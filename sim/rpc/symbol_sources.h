#pragma once
// What PDBs tell the session's expressions and its steps out of functions.
#include "sim/debugger/session.h"
#include "sim/symbols/library.h"

namespace rpc {

/// Structures by "module!name".
class PdbTypes final : public debugger::TypeSource {
 public:
  /// Both must outlive this.
  PdbTypes(debugger::Session& session, const symbols::Library& library) : session_{session}, library_{library} {}
  [[nodiscard]] std::optional<Member> member(std::string_view type, std::string_view name) const override;
  [[nodiscard]] bool has(std::string_view type) const override;

 private:
  debugger::Session& session_;
  const symbols::Library& library_;
};

/// Callers by .pdata.
class StackUnwinder final : public debugger::Unwinder {
 public:
  explicit StackUnwinder(const symbols::Library& library) : library_{library} {}
  [[nodiscard]] std::optional<Caller> caller(const debugger::View& view, uint32_t inner) override;

 private:
  const symbols::Library& library_;
};

}  // namespace rpc
