// Fills messages by reflection, whatever their types.
#include "tests/golden/fill.h"

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>

namespace firebreak::golden {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kEntries = 2;  // of what repeats
constexpr int kDepthMax = 8;

void fill_deep(Message& message, int variant, int depth);

// The field's number in the value, so that a field in another's place is seen.
template <class Set, class Add>
void put(const FieldDescriptor& field, int i, Set set, Add add) {
  const int number = field.number() * 100 + i + 1;
  if (field.is_repeated())
    add(number);
  else
    set(number);
}

std::string text_of(const FieldDescriptor& field, int number) {
  return field.name() + "-" + std::to_string(number);
}

void fill_message(Message& message, const FieldDescriptor& field, int depth) {
  if (depth >= kDepthMax) return;
  const Reflection& way = *message.GetReflection();
  Message* inner =
      field.is_repeated() ? way.AddMessage(&message, &field) : way.MutableMessage(&message, &field);
  fill_deep(*inner, 0, depth + 1);
}

void fill_field(Message& message, const FieldDescriptor& field, int i, int depth) {
  const Reflection& way = *message.GetReflection();
  Message* const to = &message;
  const FieldDescriptor* const at = &field;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return put(
          field, i, [&](int n) { way.SetInt32(to, at, n); },
          [&](int n) { way.AddInt32(to, at, n); });
    case FieldDescriptor::CPPTYPE_INT64:
      return put(
          field, i, [&](int n) { way.SetInt64(to, at, n); },
          [&](int n) { way.AddInt64(to, at, n); });
    case FieldDescriptor::CPPTYPE_UINT32:
      return put(
          field, i, [&](int n) { way.SetUInt32(to, at, static_cast<unsigned>(n)); },
          [&](int n) { way.AddUInt32(to, at, static_cast<unsigned>(n)); });
    case FieldDescriptor::CPPTYPE_UINT64:
      return put(
          field, i, [&](int n) { way.SetUInt64(to, at, static_cast<unsigned>(n)); },
          [&](int n) { way.AddUInt64(to, at, static_cast<unsigned>(n)); });
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return put(
          field, i, [&](int n) { way.SetDouble(to, at, n + 0.5); },
          [&](int n) { way.AddDouble(to, at, n + 0.5); });
    case FieldDescriptor::CPPTYPE_FLOAT:
      return put(
          field, i, [&](int n) { way.SetFloat(to, at, static_cast<float>(n)); },
          [&](int n) { way.AddFloat(to, at, static_cast<float>(n)); });
    case FieldDescriptor::CPPTYPE_BOOL:
      return put(
          field, i, [&](int) { way.SetBool(to, at, true); },
          [&](int) { way.AddBool(to, at, true); });
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto* last = field.enum_type()->value(field.enum_type()->value_count() - 1);
      return put(
          field, i, [&](int) { way.SetEnum(to, at, last); },
          [&](int) { way.AddEnum(to, at, last); });
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return put(
          field, i, [&](int n) { way.SetString(to, at, text_of(field, n)); },
          [&](int n) { way.AddString(to, at, text_of(field, n)); });
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return fill_message(message, field, depth);
  }
}

void fill_deep(Message& message, int variant, int depth) {
  const Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const auto* choice = field.real_containing_oneof();
    if (choice != nullptr && choice->field(variant % choice->field_count()) != &field) continue;
    // The order of a map's entries is nobody's promise.
    const int count = field.is_repeated() && !field.is_map() ? kEntries : 1;
    for (int entry = 0; entry < count; ++entry) fill_field(message, field, entry, depth);
  }
}

struct Found {
  std::vector<const Descriptor*> messages;
  std::vector<const google::protobuf::EnumDescriptor*> enums;
};

template <class From>
void collect_enums(const From& from, Found& found) {
  for (int i = 0; i < from.enum_type_count(); ++i) found.enums.push_back(from.enum_type(i));
}

void collect(const Descriptor& type, Found& found) {
  if (type.options().map_entry()) return;
  found.messages.push_back(&type);
  collect_enums(type, found);
  for (int i = 0; i < type.nested_type_count(); ++i) collect(*type.nested_type(i), found);
}

Found collect(const google::protobuf::FileDescriptor& file) {
  Found found;
  collect_enums(file, found);
  for (int i = 0; i < file.message_type_count(); ++i) collect(*file.message_type(i), found);
  return found;
}

}  // namespace

void fill(Message& message, int variant) {
  fill_deep(message, variant, 0);
}

int variants(const Descriptor& type) {
  int most = 1;
  for (int i = 0; i < type.real_oneof_decl_count(); ++i)
    most = std::max(most, type.oneof_decl(i)->field_count());
  return most;
}

std::vector<const Descriptor*> messages_of(const google::protobuf::FileDescriptor& file) {
  return collect(file).messages;
}

std::vector<const google::protobuf::EnumDescriptor*> enums_of(
    const google::protobuf::FileDescriptor& file) {
  return collect(file).enums;
}

std::string to_hex(const std::string& bytes) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

std::string line_of(const Message& message) {
  return message.GetDescriptor()->full_name() + " " + to_hex(message.SerializeAsString()) + " " +
         message.ShortDebugString();
}

std::string line_of(const google::protobuf::EnumDescriptor& type) {
  std::string line = "enum " + type.full_name();
  for (int i = 0; i < type.value_count(); ++i)
    line += " " + std::to_string(type.value(i)->number()) + "=" + type.value(i)->name();
  return line;
}

}  // namespace firebreak::golden
