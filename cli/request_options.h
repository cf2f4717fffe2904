// Options that several requests to the coordinator have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "common/time.h"

namespace firebreak::cli {

// Of one wish of one person, however often it is sent: 64 random bits.
[[nodiscard]] std::string new_request_id();

// --for, whose value is a duration; CLI11 reports one that is none. The caller bounds it.
template <class Request>
CLI::Option* add_duration(CLI::App& command, const std::shared_ptr<Request>& request,
                          const std::string& what) {
  return command
      .add_option_function<std::string>(
          "--for",
          [request](const std::string& text) {
            const auto lasts = parse_duration(text);
            if (!lasts) throw CLI::ValidationError("--for", lasts.error().message);
            if (*lasts <= Duration{0}) throw CLI::ValidationError("--for", "must be above 0");
            request->set_lasts_us(lasts->count());
          },
          what)
      ->type_name("DURATION");
}

template <class Request>
void add_reason(CLI::App& command, const std::shared_ptr<Request>& request,
                const std::string& what = "why; on the record") {
  command
      .add_option_function<std::string>(
          "--reason", [request](const std::string& text) { request->set_reason(text); }, what)
      ->required();
}

}  // namespace firebreak::cli
