// An incident as a Markdown document: what `firebreak report` prints and people attach to a review.
#pragma once

#include <string>
#include <string_view>

#include "coordinator/core/state.h"

namespace firebreak::report {

// Pure. `now` is only used for what is still going on. Whatever a target, a host or a person wrote
// is shown as text: it cannot become markup, leave its code block or reach a terminal as a control
// sequence. At most about limits::kReportBytesMax; what is left out is said.
[[nodiscard]] std::string render_report(const core::Incident& incident, Instant now);

// A code block that ends where we end it: its fence is longer than any run of backticks in `text`.
[[nodiscard]] std::string fenced_block(std::string_view text, std::size_t max_bytes);

}  // namespace firebreak::report
