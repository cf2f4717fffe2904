// Where the parts of a policy are written, for who judges it as its author wrote it (lint.h).
#pragma once

#include <map>
#include <vector>

#include "common/ids.h"
#include "common/yaml.h"

namespace firebreak::policy {

struct RulePlaces {
  yaml::Node rule;
  std::vector<yaml::Entry> levels;  // as Rule::levels
};

struct ServicePlaces {
  yaml::Node key;
  std::map<ProbeName, yaml::Entry> probes;
  std::vector<RulePlaces> rules;  // as Service::rules
  std::vector<yaml::Node>
      checks;  // as Service::checklist; empty when the service has none of its own
};

struct Places {
  std::vector<yaml::Node> severities;  // keys, as Policy::severities
  std::map<FactName, yaml::Node> facts;
  std::map<ReceiverName, yaml::Node> receivers;
  std::map<ServiceName, ServicePlaces> services;
  std::map<ActionName, yaml::Entry> actions;
  std::vector<yaml::Node> playbooks;  // as Policy::playbooks
  std::map<std::string, yaml::Node> escalations;
  std::vector<yaml::Node> recommendations;  // as Policy::recommendations
};

}  // namespace firebreak::policy
