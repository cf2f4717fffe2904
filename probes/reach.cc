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
  bool operator()(const PgbouncerSpec& spec) const { return (*this)(spec.server); }
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
  bool operator()(const HeartbeatSpec&) const { return false; }
  template <class Spec>
  bool operator()(const Spec& spec) const {
    return !is_this_host(spec.host);
  }
};

// By address and port, or what stands for them; two spellings of one server are two.
struct Target {
  std::string operator()(const HttpSpec& spec) const {
    if (!spec.unix_socket.empty()) return spec.unix_socket;
    const std::size_t scheme = spec.url.find("://");
    const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
    return spec.url.substr(begin, spec.url.find_first_of("/?#", begin) - begin);
  }
  std::string operator()(const PrometheusSpec& spec) const { return (*this)(spec.http); }
  std::string operator()(const PgbouncerSpec& spec) const { return (*this)(spec.server); }
  std::string operator()(const QueueSpec& spec) const { return std::visit(*this, spec.source); }
  std::string operator()(const QueueSpec::RedisKey& source) const { return (*this)(source.redis); }
  std::string operator()(const QueueSpec::HttpJson& source) const { return (*this)(source.http); }
  std::string operator()(const QueueSpec::SqlCount& source) const {
    return (*this)(source.postgres);
  }
  std::string operator()(const DnsSpec& spec) const {
    return host_and_port(spec.server, spec.port) + "/dns";
  }
  std::string operator()(const IcmpSpec& spec) const { return spec.host; }
  std::string operator()(const ExecSpec&) const { return {}; }
  std::string operator()(const SystemdSpec&) const { return {}; }
  std::string operator()(const HostSpec&) const { return {}; }
  std::string operator()(const HeartbeatSpec&) const { return {}; }
  template <class Spec>
  std::string operator()(const Spec& spec) const {
    return host_and_port(spec.host, spec.port);
  }
};

}  // namespace

std::string target_of(const KindSpec& kind) {
  return std::visit(Target{}, kind);
}

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
