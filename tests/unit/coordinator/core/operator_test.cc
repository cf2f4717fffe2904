// What may be asked for, and what is said when it may not.
#include "coordinator/core/operator.h"

#include "common/limits.h"
#include "tests/unit/coordinator/core/world.h"

namespace firebreak::core {
namespace operator_test {

constexpr const char* kPolicy = R"yaml(
severities: {P1: {}, P2: {}}
facts: {customers: 0, ratio: 0.5, breach: false, region: north}
services:
  api:
    agents: 'true'
    probes: {health: {http: "http://api/health"}}
  db:
    agents: 'true'
    probes: {ready: {http: "http://db/"}}
rules:
  - {service: api, severity: {P1: facts.customers > 100}}
  - {service: db, severity: {P1: facts.customers > 100}}
)yaml";

std::string refusal(const World& world, decltype(OperatorAsked::what) what) {
  const auto may = world.may(std::move(what));
  return may ? "" : may.error().message;
}

class Operator : public testing::Test {
 protected:
  Operator() : world(kPolicy) {
    world.ask(DeclareIncident{ServiceName("api"), 1, "customers call", "r-1"});
    id = world.incident().id;
  }
  World world;
  IncidentId id;
};

TEST_F(Operator, MayAskForWhatThereIs) {
  EXPECT_EQ(refusal(world, AcknowledgeIncident{id, ""}), "");
  EXPECT_EQ(refusal(world, AddNote{id, "text", "identified"}), "");
  EXPECT_EQ(refusal(world, ResolveIncident{id, "done"}), "");
  EXPECT_EQ(refusal(world, DeclareIncident{ServiceName("db"), 0, "", ""}), "");
  EXPECT_EQ(refusal(world, DeclareIncident{ServiceName("api"), 1, "", "r-1"}), "");
  EXPECT_EQ(refusal(world, SetFact{FactName("ratio"), ServiceName("api"), 2}), "");
  EXPECT_EQ(refusal(world, ClearFact{FactName("ratio"), {}}), "");
  EXPECT_EQ(refusal(world, StartValidation{ValidationId("v"), ServiceName("api")}), "");
}

TEST_F(Operator, IsToldWhatIsWrong) {
  const IncidentId none("INC-1");
  EXPECT_NE(refusal(world, AcknowledgeIncident{none, ""}).find("no incident \"INC-1\""),
            std::string::npos);
  EXPECT_NE(refusal(world, AddNote{id, "", ""}).find("empty"), std::string::npos);
  EXPECT_NE(refusal(world, AddNote{id, "x", "resolved"}).find("no phase of a note"),
            std::string::npos);
  EXPECT_NE(refusal(world, AddNote{id, std::string(limits::kTextBytesMax + 1, 'x'), ""})
                .find("4097 bytes"),
            std::string::npos);
  EXPECT_NE(refusal(world, ResolveIncident{id, ""}).find("give a reason"), std::string::npos);
  EXPECT_NE(refusal(world, DeclareIncident{ServiceName("x"), 0, "", ""}).find("no service \"x\""),
            std::string::npos);
  EXPECT_NE(refusal(world, DeclareIncident{ServiceName("api"), 0, "", "r-2"})
                .find(id.str() + " is already open"),
            std::string::npos);
  EXPECT_NE(refusal(world, DeclareIncident{ServiceName("db"), 9, "", ""}).find("severity"),
            std::string::npos);
  EXPECT_NE(refusal(world, SetFact{FactName("x"), {}, 1}).find("no fact \"x\""), std::string::npos);
  EXPECT_EQ(refusal(world, SetFact{FactName("customers"), {}, "many"}),
            "fact \"customers\" is of type int, not 'many'");
  EXPECT_NE(refusal(world, CancelValidation{ValidationId("v")}).find("no validation"),
            std::string::npos);
  world.ask(ResolveIncident{id, "done"});
  EXPECT_NE(refusal(world, AcknowledgeIncident{id, ""}).find("was resolved at"), std::string::npos);
}

TEST_F(Operator, ChangesNothingWithWhatIsRefused) {
  const std::size_t entries = world.incident().timeline.size();

  world.ask(ResolveIncident{id, ""});
  world.set_fact("customers", "many");

  EXPECT_EQ(world.incident().timeline.size(), entries);
  EXPECT_TRUE(world.state.facts.empty());
}

TEST_F(Operator, MovesThePhaseWithANote) {
  world.ask(AddNote{id, "the pool is full", "identified"});

  EXPECT_EQ(world.incident().phase, Phase::identified);
  EXPECT_EQ(World::entries(world.incident(), "note"), std::vector<std::string>{"the pool is full"});
  EXPECT_EQ(World::entries(world.incident(), "phase"), std::vector<std::string>{"identified"});
}

TEST_F(Operator, SetsAndClearsAFactForAllOrForOneService) {
  world.set_fact("customers", 200, "db");
  EXPECT_EQ(world.severity("api"), "none");
  EXPECT_EQ(world.severity("db"), "P1");
  world.ask(ClearFact{FactName("customers"), ServiceName("db")});
  EXPECT_EQ(world.severity("db"), "none");
  world.set_fact("customers", 200);
  EXPECT_EQ(world.severity("api"), "P1");

  EXPECT_EQ(World::entries(world.incident_of("api"), "fact"),
            std::vector<std::string>{"customers = 200"});
}

TEST_F(Operator, GivesAWholeNumberWhereAFactIsADouble) {
  world.set_fact("ratio", 2);
  EXPECT_EQ(world.state.facts.at({FactName("ratio"), {}}).value, cel::Value(2.0));
}

TEST_F(Operator, AcknowledgesOnce) {
  world.ask(AcknowledgeIncident{id, "on it"});
  world.step(OperatorAsked{"ben", AcknowledgeIncident{id, ""}});

  EXPECT_EQ(world.incident().acknowledged_by, "mia");
  EXPECT_EQ(World::entries(world.incident(), "acknowledged").size(), 1U);
}

TEST_F(Operator, StartsAValidationUnderTheCallersId) {
  world.attach("a");
  world.ask(StartValidation{ValidationId("v-1"), ServiceName("api")});

  const Validation& validation = world.state.validations.at(ValidationId("v-1"));
  EXPECT_EQ(validation.asked_by, "operator:mia");
  EXPECT_TRUE(validation.incident.empty());
  EXPECT_NE(refusal(world, StartValidation{ValidationId("v-1"), ServiceName("api")}), "");
  world.ask(CancelValidation{ValidationId("v-1")});
  EXPECT_EQ(world.state.validations.at(ValidationId("v-1")).verdict, Verdict::inconclusive);
}

}  // namespace operator_test
}  // namespace firebreak::core
