// A message with something in every field: what a golden file holds.
#pragma once

#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace firebreak::golden {

// The same bytes for the same type, always. A message with a oneof has as many variants as that has
// members; others have one.
void fill(google::protobuf::Message& message, int variant);
[[nodiscard]] int variants(const google::protobuf::Descriptor& type);

// Every message of the file, those inside others too; not the entries of maps.
[[nodiscard]] std::vector<const google::protobuf::Descriptor*> messages_of(
    const google::protobuf::FileDescriptor& file);
[[nodiscard]] std::vector<const google::protobuf::EnumDescriptor*> enums_of(
    const google::protobuf::FileDescriptor& file);

// One line of a golden file: name, bytes in hexadecimal, and what they say.
[[nodiscard]] std::string line_of(const google::protobuf::Message& message);
// "enum NAME 0=ZERO 1=ONE"
[[nodiscard]] std::string line_of(const google::protobuf::EnumDescriptor& type);
[[nodiscard]] std::string to_hex(const std::string& bytes);

}  // namespace firebreak::golden
