// expr eval: one expression, so that a condition can be tried before it stands in a policy.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/expression.h"

namespace firebreak::cli {

void add_expr_command(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("expr", "the language of conditions and assertions");
  group->require_subcommand(1);
  auto* eval = group->add_subcommand("eval", "the value of one expression, and its type");
  const auto text = std::make_shared<std::string>();
  const auto variables = std::make_shared<std::string>();
  eval->add_option("EXPR", *text, "such as 'body.items.size() > 2'; after -- if it begins with -")
      ->required();
  eval->add_option("--vars", *variables, "a JSON object: the variables and their values");
  eval->callback([&context, text, variables] {
    const ExpressionAnswer answer =
        evaluate_expression(*text, *variables, context.output == Output::json);
    std::cout << answer.out;
    std::cerr << answer.err;
    context.exit_code = answer.exit_code;
  });
}

}  // namespace firebreak::cli
