#include "sim/debugger/expression.h"

namespace debugger {

support::Result<Expression, ExpressionError> Expression::compile(std::string_view, const ExpressionContext&) {
  return ExpressionError{"not implemented", 1, false};
}
std::optional<Value> Expression::evaluate(const Environment&) const { return std::nullopt; }
bool Expression::holds(const Environment&) const { return false; }

}  // namespace debugger
