// TCP with its dialogue and its TLS, DNS and ICMP, from YAML.
#include "common/probe_yaml_net.h"

#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/probe_yaml_fields.h"

namespace firebreak::probe_yaml {
namespace {

using yaml::MapReader;
using yaml::Node;
using yaml::Problems;

void read_dialogue(const Node& node, TcpSpec& tcp, Problems& problems) {
  if (!node) return;
  const auto steps = node.as_list_or_one(problems);
  check_count(node, steps.size(), limits::kTcpStepsMax, problems);
  tcp.dialogue.reserve(steps.size());
  for (const Node& item : steps) {
    TcpSpec::Step step;
    MapReader reader(item, "a step of a dialogue", problems);
    read_lines(reader.optional("send"), step.send, problems);
    read_lines(reader.optional("expect"), step.expect, problems);
    if (step.send.empty() && step.expect.empty())
      problems.error(item.place(), "a step needs text to 'send', to 'expect', or both");
    tcp.dialogue.push_back(std::move(step));
  }
}

void read_tcp_tls(MapReader& reader, TcpSpec& tcp, Problems& problems) {
  const Node tls = reader.optional("tls");
  const Node starttls = reader.optional("starttls");
  const bool at_once = tls.as_bool(problems).value_or(false);
  if (const auto index = starttls.as_word(problems, starttls_protocols()))
    tcp.starttls = starttls_protocols()[*index];
  if (at_once && starttls)
    problems.error(starttls.name_place(),
                   "give either 'tls', from the first byte, or 'starttls', not both");
  TlsSpec spec;
  std::vector<Node> about_tls = read_tls(reader, spec, problems);
  const Node warning = reader.optional("certificate_warning_days");
  const Node critical = reader.optional("certificate_critical_days");
  if (warning) tcp.certificate_warning_days = warning.as_double(problems, 0);
  if (critical) tcp.certificate_critical_days = critical.as_double(problems, 0);
  if (at_once || starttls) {
    tcp.tls = std::move(spec);
    return;
  }
  about_tls.insert(about_tls.end(), {warning, critical});
  for (const Node& about : about_tls)
    if (about)
      problems.error(about.name_place(),
                     about.label() + " is about TLS; say 'tls: true' or 'starttls' beside it");
}

void read_dns_name(const Node& node, DnsSpec& dns, Problems& problems) {
  if (!node) return;
  read_text(node, dns.name, problems);
  if (!is_dns_name(dns.name))
    problems.error(
        node.place(),
        "not a name that can be asked for: at most 253 bytes of ASCII, labels of at most "
        "63, other letters as punycode (xn--...)");
}

void read_answers(const Node& node, DnsSpec& dns, Problems& problems) {
  if (!node) return;
  const auto answers = node.as_list_or_one(problems);
  check_count(node, answers.size(), limits::kDnsExpectedMax, problems);
  dns.answers.reserve(answers.size());
  for (const Node& item : answers) {
    std::string answer;
    read_lines(item, answer, problems);
    dns.answers.push_back(std::move(answer));
  }
}

}  // namespace

TcpSpec read_tcp(const Node& node, Problems& problems) {
  TcpSpec tcp;
  if (node.kind() == yaml::Kind::scalar) {
    read_endpoint(node, tcp.host, tcp.port, problems);
  } else {
    MapReader reader(node, "a tcp target", problems);
    read_host(reader.required("host"), tcp.host, problems);
    read_port(reader.required("port"), tcp.port, problems);
    read_dialogue(reader.optional("dialogue"), tcp, problems);
    read_tcp_tls(reader, tcp, problems);
    return tcp;
  }
  if (tcp.port == 0) problems.error(node.place(), "no port; write the target as host:port");
  return tcp;
}

DnsSpec read_dns(const Node& node, Problems& problems) {
  DnsSpec dns;
  if (node.kind() == yaml::Kind::scalar) {
    read_dns_name(node, dns, problems);
    return dns;
  }
  MapReader reader(node, "a dns question", problems);
  read_dns_name(reader.required("name"), dns, problems);
  if (const auto index = reader.optional("type").as_word(problems, dns_types()))
    dns.type = dns_types()[*index];
  if (const Node server = reader.optional("server"))
    read_endpoint(server, dns.server, dns.port, problems);
  if (const auto index = reader.optional("rcode").as_word(problems, dns_rcodes()))
    dns.rcode = dns_rcodes()[*index];
  const Node answers = reader.optional("answers");
  read_answers(answers, dns, problems);
  const Node exact = reader.optional("exact");
  if (const auto wanted = exact.as_bool(problems)) dns.exact = *wanted;
  if (exact && !answers)
    problems.error(exact.name_place(), "'exact' is about 'answers', and there are none");
  if (answers && dns.rcode != "NOERROR")
    problems.error(answers.name_place(), "an answer with " + dns.rcode + " has no records");
  return dns;
}

IcmpSpec read_icmp(const Node& node, Problems& problems) {
  IcmpSpec icmp;
  if (node.kind() == yaml::Kind::scalar) {
    read_host(node, icmp.host, problems);
    return icmp;
  }
  MapReader reader(node, "a ping", problems);
  read_host(reader.required("host"), icmp.host, problems);
  if (const auto packets = reader.optional("packets").as_int(problems, 1, limits::kIcmpPacketsMax))
    icmp.packets = static_cast<int>(*packets);
  if (const auto interval =
          reader.optional("interval")
              .as_duration(problems, limits::kIcmpIntervalMin, limits::kIcmpIntervalMax))
    icmp.interval = *interval;
  if (const auto bytes =
          reader.optional("bytes").as_int(problems, limits::kIcmpBytesMin, limits::kIcmpBytesMax))
    icmp.bytes = static_cast<int>(*bytes);
  const auto percent = [&](const char* key, std::optional<double>& into) {
    if (const Node limit = reader.optional(key)) into = limit.as_double(problems, 0, 100);
  };
  const auto round_trip = [&](const char* key, std::optional<Duration>& into) {
    if (const Node limit = reader.optional(key))
      into = limit.as_duration(problems, Duration::zero(), limits::kProbeTimeoutMax);
  };
  percent("loss_warning", icmp.loss_warning);
  percent("loss_critical", icmp.loss_critical);
  round_trip("rtt_warning", icmp.rtt_warning);
  round_trip("rtt_critical", icmp.rtt_critical);
  return icmp;
}

}  // namespace firebreak::probe_yaml
