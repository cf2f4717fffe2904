// The requests by which people change things, as parts of an input.
#pragma once

#include "tests/fuzz/fuzz.h"

namespace firebreak::fuzz {

// prototype() of the kinds k (acknowledge), n (note), v (resolve), d (declare), f (set a fact) and
// c (clear one); nullptr for others.
const google::protobuf::Message* request_prototype(char kind);

}  // namespace firebreak::fuzz
