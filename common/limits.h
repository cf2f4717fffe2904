// Every bound in one place, with its reason. A drop or refusal at a bound is counted and said.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace firebreak::limits {

using namespace std::chrono_literals;

// Wire. gRPC refuses larger messages before they are parsed.
inline constexpr std::size_t kMessageBytesMax = 1u
                                                << 20;  // 1,000 results with evidence fit ten times
inline constexpr std::size_t kMetadataBytesMax = 8u << 10;
inline constexpr std::size_t kBatchResultsMax = 1000;  // one flush; larger saves nothing (bench/)
inline constexpr std::size_t kSeriesPerAgentMax =
    20000;                                     // 10,000 probes and as many one-shot checks
inline constexpr std::size_t kLabelsMax = 64;  // labels of one agent
inline constexpr std::size_t kLabelBytesMax = 256;
inline constexpr std::size_t kTextBytesMax = 4096;  // notes, reasons, fact values
inline constexpr std::size_t kValuesPerResultMax = 64;
inline constexpr std::size_t kEvidenceBytesMax = 1024;      // one line of what the target said
inline constexpr std::size_t kPolicyBytesMax = 900u << 10;  // a whole policy travels in one message
inline constexpr std::size_t kStreamsPerOperatorMax = 64;
inline constexpr auto kKeepaliveInterval = 20s;  // under the 30 s of the meanest NAT tables
inline constexpr auto kKeepaliveTimeout = 10s;   // an unanswered ping this old ends the connection
inline constexpr auto kHandshakeTimeout = 5s;    // TCP and TLS of one connection

// Agent.
inline constexpr std::size_t kBatchesInFlightMax = 16;  // window of batches without an ack
inline constexpr auto kFlushInterval = 1s;              // and at once when a verdict changes
inline constexpr auto kHeartbeatInterval = 5s;
inline constexpr auto kPeerSilenceMax = 14s;  // a dead link is found within 15 s: two heartbeats
                                              // are missed, the third is late
inline constexpr std::size_t kCoordinatorsMax = 16;       // addresses that one agent tries in turn
inline constexpr std::size_t kProbesPerAgentMax = 10000;  // of one assignment
inline constexpr std::size_t kProbesNowMax = 64;  // one-shot probes running at once, per agent
inline constexpr std::size_t kLinkQueueMax = 64;  // unsent messages; then the link is not read
inline constexpr std::size_t kActionOrderBytesMax = 32u << 10;  // half of what the actuator reads
inline constexpr std::size_t kOrdersHeldMax = 64;               // while the actuator restarts
inline constexpr std::size_t kOrdersRememberedMax =
    256;  // of those handed to the actuator: more than can wait for an outcome
inline constexpr std::size_t kActuatorMessageBytesMax = 64u << 10;  // an outcome is below 16 KiB
inline constexpr std::size_t kProbesInFlightMax = 512;  // per agent: more only queues in the kernel
inline constexpr std::size_t kProbesPerTargetMax = 64;  // of them: one hung server leaves the rest
inline constexpr std::size_t kProbesAtOnceMost =
    4096;  // that agent.yaml may allow: 3 descriptors each
inline constexpr auto kProbeIntervalMin = 100ms;
inline constexpr auto kProbeIntervalMax = 24h;  // rarer than daily is not monitoring
inline constexpr auto kProbeTimeoutMax = 300s;
inline constexpr auto kLatencyMax = 24h;  // a host that slept inside a probe
inline constexpr int kConfirmAttemptsMax = 10;
inline constexpr std::size_t kHttpRequestHeadersMax = 32;
inline constexpr std::size_t kHttpRequestBodyBytesMax = 64u << 10;
inline constexpr std::size_t kHttpStatusesMax = 64;  // that a probe takes for good
inline constexpr int kHttpRedirectsMax = 5;
inline constexpr std::size_t kHostBytesMax = 255;      // RFC 1035; also a socket's directory
inline constexpr std::size_t kUnixPathBytesMax = 107;  // unix(7): sun_path, with its NUL

// Agent's spool, see docs/spool-format.md.
inline constexpr std::uint64_t kSpoolBytesDefault = 256u << 20;  // a week of 10 results/s
inline constexpr std::uint64_t kSpoolBytesMin = 1u << 20;
inline constexpr std::uint64_t kSpoolBytesMax = 64ull << 30;
inline constexpr auto kSpoolAgeDefault = 168h;  // older than a week, nobody looks at it
inline constexpr auto kSpoolAgeMin = 1min;
inline constexpr auto kSpoolAgeMax = 8760h;
inline constexpr std::uint64_t kSpoolSegmentsAtLeast = 64;  // a drop at the bound costs 1/64 of it
inline constexpr std::uint64_t kSpoolSegmentBytesMin = 16u << 10;
inline constexpr std::uint64_t kSpoolSegmentBytesMax = 4u << 20;
inline constexpr std::size_t kSpoolRecordBytesMax = 16u << 10;  // 64 values and evidence: 6 KiB
inline constexpr std::size_t kSpoolPendingMax = 20000;    // in memory, while the disk takes nothing
inline constexpr std::size_t kSpoolReadyMax = 4000;       // read ahead of sending, about 1 MB
inline constexpr std::size_t kSpoolEvidenceFilesMax = 4;  // copies of damaged segments
inline constexpr double kDrainPerSecond = 2000;      // of a backlog: 10,000 agents may come at once
inline constexpr double kDrainPerSecondMax = 20000;  // when it would keep news waiting
inline constexpr auto kDrainWithin = 60s;  // a backlog is drained in that time if the two allow it

// Probes: what one reply of a target may cost.
inline constexpr std::size_t kHttpHeaderBytesMax = 16u << 10;
inline constexpr std::size_t kHttpBodyBytesMax = 64u << 10;
inline constexpr std::size_t kHttpWireShare = 4;  // bytes received for one of body: tiny chunks
inline constexpr std::size_t kRedisLineBytesMax = 64u << 10;   // kept of one string; INFO has 8 KiB
inline constexpr std::size_t kRedisKeptBytesMax = 1u << 20;    // of all replies to one probe
inline constexpr std::size_t kRedisSeenBytesMax = 16u << 20;   // an entry of a stream may be large
inline constexpr std::size_t kRedisDepthMax = 8;               // arrays within arrays
inline constexpr std::size_t kAmqpNameBytesMax = 255;          // its short string
inline constexpr std::size_t kAmqpFrameBytesMax = 128u << 10;  // RabbitMQ's own default
inline constexpr std::size_t kAmqpSeenBytesMax = 1u << 20;     // until a queue's length is known
inline constexpr std::size_t kTlsChainBytesMax = 64u << 10;    // a client's certificate
inline constexpr std::size_t kTlsAuthoritiesBytesMax = 4u << 20;  // the system's have 200 KiB
inline constexpr std::size_t kSqlValueBytesMax = 4096;
inline constexpr std::size_t kSqlReplyBytesMax = 1u << 20;      // one query's rows, all together
inline constexpr std::size_t kSqlGreetingBytesMax = 64u << 10;  // one error, perhaps some notices
// PostgreSQL's own is 4096; libpq computes them at once, 0.1 s of the event loop for so many.
inline constexpr std::uint64_t kScramRoundsMax = 20'000;
inline constexpr std::size_t kTcpStepsMax = 16;              // of one dialogue
inline constexpr std::size_t kTcpReplyBytesMax = 64u << 10;  // read while one step waits
inline constexpr std::size_t kStartTlsBytesMax = 16u << 10;  // until the server is ready for TLS
inline constexpr std::size_t kPrometheusAnswerBytesMax = 1u << 20;  // one query's series
inline constexpr std::size_t kMetricsPageBytesMax = 16u << 20;  // read of a page, never all held
inline constexpr std::size_t kMetricLineBytesMax = 64u << 10;   // held of a page
inline constexpr std::size_t kMetricMatchersMax = 32;           // labels that one probe names
inline constexpr std::size_t kGrpcServiceBytesMax = 255;
inline constexpr std::size_t kGrpcMessageBytesMax = 4096;     // a health service says two bytes
inline constexpr std::size_t kGrpcReplyBytesMax = 64u << 10;  // of HTTP/2, all frames together
inline constexpr std::size_t kDnsNameBytesMax = 253;  // as text, without the last dot (RFC 1035)
inline constexpr std::size_t kDnsLabelBytesMax = 63;
inline constexpr std::size_t kDnsExpectedMax = 64;   // answers that one probe names
inline constexpr std::size_t kDnsAnswersMax = 1024;  // records taken from one answer, about 1 MB
inline constexpr std::size_t kResolvConfBytesMax = 64u << 10;
inline constexpr std::size_t kIcmpPacketsMax = 20;  // more is a flood, or a probe of its own
inline constexpr int kIcmpBytesMin = 16;            // what makes a probe's packets its own
inline constexpr int kIcmpBytesMax = 1400;          // not fragmented on any usual way
inline constexpr auto kIcmpIntervalMin = 10ms;
inline constexpr auto kIcmpIntervalMax = 10s;
inline constexpr std::size_t kCheckOutputBytesMax = 64u << 10;  // kept of what a check prints
inline constexpr std::size_t kCheckReadBytesMax = 1u << 20;     // more, and it is ended
inline constexpr std::size_t kCheckErrorsBytesMax = 1024;       // kept of its stderr: evidence
inline constexpr std::size_t kCheckProcessesMax = 64;   // that one check may add to its user's
inline constexpr std::size_t kChecksPerHostMax = 1024;  // allowed by name
inline constexpr std::size_t kCheckParametersMax = 16;  // given by one probe
inline constexpr std::size_t kDisksMax = 12;  // of one probe; three values each, beside the host's
inline constexpr std::size_t kDisksAskedMax = 32;  // at once, each on a thread that may hang
inline constexpr std::size_t kUnitStatesMax = 16;  // that a probe takes for good
inline constexpr std::size_t kRangeBytesMax = 64;  // a limit on a value
inline constexpr auto kHeartbeatWithinMin = 1s;
inline constexpr auto kHeartbeatWithinMax = 366 * 24h;   // a yearly job
inline constexpr std::size_t kHeartbeatValuesMax = 62;   // a job's own, beside age and duration
inline constexpr std::size_t kHeartbeatsMax = 512;       // that probes ask of one agent
inline constexpr std::size_t kHeartbeatsStrayMax = 128;  // that none asks for, not yet or no more
inline constexpr auto kHeartbeatStrayFor = 168h;         // so long after its last report
inline constexpr std::size_t kHeartbeatBodyBytesMax = 16u << 10;  // 62 values and a message
inline constexpr std::size_t kHeartbeatFileBytesMax = 16u << 20;  // twice what the names can need
inline constexpr std::size_t kHeartbeatConnectionsMax = 64;       // then the oldest unfinished goes
inline constexpr auto kHeartbeatPatience = 5s;      // for a whole request, and again for the disk
inline constexpr auto kHeartbeatSaveEvery = 10min;  // bounds what a step of the wall clock may do
inline constexpr std::size_t kHeartbeatUsersMax = 64;  // that may report one name
inline constexpr std::size_t kPerfdataItemsMax = 64;   // as many as a result has values
inline constexpr int kJsonDepthMax = 32;
inline constexpr auto kProberStallMax = 1s;  // of a run; lost more, it blames nobody but us
inline constexpr int kProberStallShare = 4;  // or this part of its timeout, if that is less
inline constexpr auto kPulseBeat = 100ms;    // how often a loop that runs probes shows that it runs
inline constexpr auto kPulseSlack = 100ms;   // of a beat's lateness, that much is not counted
inline constexpr std::size_t kResolverThreadsMax = 64;  // a hung look-up holds one of them
inline constexpr auto kNameKeptFor = 5s;  // below any usual TTL, which getaddrinfo does not tell
inline constexpr std::size_t kNamesKeptMax = 4096;
inline constexpr std::size_t kAnchorsMax = 8;     // configured for one agent
inline constexpr std::size_t kGatewaysMax = 4;    // of one host that are asked
inline constexpr auto kAnchorPatience = 1s;       // for an anchor's answer
inline constexpr auto kAnchorBeat = 60s;          // between two looks when nothing fails
inline constexpr auto kAnchorBeatBlind = 2s;      // while no anchor answers
inline constexpr auto kSightHolds = 250ms;        // an answer is worth that long after it
inline constexpr auto kSightHoldsForKnown = 10s;  // for a failure that is known already
inline constexpr std::size_t kResolverQueueMax = 1024;

// Actions.
inline constexpr std::size_t kActionOutputBytesMax = 4096;  // kept head and tail, as Consul does
inline constexpr auto kActionTimeoutMax = 3600s;
inline constexpr std::size_t kActionArgsMax = 32;
inline constexpr std::size_t kActionsRunningMax = 8;  // per host
inline constexpr auto kOrderLifetime = 60s;           // an order that has not begun by then is void
inline constexpr auto kOutcomeGrace = 30s;            // after the time-out: the outcome's way here
inline constexpr std::size_t kActionsPerIncidentMax = 500;  // shown; the oldest ended ones go
inline constexpr std::size_t kExplainedStepsMax = 100;      // of a playbook; a person reads them
inline constexpr std::size_t kExplainedDecisionsMax = 100;  // of an incident; likewise
inline constexpr std::size_t kActionParameterBytesMax = 256;
inline constexpr std::size_t kActionIdBytesMax = 128;
inline constexpr std::size_t kActionsPerHostMax = 256;  // allowed by name
inline constexpr std::size_t kActionIdsMax = 10000;     // remembered by a host, so none runs twice
inline constexpr auto kActionIdsFor = 720h;             // 30 days
inline constexpr auto kActionIdsAtLeast = 24h;  // even beyond kActionIdsMax; then none is accepted
inline constexpr auto kActionKillGrace = 2s;    // between TERM and KILL
inline constexpr std::size_t kActuatorConnectionsMax = 8;  // one agent, and an operator's look
inline constexpr std::size_t kActuatorReplyBytesMax = 1u << 20;  // unread; then it is cut off
inline constexpr auto kActuatorStopWait = 15s;  // for running actions, under the unit's 20 s

// Coordinator.
inline constexpr std::size_t kIngestQueueEventsMax =
    4096;  // batches waiting for the engine; then streams are not read
inline constexpr std::size_t kIngestQueueResultsMax =
    200000;  // of all those batches together, about 40 MB
// One agent: its 10,000 probes every second, all of them failing and looked at a second time.
inline constexpr std::uint64_t kAgentResultsPerSecond = 20000;
inline constexpr std::uint64_t kAgentResultsBurst = 40000;  // two seconds of that at once
inline constexpr std::uint64_t kAttachCost = 2000;          // results; a handshake costs 4 ms
inline constexpr std::uint64_t kMessageCost = 50;  // results; a small batch costs 200 us (bench/)
// All agents: a TLS handshake and what follows cost 4 ms, so this is one core.
inline constexpr std::uint64_t kAttachesPerSecond = 250;
inline constexpr std::uint64_t kAttachesBurst = 500;
inline constexpr auto kReconnectAfterMax = 5min;  // of what an agent is asked to wait
// An agent's steady clock against our time line.
inline constexpr auto kClockWindow = 60s;  // drift of 100 ppm moves it by 6 ms in that time
inline constexpr auto kClockJump = 5s;     // more than a batch waits in a link's queues
inline constexpr std::size_t kClockJumpMessages = 3;  // that agree on it: it has stood still ...
inline constexpr auto kClockJumpFor = 2s;             // ... for so long, so that no backlog does
inline constexpr std::size_t kOutgoingMessagesMax =
    1024;  // to one agent; a stream whose agent reads slower is ended
inline constexpr std::size_t kStreamsPerAgentMax = 4;  // the newest counts, the others are ending
inline constexpr auto kDrainTimeout = 5s;  // agents leave within it, then the port closes
inline constexpr std::size_t kCommitEventsMax = 1024;  // one transaction: a few ms on a slow disk
inline constexpr std::size_t kCommitResultsMax = 20000;
inline constexpr auto kTickIntervalMin = 10ms;  // each is a write to the disk
inline constexpr auto kStoreRetryFirst =
    250ms;                                      // a commit that found no room on the disk; doubling
inline constexpr auto kStoreRetryLongest = 5s;  // there is room again: work goes on soon
inline constexpr auto kJournalKeep = 168h;      // 7 days, unless coordinator.yaml says otherwise
inline constexpr std::uint64_t kJournalBytes = 10ull << 30;
inline constexpr auto kJournalKeepMin = 1h;
inline constexpr std::uint64_t kJournalBytesMin = 64ull << 20;  // some minutes of a large fleet
inline constexpr std::uint64_t kSnapshotResults = 1'000'000;    // replayed in one to nine seconds
inline constexpr std::uint64_t kSnapshotEntries = 100'000;      // of the journal, likewise
inline constexpr auto kSnapshotInterval = 10min;
inline constexpr auto kSnapshotIntervalMin = 10s;  // each holds up the owner thread for a moment
inline constexpr std::uint32_t kSnapshotRecordBytesMax =
    64u << 20;  // one incident with all it may have
inline constexpr std::size_t kTimelineEntriesMax =
    2000;  // per incident; the middle is cut, counted
inline constexpr std::size_t kResolvedIncidentsKept =
    1000;  // in memory; older ones are in the store
inline constexpr std::size_t kOpenIncidentsMax = 10000;
inline constexpr std::size_t kEscalationTiersMax = 20;   // a ladder that people climb has five
inline constexpr std::size_t kManualStepsMax = 200;      // of a policy, and of one incident
inline constexpr std::size_t kManualStepBytesMax = 300;  // a line on a phone
inline constexpr std::size_t kRecommendationsMax = 200;  // of a policy; each is looked at again
inline constexpr std::size_t kSchemesMax = 20;           // of names for severities
inline constexpr auto kSeverityOverride = 4h;  // unless its author says how long: half a shift
inline constexpr auto kSeverityOverrideMax = 7 * 24h;  // longer, the policy is what is wrong
inline constexpr auto kEscalationRepeatMin = 1min;     // sooner, it only drowns what they do
inline constexpr std::size_t kWatchersMax = 256;
inline constexpr std::size_t kWatchQueueMax =
    1024;                                // a watcher that reads slower is told that it missed some
inline constexpr auto kLateAfter = 60s;  // older results fill history only
inline constexpr auto kDeliverySlack = 3s;  // from probe to commit: a flush, a batch, a transaction
// After a start. Two minutes: ten thousand agents are back after one (kAttachesPerSecond).
inline constexpr auto kWarmUp = 120s;  // agents that were there are awaited for so long ...
inline constexpr std::uint64_t kWarmEnoughPercent = 90;  // ... or until so many of them are back
inline constexpr auto kAwaitedWhenSeen = 5min;  // so long before the last one that was heard
inline constexpr auto kValidateAgainMin = 30s;  // after a validation that did not pass, doubling
inline constexpr auto kValidateAgainMax = 15min;
inline constexpr std::size_t kPastIncarnationsMax = 64;  // of one agent, whose results are repeats
inline constexpr auto kProbeAnswerGrace = 5s;    // a one-shot probe's way there, its turn, and back
inline constexpr auto kValidationTimeMax = 72h;  // a hold of a day fits, with time to spare
inline constexpr std::size_t kValidationsRunningMax = 1000;  // each probes a service's agents
inline constexpr std::size_t kValidationsKept = 1000;        // that have ended
inline constexpr std::size_t kWindowBuckets = 60;  // a window is at most this many buckets fine
inline constexpr std::size_t kSketchBinsMax =
    512;  // of latencies, per bucket: 250 KB for a window in which every one is full

// What one outage takes along.
inline constexpr int kDependencyDepthMax = 32;             // links between a symptom and its cause
inline constexpr std::size_t kAffectedServicesMax = 1000;  // further ones have their own incident
inline constexpr std::size_t kAffectedHostsMax = 100;      // named; that there are more is said
inline constexpr std::size_t kLinkedIncidentsMax = 100;    // of one incident, either way
inline constexpr auto kSilentAfterMin = 15s;  // a lost link is found by then (kPeerSilenceMax)
// Silences, maintenance, flapping.
inline constexpr std::size_t kSilencesMax =
    500;  // in force; each is held against each notification
inline constexpr std::size_t kSilenceMatchersMax = 8;
inline constexpr std::size_t kMatcherBytesMax = 512;
inline constexpr std::size_t kMatcherPatternBytesMax = 64u << 10;  // compiled; 500 of 8 stay small
inline constexpr auto kSilenceTimeMin = 1s;
inline constexpr auto kSilenceTimeMax = 720h;         // 30 days: longer is a rule that is wrong
inline constexpr std::size_t kMaintenancesMax = 200;  // in force, begun by people
inline constexpr std::size_t kMaintenanceServicesMax = 1000;  // of one
inline constexpr auto kMaintenanceTimeMin = 1s;
inline constexpr auto kMaintenanceTimeMax = 168h;   // a week; nobody is told in all that time
inline constexpr std::size_t kQuietingsKept = 500;  // of each, that are over
inline constexpr auto kQuietingsKeptFor = 168h;     // last week's can be listed
inline constexpr std::size_t kMaintenanceWindowsMax = 200;  // of a policy
inline constexpr int kFlapChangesMax = 100;  // remembered of each service that changes
inline constexpr auto kFlapWithinMax = 24h;

// Notifications and http actions, sent by the coordinator itself.
inline constexpr auto kNotificationTimeout = 10s;  // one attempt, name look-up included
inline constexpr auto kNotificationRetryFirst = 1s;
inline constexpr auto kNotificationRetryLongest = 60s;  // soon there when the receiver is back
inline constexpr auto kNotificationGiveUpAfter = 1h;    // later, it is history
inline constexpr int kNotificationAttemptsMax = 200;    // what an hour of 60 s waits can need
inline constexpr auto kRetryAfterMax = 10min;           // of what a receiver may ask for
inline constexpr std::size_t kNotificationsPerReceiverMax = 1000;  // waiting; further ones fail
inline constexpr std::size_t kHttpActionsRunningMax = 64;
inline constexpr std::size_t kHttpReplyBytesMax = 1u << 20;  // read; less of it is kept

inline constexpr std::uint32_t kListedMax = 1000;             // of one list, in one answer
inline constexpr std::size_t kApiReplyBytesMax = 900u << 10;  // below kMessageBytesMax
inline constexpr std::size_t kReportBytesMax = 600u << 10;    // a report travels in one message

// Certificates.
inline constexpr std::size_t kSecretBytesMax = 64u << 10;   // a key, a token: far below
inline constexpr std::size_t kPemFileBytesMax = 64u << 10;  // a chain of ours is under 2 KiB
inline constexpr std::size_t kCertificateHostsMax = 64;     // names of one coordinator

// YAML and expressions.
inline constexpr std::size_t kYamlBytesMax = 4u << 20;
inline constexpr std::size_t kYamlNodesMax = 200000;
inline constexpr int kYamlDepthMax = 32;
inline constexpr std::size_t kExprBytesMax = 4096;
inline constexpr int kExprDepthMax = 64;
inline constexpr std::size_t kExprNodesMax = 2000;
inline constexpr std::size_t kExprArgumentsMax = 8;     // of one call: they live on the stack
inline constexpr std::size_t kExprMacroDepthMax = 8;    // all() in map() in ...: likewise
inline constexpr std::int64_t kExprStepsMax = 100'000;  // one evaluation, a few milliseconds
inline constexpr std::size_t kExprPartsMax = 128;       // shown of one expression that is explained
inline constexpr std::size_t kExprPatternBytesMax = 1u << 20;  // of a compiled matches() pattern
// Looking for the shortest edit between two files costs the square of these, in memory too.
inline constexpr int kDiffEditsMax = 1000;
inline constexpr std::size_t kPolicyVersionsMax = 50;  // that were in force; a few months of them
// Of the texts of those: each snapshot holds them.
inline constexpr std::size_t kPolicyHistoryBytes = 4u << 20;
inline constexpr std::size_t kPolicyErrorsShownMax = 100;
inline constexpr std::size_t kHoursBytesMax = 256;  // of within('Mon-Fri 09:00-17:00', ...)
// Comparing a rule's conditions costs the square of these; a policy that people write stays below.
inline constexpr std::size_t kLintAtomsMax = 64;   // parts of one condition
inline constexpr std::size_t kLintLevelsMax = 16;  // levels of one rule

// Tests of a policy.
inline constexpr auto kRehearsalTimeMax = 24h * 366;        // of one test: a yearly window fits
inline constexpr std::int64_t kSeriesCountMax = 100'000;    // a week at 6 s
inline constexpr std::size_t kRehearsalTextShownMax = 300;  // of one line of a timeline

// Logs.
inline constexpr std::size_t kLogQueueLines = 8192;     // the oldest go first, counted
inline constexpr std::size_t kLogValueBytesMax = 1024;  // of one field

}  // namespace firebreak::limits
