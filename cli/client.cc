// Connecting to the coordinator as an operator.
#include "cli/client.h"

#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include "common/limits.h"
#include "common/text.h"
#include "common/yaml.h"
#include "proto/credentials.h"

namespace firebreak::cli {
namespace {

void from_environment(std::string& value, const char* name) {
  if (!value.empty()) return;
  if (const char* found = std::getenv(name)) value = found;
}

// Where 'firebreak pki operator' says that they belong.
void if_there(std::string& value, const std::string& path) {
  if (value.empty() && ::access(path.c_str(), R_OK) == 0) value = path;
}

Result<> from_file(Context& context, const std::string& path) {
  if (::access(path.c_str(), R_OK) != 0) return {};
  yaml::Problems problems;
  const auto document = yaml::load(path, problems);
  if (document && document->root().kind() != yaml::Kind::null) {
    yaml::MapReader reader(document->root(), "the command line's configuration", problems);
    const auto read = [&](const char* key, std::string& into) {
      if (const auto text = reader.optional(key).as_string(problems); text && into.empty())
        into = *text;
    };
    read("coordinator", context.coordinator);
    read("ca", context.ca);
    read("cert", context.certificate);
    read("key", context.key);
  }
  if (!problems.ok()) return make_error(Errc::invalid_argument, problems.render());
  return {};
}

int exit_code_of(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return kUnreachable;
    default:
      return kFailed;
  }
}

}  // namespace

Result<> complete(Context& context) {
  from_environment(context.coordinator, "FIREBREAK_COORDINATOR");
  from_environment(context.ca, "FIREBREAK_CA");
  from_environment(context.certificate, "FIREBREAK_CERT");
  from_environment(context.key, "FIREBREAK_KEY");
  if (const char* home = std::getenv("HOME")) {
    const std::string directory = std::string(home) + "/.config/firebreak/";
    if (auto read = from_file(context, directory + "config.yaml"); !read) return read.error();
    if_there(context.ca, directory + "ca.crt");
    if_there(context.certificate, directory + "operator.crt");
    if_there(context.key, directory + "operator.key");
  }
  std::vector<std::string> missing;
  if (context.coordinator.empty()) missing.emplace_back("--coordinator HOST:PORT");
  if (context.ca.empty()) missing.emplace_back("--ca FILE");
  if (context.certificate.empty()) missing.emplace_back("--cert FILE");
  if (context.key.empty()) missing.emplace_back("--key FILE");
  if (missing.empty()) return {};
  return make_error(Errc::invalid_argument,
                    "which coordinator, and who are you? Give " + join_words(missing) +
                        ", set FIREBREAK_COORDINATOR, FIREBREAK_CA, FIREBREAK_CERT and "
                        "FIREBREAK_KEY, or write them into "
                        "~/.config/firebreak/config.yaml");
}

std::unique_ptr<v1::OperatorService::Stub> connect(Context& context) {
  if (auto completed = complete(context); !completed) {
    std::cerr << "firebreak: "
              << escape_controls(completed.error().message, limits::kApiReplyBytesMax) << "\n";
    context.exit_code = kUsage;
    return nullptr;
  }
  const auto credentials =
      client_credentials({context.certificate, context.key, context.ca}, pki::Role::operator_);
  if (!credentials) {
    std::cerr << "firebreak: " << escape_block(credentials.error().message) << "\n";
    context.exit_code = kUsage;
    return nullptr;
  }
  return v1::OperatorService::NewStub(
      grpc::CreateCustomChannel(context.coordinator, *credentials, channel_arguments()));
}

void set_deadline(grpc::ClientContext& call) {
  call.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
}

bool succeeded(Context& context, const grpc::ClientContext& call, const grpc::Status& status) {
  if (status.ok()) {
    const auto server = check_coordinator(call);
    if (server) return true;
    context.exit_code = kFailed;
    std::cerr << "firebreak: " << escape_block(server.error().message) << "\n";
    return false;
  }
  context.exit_code = exit_code_of(status);
  if (context.exit_code == kUnreachable)
    std::cerr << "firebreak: no answer from the coordinator at " << escape_line(context.coordinator)
              << ": ";
  else
    std::cerr << "firebreak: ";
  std::cerr << escape_block(status.error_message()) << "\n";
  return false;
}

void print_json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  if (google::protobuf::util::MessageToJsonString(message, &text, options).ok())
    std::cout << text << std::endl;
}

}  // namespace firebreak::cli
