#!/usr/bin/env python3
# Each rule of rules.py finds what it forbids and passes what it allows.
import sys

sys.dont_write_bytecode = True
import rules  # noqa: E402

GRAPH = {"common": set(), "proto": {"common"}, "agent": {"common", "proto"}, "coordinator": {"common", "coordinator/core"},
         "coordinator/core": {"common", "coordinator/policy"}, "coordinator/policy": {"common"}}
failures = []
ran = 0


def holds(name, condition, found):
    global ran
    ran += 1
    if not condition:
        failures.append(f"{name}: {found}")


def finds(name, problems, *wanted):
    """Exactly these problems, each by its line and a part of its message."""
    problems = list(problems)
    same = len(problems) == len(wanted) and all(
        problem[1] == line and part in problem[2] for problem, (line, part) in zip(problems, wanted))
    holds(name, same, problems)


def passes(name, problems):
    finds(name, problems)


# --- Arrows
table = "# A\n\n| folder | may include | what |\n|---|---|---|\n| `common` | - | x |\n| `agent` | `common` | y |\n\n| other |\n"
holds("graph is read", rules.read_graph(table) == {"common": set(), "agent": {"common"}}, rules.read_graph(table))
finds("agent includes coordinator", rules.arrows(
    {"agent/a.cc": '// A.\n#include "coordinator/core/step.h"\n', "coordinator/core/step.h": ""}, GRAPH),
    (2, "agent may not include coordinator/core"))
finds("angle brackets are no way round", rules.arrows(
    {"common/a.cc": "#include <proto/wire.h>\n", "proto/wire.h": ""}, GRAPH), (1, "common may not include proto"))
finds("generated code belongs to proto", rules.arrows(
    {"coordinator/core/a.cc": "#include <firebreak/v1/agent.pb.h>\n"}, GRAPH), (1, "may not include proto"))
finds("relative include", rules.arrows({"agent/a.cc": '#include "b.h"\n', "agent/b.h": ""}, GRAPH), (1, "from the root"))
finds("missing header", rules.arrows({"agent/a.cc": '#include "common/gone.h"\n'}, {"agent": set()}), (1, "not in the tree"))
finds("product includes tests", rules.arrows(
    {"agent/a.cc": '#include "tests/support/x.h"\n', "tests/support/x.h": ""}, GRAPH), (1, "does not include tests"))
finds("unknown folder", rules.arrows({"web/a.cc": ""}, GRAPH), (1, "not a row"))
finds("row names a stranger", rules.arrows({}, {"agent": {"web"}}), (1, "web, which is not a row"))
passes("arrows that are allowed", rules.arrows(
    {"agent/a.cc": '#include "agent/b.h"\n#include "proto/wire.h"\n#include <vector>\n#include <firebreak/v1/a.pb.h>\n',
     "agent/b.h": "", "proto/wire.h": "", "tests/t.cc": '#include "agent/b.h"'}, GRAPH))
finds("cycle", rules.acyclic({}, {"a": {"b"}, "b": {"a"}, "c": {"a"}}), (1, "a includes itself"), (1, "b includes itself"))
passes("no cycle", rules.acyclic({}, GRAPH))

# --- CMake
cmake = {"agent/CMakeLists.txt": "add_library(fb_agent STATIC a.cc)\nadd_library(firebreak::agent ALIAS fb_agent)\n",
         "coordinator/CMakeLists.txt": "add_library(fb_core STATIC core/step.cc)\nadd_library(firebreak::core ALIAS fb_core)\n"
                                       "target_link_libraries(fb_core\n  PUBLIC firebreak::agent)\n"}
finds("core links agent", rules.links(cmake, GRAPH), (3, "may not link firebreak::agent (agent)"))
finds("link to nothing", rules.links({"agent/CMakeLists.txt": "add_library(a STATIC a.cc)\ntarget_link_libraries(a firebreak::gone)"}, GRAPH),
      (2, "firebreak::gone, which no"))
passes("link that is allowed", rules.links(
    {"common/CMakeLists.txt": "add_library(c STATIC c.cc)\nadd_library(firebreak::common ALIAS c)",
     "agent/CMakeLists.txt": "add_library(a STATIC a.cc) # b\ntarget_link_libraries(a PUBLIC firebreak::common gRPC::grpc++)"}, GRAPH))
finds("dead file", rules.listed({"agent/CMakeLists.txt": "add_library(a STATIC a.cc)\n", "agent/a.cc": "", "agent/b.cc": ""}), (1, "no CMakeLists.txt names it"))
passes("listed from above", rules.listed({"coordinator/CMakeLists.txt": "add_library(a STATIC core/a.cc)\n", "coordinator/core/a.cc": ""}))

# --- Headers
heavy = {"proto/x.h": "#include <grpcpp/server.h>\n", "proto/y.h": '#include "proto/x.h"\n', "proto/y.cc": '#include "proto/y.h"\n'}
finds("heavy header leaves its folder", rules.light_headers({**heavy, "agent/a.cc": '#include "proto/y.h"\n'}, GRAPH), (1, "brings grpcpp/server.h along"))
passes("heavy header stays at home", rules.light_headers(heavy, GRAPH))
for name in ("boost/asio.hpp", "boost/beast/core.hpp", "spdlog/spdlog.h", "firebreak/v1/agent.pb.h"):
    finds(f"{name} in a header", rules.light_headers({"common/x.h": f"#include <{name}>", "agent/a.cc": '#include "common/x.h"'}, GRAPH),
          (1, f"brings {name}"))
for name in ("<thread>", "<mutex>", "<sys/socket.h>", "<sqlite3.h>", "<spdlog/spdlog.h>", '"common/clock.h"', '"common/log.h"', "<fstream>", "<random>"):
    finds(f"core includes {name}", rules.purity({"coordinator/core/a.cc": f"#include {name}\n"}, GRAPH), (1, "is pure and may not see"))
finds("policy includes a clock", rules.purity({"coordinator/policy/a.h": '#include "common/clock.h"\n'}, GRAPH), (1, "coordinator/policy is pure"))
passes("policy may read its folder", rules.purity({"coordinator/policy/a.cc": "#include <filesystem>\n#include <chrono>\n"}, GRAPH))
finds("core asks the time", rules.purity({"coordinator/core/a.cc": "int f() {\n  auto t = std::chrono::steady_clock::now();\n}"}, GRAPH), (2, "_clock::now("))
finds("core reads the environment", rules.purity({"coordinator/core/a.cc": 'auto x = getenv("HOME");'}, GRAPH), (1, "getenv"))
passes("a comment may speak of now()", rules.purity({"coordinator/core/a.cc": "// not system_clock::now()\n"}, GRAPH))
passes("a shell may", rules.purity({"coordinator/a.cc": "#include <thread>\n"}, GRAPH))
finds("a second clock", rules.one_clock({"agent/a.cc": "auto t = std::chrono::steady_clock::now();"}), (1, "ask a Clock"))
passes("the clock", rules.one_clock({"tests/t.cc": "auto t = std::chrono::steady_clock::now();", "common/clock.cc": "auto t = std::chrono::steady_clock::now();"}))

# --- Coroutines
for bad in ("co_await f({.host = x});", "co_return co_await f(Options{1});", "auto x = co_await f(a,\n  {1, 2});",
            "co_await std::move(t){};", "if (co_await f({1})) { g(); }"):
    finds(f"braced: {bad}", rules.awaits({"a.cc": bad}), (1, "braced temporary"))
for bad in ("co_await f([x] { g(x); });", "co_await f([&](int a) { g(a); });", "co_await f([x = std::move(y)]() mutable { g(); });",
            "auto r = co_await f(ex, [this] { return 1; }, use);"):
    finds(f"lambda: {bad}", rules.awaits({"a.cc": bad}), (1, "capturing lambda"))
for good in ("co_await f(std::move(v));", "if (co_await f(x)) { g({1}); }", "while (!co_await f(x)) { h({1}); }", "co_await f(a[i], b);",
             "co_await f([](int a) { return a; });", "// co_await f({1});\n", 'log("co_await f({1})");',
             "auto [a, b] = co_await s.read(buf);\nT t{1};", "for (auto x = co_await f(); x; x = co_await f()) { g({1}); }"):
    passes(f"allowed: {good}", rules.awaits({"a.cc": good}))

# --- Functions
body = "  x();\n"
long_one = "namespace n {\nclass C {\n  int f(int a) const {\n" + body * 69 + "  }\n};\n}\n"
finds("71 lines", rules.short_functions({"a.cc": long_one}), (3, "71 lines"))
passes("70 lines", rules.short_functions({"a.cc": long_one.replace(body, "", 1)}))
finds("constructor with initialisers", rules.short_functions({"a.cc": "C::C() : a_(1), b_(2) {\n" + body * 80 + "}\n"}), (1, "82 lines"))
finds("test body", rules.short_functions({"t.cc": "TEST(A, B) {\n" + body * 80 + "}\n"}), (1, "82 lines"))
passes("a long class is no function", rules.short_functions({"a.h": "struct S : Base {\n" + "  int x = 0;\n" * 90 + "};\n"}))
passes("a long table is no function", rules.short_functions({"a.cc": "constexpr std::array<int, 90> k{{\n" + "  1,\n" * 90 + "}};\n"}))
passes("braces in text", rules.short_functions({"a.cc": "char c = '{';\nconst char* s = \"{\";\n// {\n" + "int x;\n" * 90 + "int f() { return 1; }\n"}))

finds("sleeping unit test", rules.no_sleep({"tests/unit/t.cc": "void f() {\n  std::this_thread::sleep_for(1s);\n}"}), (2, "hand the time over"))
passes("an integration test may wait", rules.no_sleep({"tests/integration/t.cc": "std::this_thread::sleep_for(1s);"}))
for bad in ("std::system(text);", "popen(text, 0);", "execvp(a, b);"):
    finds(f"shell: {bad}", rules.no_shell({"agent/a.cc": bad}), (1, "a shell or the PATH"))
passes("no shell", rules.no_shell({"agent/a.cc": "std::generic_category(); x.system(1); y->system(); std::system_category(); // system()"}))

# --- Files
finds("no opening", rules.opening({"a.cc": "#include <x>\n"}), (1, "does not open"))
finds("opening that is no sentence", rules.opening({"x.sh": "#!/bin/sh\n# tidy\n"}), (2, "does not open"))
passes("openings", rules.opening({"a.h": "// Says what it is\n// in two lines.\n#pragma once\n", "b.sh": "#!/usr/bin/env bash\n# Checks.\n", "c.md": "x"}))
finds("unfinished", rules.leftovers({"a.cc": "// Good.\n// TO" "DO: later\n"}), (2, "finish it"))
finds("machine's path", rules.leftovers({"a.md": "see /home/" "me/x\n"}), (1, "somebody's machine"))
passes("paths of an installation", rules.leftovers({"a.md": "/var/lib/firebreak /etc/firebreak /tmp/x https://host/work/x"}))

# --- Documents
finds("dead link", rules.document_links({"docs/a.md": "x\n[b](b.md)\n"}), (2, "leads nowhere"))
finds("dead anchor", rules.document_links({"docs/a.md": "[b](b.md#two-words)\n", "docs/b.md": "# One word\n"}), (1, "no heading"))
passes("links", rules.document_links({"docs/a.md": "# Top\n[b](../b.md#two-words--more) [w](https://x) [f](adr) [t](#top)\n```\n[x](gone.md)\n```\n",
                                      "b.md": "## Two words + more\n"}, {"docs/adr"}))
index = {"docs/README.md": "[a](a.md#top) [adr](adr/README.md)", "docs/a.md": "", "docs/adr/README.md": "[1](0001-x.md)", "docs/adr/0001-x.md": ""}
passes("documents listed", rules.documents_listed(index))
finds("document that nobody finds", rules.documents_listed({**index, "docs/man/x.8": "", "docs/adr/0002-y.md": ""}),
      (1, "docs/adr/0002-y.md"), (1, "docs/man/x.8"))
finds("name of a file that is gone", rules.document_names({"docs/a.md": "`common/gone.h`", "common/x.h": ""}), (1, "not in the tree"))
finds("bound that is gone", rules.document_names({"docs/a.md": "`kGoneMax`", "common/x.h": "kHereMax"}), (1, "no constant"))
finds("function that is gone", rules.document_names({"docs/life-of-a-result.md": "`Engine::gone()`", "common/x.h": "void here();"}), (1, "no function"))
passes("names", rules.document_names({"docs/life-of-a-result.md": "`common/x.h` `kHereMax` `X::here()`", "common/x.h": "kHereMax; void here();"}))
listing = {"scripts/packages.txt": "# build\ng++ cmake\n", "docs/dependencies.md": "| package | x |\n|---|---|\n| `g++` | y |\n| `wrk` | z |\n"}
finds("packages differ", rules.packages(listing), (1, "cmake"), (1, "wrk"))
holds("a tree without the table is refused", [rule for rule, *_ in rules.check({}, set())] == ["arrows"], "no problem")

print(f"{ran} samples, {len(failures)} failures")
for failure in failures:
    print("FAIL:", failure)
sys.exit(1 if failures else 0)
