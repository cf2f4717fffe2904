// Each call of the operator API: check, ask the engine, answer.
#include "coordinator/api/service.h"

#include <firebreak/v1/operator.grpc.pb.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "common/text.h"
#include "coordinator/api/call.h"
#include "coordinator/api/convert.h"
#include "coordinator/api/quieting.h"
#include "coordinator/api/requests.h"
#include "coordinator/policy/loader.h"
#include "coordinator/report/explanation.h"
#include "coordinator/report/report.h"

namespace firebreak::api {
namespace {

using engine::View;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

Error unknown_incident(const IncidentId& id, const core::State& state) {
  std::vector<std::string> known;
  for (const auto& [name, incident] : state.incidents) known.push_back(name.str());
  const std::string meant = did_you_mean(id.str(), known);
  return make_error(Errc::not_found, "there is no incident '" + escape_line(id.str(), 80) + "'" +
                                         (meant.empty() ? "; see 'firebreak incidents --all'"
                                                        : "; did you mean '" + meant + "'?"));
}

// Calls `use` with the incident, from memory or from the store.
template <class Use>
Result<> with_incident(const View& view, const IncidentId& id, const Use& use) {
  if (const auto found = view.state.incidents.find(id); found != view.state.incidents.end()) {
    use(found->second);
    return {};
  }
  const auto stored = view.store.find_incident(id);
  if (!stored) return stored.error();
  if (!*stored) return unknown_incident(id, view.state);
  use(**stored);
  return {};
}

Result<> fill_incident(const View& view, const IncidentId& id, v1::Incident* out) {
  return with_incident(view, id, [out, &view](const core::Incident& incident) {
    *out = to_proto(incident, Detail::full);
    add_quieting(view.state, incident, *out);
    add_response(view.state, incident, *out);
  });
}

// The incident of a declaration that has been made already; empty: it has not.
const core::Incident* find_declared(const core::State& state, const std::string& request_id) {
  const auto found =
      std::find_if(state.incidents.begin(), state.incidents.end(),
                   [&](const auto& entry) { return entry.second.request_id == request_id; });
  return found == state.incidents.end() ? nullptr : &found->second;
}

Result<> fill_fact(const View& view, const FactName& name, const ServiceName& service,
                   v1::Fact* out) {
  const auto fact = view.state.policy->facts.find(name);
  if (fact == view.state.policy->facts.end())
    return make_error(Errc::not_found, "the policy has no fact '" + name.str() + "' any more");
  *out = to_proto(view.state, fact->second, service);
  return {};
}

// The newest that was in force and whose digest begins so.
Result<const core::PolicyVersion*> find_version(const core::State& state,
                                                const std::string& digest) {
  const core::PolicyVersion* found = nullptr;
  for (const core::PolicyVersion& version : state.policy_history) {
    if (!version.digest.starts_with(digest)) continue;
    if (found != nullptr && found->digest != version.digest)
      return make_error(Errc::invalid_argument,
                        "several policies begin with '" + escape_line(digest, 80) + "'");
    found = &version;
  }
  if (found == nullptr)
    return make_error(Errc::not_found, "no policy '" + escape_line(digest, 80) +
                                           "' was in force; see 'firebreak policy history'");
  if (found->files == nullptr)
    return make_error(Errc::not_found, "the files of policy '" + escape_line(digest, 80) +
                                           "' are not kept any more; see 'firebreak policy "
                                           "history'");
  return found;
}

Result<> fill_policy(const View& view, const std::string& digest, v1::GetPolicyResponse* out) {
  if (!view.state.policy) return make_error(Errc::not_found, "there is no policy yet; apply one");
  const auto add_files = [out](const std::vector<policy::SourceFile>& files) {
    for (const policy::SourceFile& file : files) {
      v1::PolicyFile& shown = *out->add_files();
      shown.set_path(file.path);
      shown.set_text(to_valid_utf8(file.text, limits::kPolicyBytesMax));
    }
  };
  if (digest.empty()) {
    out->set_digest(view.state.policy->digest);
    add_files(view.state.policy->files);
    out->set_applied_by(view.state.policy_by);
    out->set_applied_unix_us(unix_us(view.state.policy_at));
    return {};
  }
  const auto found = find_version(view.state, digest);
  if (!found) return found.error();
  const core::PolicyVersion& version = **found;
  out->set_digest(version.digest);
  add_files(*version.files);
  out->set_applied_by(version.by);
  out->set_applied_unix_us(unix_us(version.at));
  return {};
}

Result<> fill_policies(const View& view, v1::ListPoliciesResponse* out) {
  const core::PolicyHistory& history = view.state.policy_history;
  for (auto version = history.rbegin(); version != history.rend(); ++version) {
    v1::PolicyVersion& shown = *out->add_versions();
    shown.set_digest(version->digest);
    shown.set_applied_by(to_valid_utf8(version->by, limits::kTextBytesMax));
    shown.set_applied_unix_us(unix_us(version->at));
    shown.set_kept(version->files != nullptr);
  }
  return {};
}

// Of an incident that only the store has, what its timeline says.
Result<> fill_explanation(const View& view, const std::string& about, v1::ExplainResponse* out) {
  const auto question = core::find_question(view.state, about);
  std::optional<core::Incident> stored;
  if (!question) {
    const auto id = check_incident_id(about, true);
    if (!id || id->empty()) return question.error();
    const auto found = view.store.find_incident(*id);
    if (!found) return found.error();
    if (!*found) return question.error();
    stored = **found;
  }
  const auto explanation = core::explain(
      view.state, stored ? core::Question{stored->service, {}, stored->id} : *question, view.now,
      stored ? &*stored : nullptr);
  if (!explanation) return explanation.error();
  *out = report::to_message(*explanation);
  return {};
}

Error no_policy() {
  return make_error(Errc::failed_precondition, "there is no policy yet; apply one first");
}

}  // namespace

class OperatorApi::Service final : public v1::OperatorService::CallbackService {
 public:
  Service(engine::Engine& engine, Watchers& watchers, std::string version, ThrottledOf throttled)
      : engine_(engine),
        watchers_(watchers),
        version_(std::move(version)),
        throttled_(std::move(throttled)) {}

  ServerUnaryReactor* GetStatus(CallbackServerContext* context, const v1::GetStatusRequest*,
                                v1::GetStatusResponse* out) override {
    return read(context, [this, out](const View& view) {
      out->set_version(version_);
      fill_status(view.state, view.now, *out);
      if (view.unstored != nullptr) out->set_store_trouble(view.unstored->message);
      return Result<>();
    });
  }

  ServerUnaryReactor* ListServices(CallbackServerContext* context,
                                   const v1::ListServicesRequest* request,
                                   v1::ListServicesResponse* out) override {
    return read(context, [request, out](const View& view) -> Result<> {
      const auto only = check_service_name(request->service(), true);
      if (!only) return only.error();
      if (!only->empty()) return fill_service(view.state, *only, *out);
      const auto page = check_page(*request);
      if (!page) return page.error();
      return fill_services(view.state, *page, *out);
    });
  }

  ServerUnaryReactor* ListAgents(CallbackServerContext* context,
                                 const v1::ListAgentsRequest* request,
                                 v1::ListAgentsResponse* out) override {
    return read(context, [this, request, out](const View& view) -> Result<> {
      const auto page = check_page(*request);
      if (!page) return page.error();
      auto filled = fill_agents(view.state, *page, *out);
      if (filled && throttled_) add_throttled(*out);
      return filled;
    });
  }

  ServerUnaryReactor* ForgetAgent(CallbackServerContext* context,
                                  const v1::ForgetAgentRequest* request,
                                  v1::ForgetAgentResponse*) override {
    return change(context, *request, [](const View&) { return Result<>(); });
  }

  ServerUnaryReactor* ListIncidents(CallbackServerContext* context,
                                    const v1::ListIncidentsRequest* request,
                                    v1::ListIncidentsResponse* out) override {
    return read(context, [request, out](const View& view) -> Result<> {
      const auto limit = check_limit(*request);
      if (!limit) return limit.error();
      fill_incidents(view.state, request->include_resolved(), *limit, *out);
      return {};
    });
  }

  ServerUnaryReactor* GetIncident(CallbackServerContext* context,
                                  const v1::GetIncidentRequest* request,
                                  v1::Incident* out) override {
    return read(context, [request, out](const View& view) -> Result<> {
      const auto id = check_incident_id(request->id());
      if (!id) return id.error();
      return fill_incident(view, *id, out);
    });
  }

  ServerUnaryReactor* AcknowledgeIncident(CallbackServerContext* context,
                                          const v1::AcknowledgeIncidentRequest* request,
                                          v1::Incident* out) override {
    return change_incident(context, *request, out);
  }
  ServerUnaryReactor* AddNote(CallbackServerContext* context, const v1::AddNoteRequest* request,
                              v1::Incident* out) override {
    return change_incident(context, *request, out);
  }
  ServerUnaryReactor* ResolveIncident(CallbackServerContext* context,
                                      const v1::ResolveIncidentRequest* request,
                                      v1::Incident* out) override {
    return change_incident(context, *request, out);
  }

  ServerUnaryReactor* CompleteStep(CallbackServerContext* context,
                                   const v1::CompleteStepRequest* request,
                                   v1::Incident* out) override {
    return change_incident(context, *request, out);
  }

  ServerUnaryReactor* OverrideSeverity(CallbackServerContext* context,
                                       const v1::OverrideSeverityRequest* request,
                                       v1::Incident* out) override {
    const auto show = [request, out](const View& view) {
      return fill_incident(view, IncidentId(request->id()), out);
    };
    return change_by_policy(context, *request, show, [](const View&) { return false; });
  }

  ServerUnaryReactor* DeclareIncident(CallbackServerContext* context,
                                      const v1::DeclareIncidentRequest* request,
                                      v1::Incident* out) override {
    const auto show = [request, out](const View& view) -> Result<> {
      const core::Incident* incident = find_declared(view.state, request->request_id());
      if (incident == nullptr)
        return make_error(Errc::internal, "the declaration is committed, its incident is gone");
      *out = to_proto(*incident, Detail::full);
      add_quieting(view.state, *incident, *out);
      add_response(view.state, *incident, *out);
      return {};
    };
    return change_by_policy(context, *request, show, [request](const View& view) {
      return find_declared(view.state, request->request_id()) != nullptr;
    });
  }

  ServerUnaryReactor* SetFact(CallbackServerContext* context, const v1::SetFactRequest* request,
                              v1::Fact* out) override {
    const auto show = [request, out](const View& view) {
      return fill_fact(view, FactName(request->name()), ServiceName(request->service()), out);
    };
    return change_by_policy(context, *request, show, [](const View&) { return false; });
  }

  ServerUnaryReactor* ClearFact(CallbackServerContext* context, const v1::ClearFactRequest* request,
                                v1::Fact* out) override {
    const auto show = [request, out](const View& view) {
      return fill_fact(view, FactName(request->name()), ServiceName(request->service()), out);
    };
    return change(context, *request, show);
  }

  ServerUnaryReactor* ListFacts(CallbackServerContext* context, const v1::ListFactsRequest*,
                                v1::ListFactsResponse* out) override {
    return read(context, [out](const View& view) {
      fill_facts(view.state, *out);
      return Result<>();
    });
  }

  ServerUnaryReactor* AddSilence(CallbackServerContext* context,
                                 const v1::AddSilenceRequest* request, v1::Silence* out) override {
    return change(context, *request, [request, out](const View& view) {
      return fill_silence(view.state, request->request_id(), SilenceId(), *out);
    });
  }
  ServerUnaryReactor* ExpireSilence(CallbackServerContext* context,
                                    const v1::ExpireSilenceRequest* request,
                                    v1::Silence* out) override {
    return change(context, *request, [request, out](const View& view) {
      return fill_silence(view.state, "", SilenceId(request->id()), *out);
    });
  }
  ServerUnaryReactor* ListSilences(CallbackServerContext* context,
                                   const v1::ListSilencesRequest* request,
                                   v1::ListSilencesResponse* out) override {
    return read(context, [request, out](const View& view) {
      fill_silences(view.state, request->all(), *out);
      return Result<>();
    });
  }

  ServerUnaryReactor* StartMaintenance(CallbackServerContext* context,
                                       const v1::StartMaintenanceRequest* request,
                                       v1::Maintenance* out) override {
    return change(context, *request, [request, out](const View& view) {
      return fill_maintenance(view.state, request->request_id(), MaintenanceId(), *out);
    });
  }
  ServerUnaryReactor* EndMaintenance(CallbackServerContext* context,
                                     const v1::EndMaintenanceRequest* request,
                                     v1::Maintenance* out) override {
    return change(context, *request, [request, out](const View& view) {
      return fill_maintenance(view.state, "", MaintenanceId(request->id()), *out);
    });
  }
  ServerUnaryReactor* ListMaintenance(CallbackServerContext* context,
                                      const v1::ListMaintenanceRequest* request,
                                      v1::ListMaintenanceResponse* out) override {
    return read(context, [request, out](const View& view) {
      fill_maintenances(view.state, request->all(), *out);
      return Result<>();
    });
  }

  ServerUnaryReactor* GetReport(CallbackServerContext* context, const v1::GetReportRequest* request,
                                v1::GetReportResponse* out) override {
    return read(context, [request, out](const View& view) -> Result<> {
      const auto id = check_incident_id(request->incident());
      if (!id) return id.error();
      return with_incident(view, *id, [out, &view](const core::Incident& incident) {
        out->set_markdown(report::render_report(incident, view.now));
      });
    });
  }

  ServerUnaryReactor* Explain(CallbackServerContext* context, const v1::ExplainRequest* request,
                              v1::ExplainResponse* out) override {
    return read(context, [request, out](const View& view) {
      return fill_explanation(view, request->about(), out);
    });
  }

  ServerUnaryReactor* GetPolicy(CallbackServerContext* context, const v1::GetPolicyRequest* request,
                                v1::GetPolicyResponse* out) override {
    return read(context, [request, out](const View& view) {
      return fill_policy(view, request->digest(), out);
    });
  }

  ServerUnaryReactor* ListPolicies(CallbackServerContext* context, const v1::ListPoliciesRequest*,
                                   v1::ListPoliciesResponse* out) override {
    return read(context, [out](const View& view) { return fill_policies(view, out); });
  }

  ServerUnaryReactor* ApplyPolicy(CallbackServerContext* context,
                                  const v1::ApplyPolicyRequest* request,
                                  v1::ApplyPolicyResponse* out) override {
    auto* reactor = context->DefaultReactor();
    const auto call = std::make_shared<UnaryCall>(reactor);
    const auto by = operator_name(*context);
    if (!by) return refuse(*call, reactor, by.error());
    auto files = policy_files(*request);
    if (!files) return refuse(*call, reactor, files.error());
    // Compiled here, on gRPC's thread: it takes as long as a policy is large.
    const policy::Loaded loaded = policy::load_policy(*std::move(files));
    out->set_problems(to_valid_utf8(loaded.problems, limits::kApiReplyBytesMax));
    if (loaded.policy) out->set_digest(loaded.policy->digest);
    if (!loaded.policy || request->check_only()) {
      call->finish(grpc::Status::OK);
      return reactor;
    }
    ask(call, core::PolicyChanged{loaded.policy, "operator:" + *by, request->replaces()},
        [out](const View&) {
          out->set_applied(true);
          return Result<>();
        });
    return reactor;
  }

  grpc::ServerWriteReactor<v1::WatchEvent>* Watch(CallbackServerContext* context,
                                                  const v1::WatchRequest* request) override;
  grpc::ServerWriteReactor<v1::ValidationProgress>* Validate(
      CallbackServerContext* context, const v1::ValidateRequest* request) override;

 private:
  static ServerUnaryReactor* refuse(UnaryCall& call, ServerUnaryReactor* reactor,
                                    const Error& error) {
    call.finish(to_status(error));
    return reactor;
  }

  void add_throttled(v1::ListAgentsResponse& out) const {
    for (v1::Agent& agent : *out.mutable_agents()) {
      const Throttled throttled = throttled_(AgentName(agent.name()));
      agent.set_throttled(throttled.times);
      agent.set_throttled_us(throttled.held.count());
    }
  }

  // A call that only looks: `use` runs on the owner thread and fills the response.
  template <class Use>
  ServerUnaryReactor* read(CallbackServerContext* context, Use use) {
    auto* reactor = context->DefaultReactor();
    const auto call = std::make_shared<UnaryCall>(reactor);
    if (const auto by = operator_name(*context); !by) return refuse(*call, reactor, by.error());
    engine_.inspect([call, use = std::move(use)](const View& view) { call->finish(use(view)); });
    return reactor;
  }

  // `answer` fills the response once the event is committed.
  template <class Answer>
  void ask(const std::shared_ptr<UnaryCall>& call, const core::Event& event, Answer answer) {
    engine_.ask(event, [call, answer = std::move(answer)](const Result<>& done, const View* view) {
      call->finish(done ? answer(*view) : done);
    });
  }

  template <class Request, class Answer>
  ServerUnaryReactor* change(CallbackServerContext* context, const Request& request,
                             Answer answer) {
    auto* reactor = context->DefaultReactor();
    const auto call = std::make_shared<UnaryCall>(reactor);
    const auto by = operator_name(*context);
    if (!by) return refuse(*call, reactor, by.error());
    const auto asked = to_event(*by, request);
    if (!asked) return refuse(*call, reactor, asked.error());
    ask(call, *asked, std::move(answer));
    return reactor;
  }

  template <class Request>
  ServerUnaryReactor* change_incident(CallbackServerContext* context, const Request& request,
                                      v1::Incident* out) {
    const auto show = [id = IncidentId(request.id()), out](const View& view) {
      return fill_incident(view, id, out);
    };
    return change(context, request, show);
  }

  // Requests that mean nothing without the policy in force: read it first, then ask, unless
  // `is_done` says that a first try of the same request was committed.
  template <class Request, class Answer, class IsDone>
  ServerUnaryReactor* change_by_policy(CallbackServerContext* context, const Request& request,
                                       Answer answer, IsDone is_done) {
    auto* reactor = context->DefaultReactor();
    const auto call = std::make_shared<UnaryCall>(reactor);
    const auto by = operator_name(*context);
    if (!by) return refuse(*call, reactor, by.error());
    engine_.inspect([this, call, by = *by, &request, answer, is_done](const View& view) {
      if (!view.state.policy) return call->finish(to_status(no_policy()));
      const auto asked = to_event(by, request, *view.state.policy);
      if (!asked) return call->finish(to_status(asked.error()));
      if (is_done(view)) return call->finish(answer(view));
      ask(call, *asked, answer);
    });
    return reactor;
  }

  engine::Engine& engine_;
  Watchers& watchers_;
  const std::string version_;
  const ThrottledOf throttled_;
  std::atomic<std::uint64_t> validations_{0};
};

namespace {

using WatchStream = Stream<v1::WatchEvent>;
using ValidateStream = Stream<v1::ValidationProgress>;

grpc::Status stopping() {
  return {grpc::StatusCode::UNAVAILABLE, "the coordinator is stopping"};
}

v1::WatchEvent event_of(const WatchQueue::Item& item) {
  v1::WatchEvent event;
  *event.mutable_entry() = api::to_proto(item.what->entry);
  event.set_incident(item.what->incident.str());
  event.set_service(item.what->service.str());
  event.set_missed(item.missed);
  return event;
}

}  // namespace

grpc::ServerWriteReactor<v1::WatchEvent>* OperatorApi::Service::Watch(
    CallbackServerContext* context, const v1::WatchRequest* request) {
  const auto stream = WatchStream::make();
  const auto queue = std::make_shared<WatchQueue>([weak = std::weak_ptr(stream)] {
    if (const auto alive = weak.lock()) alive->wake();
  });
  stream->set_up(
      [queue] {
        WatchStream::Next next;
        const bool is_closed = queue->is_closed();
        if (const auto item = queue->take())
          next.message = event_of(*item);
        else if (is_closed)
          next.end = stopping();
        return next;
      },
      nullptr);
  const auto by = operator_name(*context);
  const auto only = check_incident_id(request->incident(), true);
  if (!by || !only) {
    stream->end(to_status(!by ? by.error() : only.error()));
    return stream.get();
  }
  // On the owner thread, so that nothing happens between the look and the subscription.
  const bool asked = engine_.inspect([this, stream, queue, only = *only](const View& view) {
    if (!only.empty() && !view.state.incidents.contains(only))
      return stream->end(to_status(unknown_incident(only, view.state)));
    if (const auto watched = watchers_.watch(only, queue); !watched)
      return stream->end(to_status(watched.error()));
    stream->open();
  });
  if (!asked) stream->end(stopping());
  return stream.get();
}

grpc::ServerWriteReactor<v1::ValidationProgress>* OperatorApi::Service::Validate(
    CallbackServerContext* context, const v1::ValidateRequest* request) {
  const auto stream = ValidateStream::make();
  const auto slot = std::make_shared<ProgressSlot>([weak = std::weak_ptr(stream)] {
    if (const auto alive = weak.lock()) alive->wake();
  });
  const auto by = operator_name(*context);
  const auto service = check_service_name(request->service());
  if (!by || !service) {
    stream->end(to_status(!by ? by.error() : service.error()));
    return stream.get();
  }
  const ValidationId id("v" + std::to_string(unix_us(engine_.now())) + "-" +
                        std::to_string(++validations_));
  stream->set_up(
      [slot] {
        ValidateStream::Next next;
        const bool is_closed = slot->is_closed();
        const auto progress = slot->take();
        if (!progress && is_closed) next.end = stopping();
        if (!progress) return next;
        next.message = api::to_proto(progress->validation, progress->now);
        if (progress->validation.verdict != core::Verdict::running) next.end = grpc::Status::OK;
        return next;
      },
      // Nobody waits for it any more. Refused when it never began or has ended: fine.
      [this, id, by = *by] {
        engine_.ask(core::OperatorAsked{by, core::CancelValidation{id}},
                    [](const Result<>&, const View*) {});
      });
  if (const auto followed = watchers_.follow(id, slot); !followed) {
    stream->end(to_status(followed.error()));
    return stream.get();
  }
  const auto started = [stream, slot, id](const Result<>& done, const View* view) {
    if (!done) return stream->end(to_status(done.error()));
    const auto found = view->state.validations.find(id);
    if (found == view->state.validations.end())
      return stream->end({grpc::StatusCode::INTERNAL, "the validation was started and is gone"});
    slot->push(std::make_shared<const Progress>(Progress{found->second, view->now}));
  };
  engine_.ask(core::OperatorAsked{*by, core::StartValidation{id, *service}}, started);
  return stream.get();
}

OperatorApi::OperatorApi(engine::Engine& engine, Watchers& watchers, std::string version,
                         ThrottledOf throttled)
    : service_(
          std::make_unique<Service>(engine, watchers, std::move(version), std::move(throttled))) {}
OperatorApi::~OperatorApi() = default;

grpc::Service& OperatorApi::service() {
  return *service_;
}

}  // namespace firebreak::api
