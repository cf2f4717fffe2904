// Assertions of a probe on what it got: CEL over the answer, compiled before anything is asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/cel/program.h"
#include "probes/attempt.h"
#include "probes/http_response.h"

namespace firebreak::probes {

// An expression as the spec has it: absent when the text is empty. False after unknown/config.
bool compile_expect(Attempt& attempt, const std::string& text,
                    const cel::Declarations& declarations, const std::optional<cel::Type>& wanted,
                    std::optional<cel::Program>& program);

// What HTTP expressions may name (common/probe_yaml.h): the body as JSON when it is JSON.
cel::Bindings bindings_of(const Attempt& attempt, const HttpResponse& response);
// The JSON value of a text, or the text itself.
cel::Value json_or_text(const std::string& text);

// The verdict over a true-or-false expression; `answer` is what the evidence shows of the target.
// An expression over the latency alone fails as threshold, any other as body.
bool judge_expect(Attempt& attempt, const cel::Program& program, const cel::Bindings& bindings,
                  std::string_view answer);
// A number, or nothing after critical/body.
std::optional<double> judge_number(Attempt& attempt, const cel::Program& program,
                                   const cel::Bindings& bindings, std::string_view answer);

}  // namespace firebreak::probes
