// golden_writer DESCRIPTORS: one line for every message and enumeration of a protocol, as protoc
// --descriptor_set_out describes it, on standard output. scripts/golden calls it.
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <fstream>
#include <iostream>
#include <memory>

#include "tests/golden/fill.h"

int main(int argc, char** argv) {
  using namespace google::protobuf;
  std::ifstream in(argc == 2 ? argv[1] : "", std::ios::binary);
  FileDescriptorSet set;
  if (!in || !set.ParseFromIstream(&in)) {
    std::cerr << "golden_writer: give it a file of protoc --include_imports --descriptor_set_out\n";
    return 2;
  }
  DescriptorPool pool;
  DynamicMessageFactory factory(&pool);
  for (const FileDescriptorProto& proto : set.file()) {
    const FileDescriptor* file = pool.BuildFile(proto);
    if (file == nullptr) return 1;  // protobuf has said why
    for (const EnumDescriptor* type : firebreak::golden::enums_of(*file))
      std::cout << firebreak::golden::line_of(*type) << "\n";
    for (const Descriptor* type : firebreak::golden::messages_of(*file))
      for (int i = 0; i < firebreak::golden::variants(*type); ++i) {
        const std::unique_ptr<Message> message(factory.GetPrototype(type)->New());
        firebreak::golden::fill(*message, i);
        std::cout << firebreak::golden::line_of(*message) << "\n";
      }
  }
  return 0;
}
