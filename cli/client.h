// A call to the coordinator: where it is, who we are, and what its refusals mean for the exit code.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include "cli/exit.h"
#include "common/result.h"
#include "firebreak/v1/operator.grpc.pb.h"

namespace firebreak::cli {

enum class Output { table, json };

// Filled from flags, then the environment (FIREBREAK_COORDINATOR, _CA, _CERT, _KEY), then
// ~/.config/firebreak/config.yaml, then ca.crt, operator.crt and operator.key beside it.
struct Context {
  std::string coordinator;
  std::string ca;
  std::string certificate;
  std::string key;
  Output output = Output::table;
  int exit_code = kDone;
};

// Fills what is empty from the environment and the configuration file.
Result<> complete(Context& context);

// A stub, or a message on standard error and nullptr with context.exit_code set.
std::unique_ptr<v1::OperatorService::Stub> connect(Context& context);

// Ten seconds unless the call is a stream.
void set_deadline(grpc::ClientContext& call);

// True when the call was done, and by a coordinator; otherwise says why on standard error and sets
// the exit code.
bool succeeded(Context& context, const grpc::ClientContext& call, const grpc::Status& status);

// The protobuf JSON mapping, field names as in the .proto, on standard output.
void print_json(const google::protobuf::Message& message);

// One unary call: connect, call, report. The reply is only touched when true is returned.
template <class Request, class Reply>
bool call(Context& context,
          grpc::Status (v1::OperatorService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Reply*),
          const Request& request, Reply& reply) {
  const auto stub = connect(context);
  if (!stub) return false;
  grpc::ClientContext client;
  set_deadline(client);
  const grpc::Status status = ((*stub).*method)(&client, request, &reply);
  return succeeded(context, client, status);
}

}  // namespace firebreak::cli
