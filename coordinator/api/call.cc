// Who calls, and how a call ends.
#include "coordinator/api/call.h"

#include "common/text.h"
#include "proto/credentials.h"

namespace firebreak::api {
namespace {

// Percent-encoding triples what is not ASCII; the header must stay below kMetadataBytesMax.
constexpr std::size_t kMessageBytesMax = 2000;

grpc::StatusCode code_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case Errc::not_found:
      return grpc::StatusCode::NOT_FOUND;
    case Errc::already_exists:
      return grpc::StatusCode::ALREADY_EXISTS;
    case Errc::failed_precondition:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case Errc::permission_denied:
      return grpc::StatusCode::PERMISSION_DENIED;
    case Errc::resource_exhausted:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Errc::unavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case Errc::deadline_exceeded:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case Errc::corrupt:
      return grpc::StatusCode::DATA_LOSS;
    case Errc::internal:
      break;
  }
  return grpc::StatusCode::INTERNAL;
}

}  // namespace

grpc::Status to_status(const Error& error) {
  return {code_of(error.code), to_valid_utf8(error.message, kMessageBytesMax)};
}

Result<std::string> operator_name(const grpc::CallbackServerContext& context) {
  const auto peer = context.auth_context();
  if (!peer) return make_error(Errc::permission_denied, "the caller presented no certificate");
  auto identity = peer_identity(*peer);
  if (!identity) return identity.error();
  if (identity->role != pki::Role::operator_)
    return make_error(Errc::permission_denied,
                      pki::identity_uri(*identity) +
                          " is not an operator; make a certificate with 'firebreak pki operator'");
  return std::move(identity->name);
}

UnaryCall::~UnaryCall() {
  finish(grpc::Status(grpc::StatusCode::UNAVAILABLE,
                      "the coordinator is stopping or has too much to do; try again in a moment"));
}

void UnaryCall::finish(const grpc::Status& status) {
  if (auto* reactor = std::exchange(reactor_, nullptr)) reactor->Finish(status);
}

void UnaryCall::finish(const Result<>& result) {
  finish(result ? grpc::Status::OK : to_status(result.error()));
}

}  // namespace firebreak::api
