// What each kind of probe is about, and what its silence may mean.
#include "probes/reach.h"

#include <unistd.h>

#include <array>
#include <variant>

#include "probes/resolver.h"
#include "probes/url.h"
#include "probes/way.h"

namespace firebreak::probes {
namespace {

struct Elsewhere {
  bool operator()(const HttpSpec& spec) const {
    const auto url = parse_url(spec.url);
    return spec.unix_socket.empty() && url && !is_this_host(url->host);
  }
  bool operator()(const PrometheusSpec& spec) const { return (*this)(spec.http); }
  bool operator()(const QueueSpec& spec) const { return std::visit(*this, spec.source); }
  bool operator()(const QueueSpec::RedisKey& source) const { return (*this)(source.redis); }
  bool operator()(const QueueSpec::HttpJson& source) const { return (*this)(source.http); }
  bool operator()(const QueueSpec::SqlCount& source) const { return (*this)(source.postgres); }
  // The host's own name servers ask others.
  bool operator()(const DnsSpec& spec) const {
    return spec.server.empty() || !is_this_host(spec.server);
  }
  bool operator()(const ExecSpec&) const { return false; }
  bool operator()(const SystemdSpec&) const { return false; }
  bool operator()(const HostSpec&) const { return false; }
  template <class Spec>
  bool operator()(const Spec& spec) const {
    return !is_this_host(spec.host);
  }
};

}  // namespace

bool is_this_host(const std::string& host) {
  if (host.starts_with('/') || host == "localhost" || host.ends_with(".localhost")) return true;
  if (const auto address = numeric_address(host)) return is_this_host(*address);
  std::array<char, 256> own{};
  return ::gethostname(own.data(), own.size() - 1) == 0 && host == own.data();
}

bool could_be_own_network(const ProbeSpec& spec, const Observation& observation) {
  const Reason reason = observation.reason;
  const bool is_silence =
      observation.status == Status::critical &&
      (reason == Reason::timeout || reason == Reason::unreachable || reason == Reason::dns);
  const bool is_wanted_failure = spec.invert && observation.status == Status::ok;
  return (is_silence || is_wanted_failure) && std::visit(Elsewhere{}, spec.kind);
}

class Names::Impl {
 public:
  explicit Impl(boost::asio::io_context& io) : resolver_(io, ProberOptions{}) {}

  Result<void> look_up(const std::string& host, Done done) {
    const auto ticket = resolver_.look_up(host, [done = std::move(done)](const auto& found) {
      if (!found) return;
      std::vector<std::string> texts;
      texts.reserve(found->size());
      for (const auto& address : *found) texts.push_back(address.to_string());
      done(std::move(texts));
    });
    if (!ticket) return ticket.error();
    return {};
  }

 private:
  Resolver resolver_;
};

Names::Names(boost::asio::io_context& io) : impl_(std::make_unique<Impl>(io)) {}

Names::~Names() = default;

Result<void> Names::look_up(const std::string& host, Done done) {
  return impl_->look_up(host, std::move(done));
}

}  // namespace firebreak::probes
