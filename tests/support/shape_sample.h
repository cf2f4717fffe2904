// A file with every key and every alternative of a table of keys, made of the table's own examples;
// and what the reader of such files and the table disagree on.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <string>
#include <vector>

#include "coordinator/policy/shape.h"

namespace firebreak::testing {

[[nodiscard]] boost::json::object sample_of(const policy::shape::File& file);

// What the reader says of a file: the messages of its errors, without their places.
using Reader = std::function<std::vector<std::string>(const boost::json::value& sample)>;
// One line for each disagreement, which says what to do; none: they agree on keys, words and
// bounds. `sample`: as sample_of, perhaps with what makes it work in its reader.
[[nodiscard]] std::vector<std::string> disagreements(const policy::shape::File& file,
                                                     const boost::json::object& sample,
                                                     const Reader& read);

}  // namespace firebreak::testing
