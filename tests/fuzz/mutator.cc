// Mutations that keep an input a list of parts and its parts well-formed messages, so that the
// fuzzer spends its time behind the parsers of protobuf. Only in programs of libFuzzer.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <random>

#include "tests/fuzz/fuzz.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace firebreak::fuzz {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Random = std::minstd_rand;

constexpr std::size_t kTextBytes = 64;

std::size_t pick(Random& random, std::size_t below) {
  return below == 0 ? 0 : random() % below;
}

std::string mutate_bytes(std::string text, std::size_t room) {
  const std::size_t size = text.size();
  text.resize(std::max(size, size + room));
  auto* data = reinterpret_cast<std::uint8_t*>(text.data());
  text.resize(LLVMFuzzerMutate(data, size, text.size()));
  return text;
}

// Small numbers are refs, sizes and enumerators; large ones are where sums overflow.
std::uint64_t mutate_number(Random& random, std::uint64_t old) {
  static constexpr std::array<std::uint64_t, 16> kEdges{0,
                                                        1,
                                                        2,
                                                        3,
                                                        19999,
                                                        20000,
                                                        1000000,
                                                        5000000,
                                                        86400000000,
                                                        1ULL << 31,
                                                        (1ULL << 31) - 1,
                                                        1ULL << 61,
                                                        1ULL << 62,
                                                        1ULL << 63,
                                                        (1ULL << 63) - 1,
                                                        ~0ULL};
  switch (pick(random, 5)) {
    case 0:
      return kEdges[pick(random, kEdges.size())];
    case 1:
      return old + 1;
    case 2:
      return old - 1;
    case 3:
      return pick(random, 16);
    default:
      return old ^ 1ULL << pick(random, 64);
  }
}

double mutate_real(Random& random, double old) {
  static constexpr std::array<double, 8> kEdges{0.0,
                                                -0.0,
                                                1e308,
                                                -1e308,
                                                5e-324,
                                                std::numeric_limits<double>::infinity(),
                                                std::numeric_limits<double>::quiet_NaN(),
                                                9007199254740993.0};
  return pick(random, 2) == 0 ? old * 2 + 1 : kEdges[pick(random, kEdges.size())];
}

// One scalar through reflection, whether it stands alone or in a list; `at` below 0: alone.
class Scalar {
 private:
  template <class One, class OfMany>
  auto get(One one, OfMany of_many) {
    return at_ < 0 ? (reflection_.*one)(message_, field_)
                   : (reflection_.*of_many)(message_, field_, at_);
  }
  template <class One, class OfMany, class Value>
  void set(One one, OfMany of_many, Value value) {
    if (at_ < 0)
      (reflection_.*one)(&message_, field_, std::move(value));
    else
      (reflection_.*of_many)(&message_, field_, at_, std::move(value));
  }

 public:
  Scalar(Message& message, const FieldDescriptor& field, int at)
      : message_(message), reflection_(*message.GetReflection()), field_(&field), at_(at) {}

  void mutate(Random& random) {
    switch (field_->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return set(&Reflection::SetInt32, &Reflection::SetRepeatedInt32,
                   static_cast<std::int32_t>(mutate_number(
                       random, static_cast<std::uint64_t>(
                                   get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32)))));
      case FieldDescriptor::CPPTYPE_INT64:
        return set(&Reflection::SetInt64, &Reflection::SetRepeatedInt64,
                   static_cast<std::int64_t>(mutate_number(
                       random, static_cast<std::uint64_t>(
                                   get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64)))));
      case FieldDescriptor::CPPTYPE_UINT32:
        return set(&Reflection::SetUInt32, &Reflection::SetRepeatedUInt32,
                   static_cast<std::uint32_t>(mutate_number(
                       random, get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32))));
      case FieldDescriptor::CPPTYPE_UINT64:
        return set(
            &Reflection::SetUInt64, &Reflection::SetRepeatedUInt64,
            mutate_number(random, get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64)));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return set(
            &Reflection::SetDouble, &Reflection::SetRepeatedDouble,
            mutate_real(random, get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble)));
      case FieldDescriptor::CPPTYPE_BOOL:
        return set(&Reflection::SetBool, &Reflection::SetRepeatedBool,
                   !get(&Reflection::GetBool, &Reflection::GetRepeatedBool));
      case FieldDescriptor::CPPTYPE_ENUM:
        return set(&Reflection::SetEnumValue, &Reflection::SetRepeatedEnumValue,
                   static_cast<int>(pick(random, 9)));
      case FieldDescriptor::CPPTYPE_STRING:
        return set(
            &Reflection::SetString, &Reflection::SetRepeatedString,
            mutate_bytes(get(&Reflection::GetString, &Reflection::GetRepeatedString), kTextBytes));
      default:
        break;
    }
  }

 private:
  Message& message_;
  const Reflection& reflection_;
  const FieldDescriptor* field_;
  int at_;
};

void add_default(Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.AddInt32(&message, &field, 0);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.AddInt64(&message, &field, 0);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.AddUInt32(&message, &field, 0);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.AddUInt64(&message, &field, 0);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.AddDouble(&message, &field, 0);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.AddFloat(&message, &field, 0);
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.AddBool(&message, &field, false);
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.AddEnumValue(&message, &field, 1);
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.AddString(&message, &field, "x");
    case FieldDescriptor::CPPTYPE_MESSAGE:
      reflection.AddMessage(&message, &field);
  }
}

// Lists of one length are mostly the columns of one table: a row comes or goes in all of them.
void resize_columns(Message& message, const FieldDescriptor& like, bool grow) {
  const Reflection& reflection = *message.GetReflection();
  const Descriptor& type = *message.GetDescriptor();
  const int size = reflection.FieldSize(message, &like);
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (!field.is_repeated() || field.is_map() || reflection.FieldSize(message, &field) != size)
      continue;
    if (grow)
      add_default(message, field);
    else if (size > 0)
      reflection.RemoveLast(&message, &field);
  }
}

void mutate(Message& message, Random& random, int depth);

void mutate_list(Message& message, const FieldDescriptor& field, Random& random, int depth) {
  const Reflection& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  const auto choice = pick(random, 8);
  if (size == 0 || choice == 0) return add_default(message, field);
  if (choice == 1) return reflection.RemoveLast(&message, &field);
  if (choice == 2) return resize_columns(message, field, true);
  if (choice == 3) return resize_columns(message, field, false);
  const int at = static_cast<int>(pick(random, static_cast<std::size_t>(size)));
  if (choice == 4)
    return reflection.SwapElements(&message, &field, at,
                                   static_cast<int>(pick(random, static_cast<std::size_t>(size))));
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
    return mutate(*reflection.MutableRepeatedMessage(&message, &field, at), random, depth + 1);
  Scalar(message, field, at).mutate(random);
}

void mutate(Message& message, Random& random, int depth) {
  const Descriptor& type = *message.GetDescriptor();
  if (type.field_count() == 0 || depth > 12) return;
  const Reflection& reflection = *message.GetReflection();
  // What is there is changed more often than what is not is made.
  std::vector<const FieldDescriptor*> present;
  reflection.ListFields(message, &present);
  const FieldDescriptor& field = present.empty() || pick(random, 3) == 0
                                     ? *type.field(static_cast<int>(pick(
                                           random, static_cast<std::size_t>(type.field_count()))))
                                     : *present[pick(random, present.size())];
  if (field.is_repeated()) return mutate_list(message, field, random, depth);
  if (pick(random, 12) == 0) return reflection.ClearField(&message, &field);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
    return mutate(*reflection.MutableMessage(&message, &field), random, depth + 1);
  Scalar(message, field, -1).mutate(random);
}

std::string mutate_part(const Part& part, Random& random) {
  const Message* like = prototype(part.kind);
  if (like == nullptr || pick(random, 20) == 0)
    return mutate_bytes(std::string(part.bytes), kTextBytes);
  const std::unique_ptr<Message> message(like->New());
  message->ParsePartialFromArray(part.bytes.data(), static_cast<int>(part.bytes.size()));
  for (std::size_t i = pick(random, 4) + 1; i > 0; --i) mutate(*message, random, 0);
  return message->SerializePartialAsString();
}

char any_kind(Random& random) {
  return kinds()[pick(random, kinds().size())];
}

std::string mutated(std::string_view input, Random& random) {
  std::vector<Part> parts = split(input);
  std::string made;  // outlives the join
  const std::size_t at = pick(random, parts.size());
  const auto here = parts.begin() + static_cast<std::ptrdiff_t>(at);
  const auto choice = pick(random, 12);
  if (parts.empty() || choice == 0) {
    parts.insert(here, {any_kind(random), {}});
  } else if (choice == 1) {
    parts.erase(here);
  } else if (choice == 2) {
    parts.insert(here, Part(parts[pick(random, parts.size())]));
  } else if (choice == 3) {
    std::swap(*here, parts[pick(random, parts.size())]);
  } else if (choice == 4) {
    here->kind = any_kind(random);
  } else {
    made = mutate_part(*here, random);
    here->bytes = made;
  }
  return join(parts);
}

}  // namespace
}  // namespace firebreak::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  using namespace firebreak::fuzz;
  Random random(seed);
  if (pick(random, 16) == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::string made = mutated({reinterpret_cast<const char*>(data), size}, random);
  if (made.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::copy(made.begin(), made.end(), data);
  return made.size();
}
