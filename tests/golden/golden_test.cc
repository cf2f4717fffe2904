// What earlier versions have written is read by this one, field by field, and written again as it
// was.
//
// tests/golden/*.golden hold one message of every type with every field set, as bytes and as text:
// one file for each version that the protocol once was. scripts/golden writes another.
#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <firebreak/v1/actuator.pb.h>
#include <firebreak/v1/actuator_journal.pb.h>
#include <firebreak/v1/agent.pb.h>
#include <firebreak/v1/journal.pb.h>
#include <firebreak/v1/operator.pb.h>
#include <firebreak/v1/probe.pb.h>
#include <firebreak/v1/snapshot.pb.h>

#include "tests/golden/fill.h"

namespace firebreak::golden {
namespace {

namespace fs = std::filesystem;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::Message;

const std::vector<const FileDescriptor*>& protocol() {
  // By a type of each, which also makes sure that it is linked.
  static const std::vector<const FileDescriptor*> files{
      v1::ProbeSpec::descriptor()->file(),
      v1::AgentMessage::descriptor()->file(),
      v1::GetStatusRequest::descriptor()->file(),
      v1::ActuatorRequest::descriptor()->file(),
      journal::v1::Batch::descriptor()->file(),
      v1::ActuatorRecord::descriptor()->file(),
      journal::v1::SnapshotRecord::descriptor()->file()};
  return files;
}

struct Line {
  std::string where;  // file:line
  std::string name;
  std::string bytes;
  std::string text;
};

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

std::vector<fs::path> files() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(FIREBREAK_SOURCE_DIR "/tests/golden"))
    if (entry.path().extension() == ".golden") found.push_back(entry.path());
  return found;
}

// `messages`: those that hold a message; else those of enumerations.
std::vector<Line> lines(bool messages) {
  std::vector<Line> all;
  for (const fs::path& path : files()) {
    std::ifstream in(path);
    std::string text;
    for (int number = 1; std::getline(in, text); ++number) {
      const bool is_enum = text.rfind("enum ", 0) == 0;
      if (is_enum == messages) continue;
      if (is_enum) text.erase(0, 5);
      const std::size_t first = text.find(' ');
      Line line{path.filename().string() + ":" + std::to_string(number), text.substr(0, first), "",
                text.substr(first + 1)};
      if (messages) {
        const std::size_t second = line.text.find(' ');
        line.bytes = from_hex(line.text.substr(0, second));
        line.text.erase(0, second + 1);
      }
      all.push_back(std::move(line));
    }
  }
  return all;
}

std::unique_ptr<Message> new_message(const std::string& name) {
  const Descriptor* type = DescriptorPool::generated_pool()->FindMessageTypeByName(name);
  if (type == nullptr) return nullptr;
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

// Fields that are set, here and inside; also whether anything was not understood.
struct Seen {
  std::set<const FieldDescriptor*> fields;
  bool has_unknown = false;
};

void look(const Message& message, Seen& seen) {
  const auto& way = *message.GetReflection();
  seen.has_unknown = seen.has_unknown || !way.GetUnknownFields(message).empty();
  std::vector<const FieldDescriptor*> set;
  way.ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    seen.fields.insert(field);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      look(way.GetMessage(message, field), seen);
      continue;
    }
    for (int i = 0; i < way.FieldSize(message, field); ++i)
      look(way.GetRepeatedMessage(message, field, i), seen);
  }
}

TEST(Golden, WhatWasWrittenIsReadAndWrittenAgainAsItWas) {
  const auto all = lines(true);
  ASSERT_GT(all.size(), 100U);
  for (const Line& line : all) {
    SCOPED_TRACE(line.where + ": " + line.name);
    const auto message = new_message(line.name);
    ASSERT_TRUE(message) << "this message is gone";
    ASSERT_TRUE(message->ParseFromString(line.bytes));
    Seen seen;
    look(*message, seen);
    EXPECT_FALSE(seen.has_unknown) << "a field of it is gone or has another number";
    EXPECT_EQ(message->ShortDebugString(), line.text);
    EXPECT_EQ(to_hex(message->SerializeAsString()), to_hex(line.bytes));
  }
}

TEST(Golden, EnumerationsKeepTheirNumbersAndNames) {
  const auto all = lines(false);
  ASSERT_GT(all.size(), 5U);
  for (const Line& line : all) {
    SCOPED_TRACE(line.where + ": " + line.name);
    const auto* type = DescriptorPool::generated_pool()->FindEnumTypeByName(line.name);
    ASSERT_NE(type, nullptr) << "this enumeration is gone";
    const std::string today = line_of(*type).substr(5) + " ";
    std::size_t at = line.text.size() > 0 ? 0 : std::string::npos;
    while (at != std::string::npos) {
      const std::size_t end = line.text.find(' ', at);
      const std::string value = " " + line.text.substr(at, end - at) + " ";
      EXPECT_NE(today.find(value), std::string::npos) << value << "is gone or has another number";
      at = end == std::string::npos ? end : end + 1;
    }
  }
}

TEST(Golden, EveryFieldOfEveryMessageIsInAFile) {
  std::set<std::string> names;
  Seen seen;
  for (const Line& line : lines(true)) {
    names.insert(line.name);
    const auto message = new_message(line.name);
    if (message && message->ParseFromString(line.bytes)) look(*message, seen);
  }
  for (const FileDescriptor* file : protocol()) {
    ASSERT_NE(file, nullptr);
    for (const Descriptor* type : messages_of(*file)) {
      EXPECT_TRUE(names.contains(type->full_name()))
          << type->full_name() << " is in no golden file: run scripts/golden";
      for (int i = 0; i < type->field_count(); ++i)
        EXPECT_TRUE(seen.fields.contains(type->field(i)))
            << type->field(i)->full_name() << " is in no golden file: run scripts/golden";
    }
  }
}

TEST(Golden, EveryFileOfTheProtocolIsHeldToIt) {
  std::set<std::string> known;
  for (const FileDescriptor* file : protocol()) known.insert(file->name());
  for (const auto& entry : fs::directory_iterator(FIREBREAK_SOURCE_DIR "/proto/firebreak/v1")) {
    if (entry.path().extension() == ".proto") {
      EXPECT_TRUE(known.contains("firebreak/v1/" + entry.path().filename().string()))
          << entry.path() << " is not among protocol() of this test";
    }
  }
}

}  // namespace
}  // namespace firebreak::golden
