// What each part of an expression is by itself: for people who ask why it says what it says.
//
// Every part is evaluated on its own, whether or not && and || would have come to it. That costs
// more than evaluate(), and nothing that evaluate() does depends on it.
#include <string_view>

#include "common/cel/ast.h"
#include "common/cel/program.h"
#include "common/limits.h"

namespace firebreak::cel {
namespace {

bool is_macro(Op op) {
  return op == Op::all || op == Op::exists || op == Op::exists_one || op == Op::filter ||
         op == Op::map_macro;
}

class Breakdown {
 public:
  Breakdown(const Code& code, const Activation& world) : code_(code), world_(world) {}

  // What is written out says itself; a macro's body has no value outside of the macro.
  void add(int index, int depth) {
    const Node& node = code_.nodes[static_cast<std::size_t>(index)];
    if (node.op == Op::constant || parts_.size() >= limits::kExprPartsMax) return;
    parts_.push_back({text_of(node), depth, evaluate_part(code_, index, world_)});
    for (const int operand : node.operands) {
      add(operand, depth + 1);
      if (is_macro(node.op)) return;  // the range alone
    }
  }
  std::vector<Part> take() { return std::move(parts_); }

 private:
  [[nodiscard]] std::string text_of(const Node& node) const {
    const std::string_view text = code_.text;
    return std::string(text.substr(node.whole.begin, node.whole.end - node.whole.begin));
  }

  const Code& code_;
  const Activation& world_;
  std::vector<Part> parts_;
};

}  // namespace

std::vector<Part> Program::parts(const Activation& activation) const {
  Breakdown breakdown(*code_, activation);
  breakdown.add(code_->root, 0);
  return breakdown.take();
}

}  // namespace firebreak::cel
