// What the files of actions.d allow, and what an owner is told about a mistake in one.
#include "agent/actuator/actions_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include "common/limits.h"
#include "tests/support/temp_dir.h"

namespace firebreak::actuator {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Pair;
using testing::TempDir;

class ReadActions : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / name) << text;
    ASSERT_EQ(::chmod((dir_ / name).c_str(), 0644), 0);
  }
  ActionsFolder read() { return read_actions(dir_.path(), ::geteuid(), problems_); }
  // "a.yaml:3:5 message [suggestion]" of everything that is wrong.
  std::vector<std::string> mistakes() {
    std::vector<std::string> lines;
    for (const yaml::Problem& problem : problems_.kept()) {
      std::string file = problem.file;
      if (file.starts_with(dir_.path() + "/")) file.erase(0, dir_.path().size() + 1);
      std::string message = problem.message;
      for (auto at = message.find(dir_.path()); at != std::string::npos;
           at = message.find(dir_.path())) {
        message.replace(at, dir_.path().size(), "DIR");
      }
      std::string line = file + ':' + std::to_string(problem.line) + ':' +
                         std::to_string(problem.column) + ' ' + message;
      if (!problem.suggestion.empty()) line += " [" + problem.suggestion + ']';
      lines.push_back(std::move(line));
    }
    return lines;
  }
  // What is wrong with one action, written as the lines below its name.
  std::vector<std::string> mistakes_in(const std::string& body) {
    problems_ = {};
    write("a.yaml", "actions:\n  act:\n" + body);
    const ActionsFolder folder = read();
    EXPECT_EQ(folder.files_refused, problems_.ok() ? 0u : 1u);
    return mistakes();
  }

  TempDir dir_;
  yaml::Problems problems_;
};

TEST_F(ReadActions, ReadsEveryKeyOfAProgram) {
  write("a.yaml", R"(actions:
  set-page:
    exec: [/bin/true, --page, "${page}", "${minutes}", "${ticket}"]
    user: root
    directory: /srv
    environment: {LANG: C.UTF-8, A_1: "x"}
    parameters:
      page: {one_of: [busy, closed]}
      minutes: {integer: {min: 1, max: 120}}
      ticket: {pattern: "[A-Z]+-[0-9]+"}
    timeout: 20s
    cooldown: 5m
    per_hour: 6
)");

  const ActionsFolder folder = read();

  ASSERT_TRUE(problems_.ok()) << problems_.render();
  ASSERT_THAT(folder.allowed, ElementsAre(Key("set-page")));
  const Action& action = folder.allowed.at("set-page");
  EXPECT_EQ(action.name, "set-page");
  EXPECT_EQ(action.timeout, 20s);
  EXPECT_EQ(action.cooldown, 5min);
  EXPECT_EQ(action.per_hour, 6u);
  const auto& program = std::get<Program>(action.what);
  EXPECT_THAT(program.argv,
              ElementsAre("/bin/true", "--page", "${page}", "${minutes}", "${ticket}"));
  EXPECT_EQ(program.user, "root");
  EXPECT_EQ(program.working_directory, "/srv");
  EXPECT_THAT(program.environment, ElementsAre(Pair("A_1", "x"), Pair("LANG", "C.UTF-8")));
  EXPECT_THAT(std::get<OneOf>(action.parameters.at("page")).values, ElementsAre("busy", "closed"));
  EXPECT_EQ(std::get<Integer>(action.parameters.at("minutes")).max, 120);
  EXPECT_EQ(std::get<Pattern>(action.parameters.at("ticket")).regex->pattern(), "[A-Z]+-[0-9]+");
}

TEST_F(ReadActions, ReadsUnits) {
  write("a.yaml", R"(actions:
  restart-api: {systemd: {verb: restart, unit: api.service}, timeout: 30s}
  stop-worker:
    systemd: {verb: stop, unit: "${unit}"}
    parameters: {unit: {one_of: [worker@1.service, worker@2.service]}}
    timeout: 30s
)");

  const ActionsFolder folder = read();

  ASSERT_TRUE(problems_.ok()) << problems_.render();
  const auto& restart = std::get<UnitCommand>(folder.allowed.at("restart-api").what);
  EXPECT_EQ(restart.verb, "restart");
  EXPECT_EQ(restart.unit, "api.service");
  EXPECT_EQ(std::get<UnitCommand>(folder.allowed.at("stop-worker").what).unit, "${unit}");
}

TEST_F(ReadActions, ReadsTheShippedExample) {
  const std::string example = FIREBREAK_SOURCE_DIR "/deploy/examples/actions.d/web.yaml";
  std::ifstream in(example);
  write("web.yaml", {std::istreambuf_iterator<char>(in), {}});

  const ActionsFolder folder = read();

  EXPECT_TRUE(problems_.ok()) << problems_.render();
  EXPECT_THAT(folder.allowed,
              ElementsAre(Key("restart-nginx"), Key("restart-worker"), Key("save-logs")));
}

TEST_F(ReadActions, AllowsNothingOfAFileWithAMistakeButEverythingOfTheOthers) {
  write("a.yaml",
        "actions:\n  good: {exec: [/bin/true], timeout: 1s}\n  bad: {exec: [/bin/true]}\n");
  write("b.yaml", "actions:\n  other: {exec: [/bin/true], timeout: 1s}\n");
  write("README", "no YAML: [");
  write(".hidden.yaml", "neither: [");

  const ActionsFolder folder = read();

  EXPECT_THAT(folder.allowed, ElementsAre(Key("other")));
  EXPECT_EQ(folder.files, 2u);
  EXPECT_EQ(folder.files_refused, 1u);
  EXPECT_THAT(mistakes(), ElementsAre("a.yaml:3:3 action 'bad' needs 'timeout'"));
}

TEST_F(ReadActions, AllowsNothingWithoutTheFolder) {
  const ActionsFolder folder = read_actions(dir_ / "none", ::geteuid(), problems_);

  EXPECT_THAT(folder.allowed, IsEmpty());
  EXPECT_TRUE(problems_.ok());
  EXPECT_THAT(mistakes(), ElementsAre("none:0:0 does not exist, so this host allows no action"));
}

// Read on another machine: to judge a policy by it.
TEST_F(ReadActions, ACopyNeedsNeitherOwnerNorProgramNorUser) {
  write("a.yaml", "actions:\n  act: {exec: [/no/such/program], user: nobody-here, timeout: 1s}\n");
  write("b.yaml", "actions:\n  bad: {exec: [relative], timeout: 1s}\n");
  ASSERT_EQ(::chmod((dir_ / "a.yaml").c_str(), 0666), 0);

  const ActionsFolder folder = read_actions_copy(dir_.path(), problems_);
  EXPECT_THAT(folder.allowed, ElementsAre(Key("act")));
  EXPECT_EQ(folder.files_refused, 1u);
  EXPECT_THAT(mistakes(),
              ElementsAre("b.yaml:2:16 a program has to be given by its full path, such as "
                          "/usr/bin/true"));
}

TEST_F(ReadActions, ACopyMayBeOneFile) {
  write("a.yaml", "actions:\n  act: {exec: [/no/such/program], timeout: 1s}\n");
  write("b.yaml", "actions:\n  other: {exec: [/no/such/program], timeout: 1s}\n");

  EXPECT_THAT(read_actions_copy(dir_ / "b.yaml", problems_).allowed, ElementsAre(Key("other")));
  EXPECT_TRUE(problems_.ok());
  EXPECT_THAT(read_actions_copy(dir_ / "c.yaml", problems_).allowed, IsEmpty());
  EXPECT_THAT(mistakes(), ElementsAre("c.yaml:0:0 cannot be read: No such file or directory"));
}

TEST_F(ReadActions, RefusesAFileThatOthersMayWrite) {
  const std::string text = "actions:\n  act: {exec: [/bin/true], timeout: 1s}\n";
  write("a.yaml", text);
  write("b.yaml", text);
  ASSERT_EQ(::chmod((dir_ / "a.yaml").c_str(), 0664), 0);
  ASSERT_EQ(::chmod((dir_ / "b.yaml").c_str(), 0646), 0);

  EXPECT_THAT(read().allowed, IsEmpty());
  EXPECT_THAT(
      mistakes(),
      ElementsAre("a.yaml:0:0 may be written by others than its owner: chmod go-w DIR/a.yaml",
                  "b.yaml:0:0 may be written by others than its owner: chmod go-w DIR/b.yaml"));
}

TEST_F(ReadActions, RefusesAFolderThatOthersMayWrite) {
  write("a.yaml", "actions:\n  act: {exec: [/bin/true], timeout: 1s}\n");
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0777), 0);

  const ActionsFolder folder = read();

  EXPECT_THAT(folder.allowed, IsEmpty());
  EXPECT_EQ(folder.files_refused, 1u);
  EXPECT_THAT(mistakes(), ElementsAre(HasSubstr("may be written by others than its owner")));
}

TEST_F(ReadActions, RefusesAnotherOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  write("a.yaml", "actions:\n  act: {exec: [/bin/true], timeout: 1s}\n");
  ASSERT_EQ(::chown((dir_ / "a.yaml").c_str(), 4321, 0), 0);

  EXPECT_THAT(read().allowed, IsEmpty());
  EXPECT_THAT(mistakes(),
              ElementsAre("a.yaml:0:0 belongs to user 4321, it has to belong to root: chown root "
                          "DIR/a.yaml"));
}

TEST_F(ReadActions, RefusesASymbolicLink) {
  std::ofstream(dir_ / "text") << "actions: {}\n";
  ASSERT_EQ(::symlink("text", (dir_ / "a.yaml").c_str()), 0);

  EXPECT_EQ(read().files_refused, 1u);
  EXPECT_THAT(mistakes(),
              ElementsAre("a.yaml:0:0 is not a regular file: copy the file itself here"));
}

TEST_F(ReadActions, RefusesAnActionOfTwoFiles) {
  write("a.yaml", "actions:\n  act: {exec: [/bin/true], timeout: 1s}\n");
  write("b.yaml", "actions:\n  act: {exec: [/bin/false], timeout: 1s}\n");

  const ActionsFolder folder = read();

  EXPECT_THAT(std::get<Program>(folder.allowed.at("act").what).argv, ElementsAre("/bin/true"));
  EXPECT_THAT(mistakes(),
              ElementsAre("b.yaml:2:3 action 'act' is already defined in DIR/a.yaml:2"));
}

TEST_F(ReadActions, WarnsOfAFileThatIsNotRead) {
  write("a.yml", "actions: {}\n");

  EXPECT_EQ(read().files, 0u);
  EXPECT_TRUE(problems_.ok());
  EXPECT_THAT(mistakes(), ElementsAre("a.yml:0:0 is not read: rename it to end in .yaml"));
}

TEST_F(ReadActions, RefusesTooManyActions) {
  std::string text = "actions:\n";
  for (std::size_t i = 0; i <= limits::kActionsPerHostMax; ++i)
    text += "  a" + std::to_string(i) + ": {exec: [/bin/true], timeout: 1s}\n";
  write("a.yaml", text);

  EXPECT_THAT(read().allowed, IsEmpty());
  EXPECT_THAT(mistakes(), ElementsAre("a.yaml:0:0 there are more than 256 actions in DIR"));
}

TEST_F(ReadActions, SaysWhatIsWrongWithAFile) {
  write("a.yaml", "actions: [\n");
  write("b.yaml", "action: {}\n");
  write("c.yaml", "actions: {Bad Name: {exec: [/bin/true], timeout: 1s}, e: 5}\n");

  EXPECT_EQ(read().files_refused, 3u);
  const auto lines = mistakes();
  ASSERT_GE(lines.size(), 4u);
  EXPECT_THAT(lines, ::testing::Contains(::testing::StartsWith("b.yaml:1:1 ")));
  EXPECT_THAT(lines, ::testing::Contains(::testing::StartsWith("c.yaml:1:11 ")));
}

TEST_F(ReadActions, SaysWhatIsWrongWithAnAction) {
  EXPECT_THAT(mistakes_in("    timeout: 1s\n"), ElementsAre(HasSubstr("a.yaml:2:3 ")));
  EXPECT_THAT(mistakes_in("    exec: [/bin/true]\n    timeout: 2h\n"),
              ElementsAre(HasSubstr("a.yaml:4:14 ")));
  EXPECT_THAT(mistakes_in("    exec: [/bin/true]\n    timeout: 1s\n    cooldwn: 5m\n"),
              ElementsAre("a.yaml:5:5 unknown key 'cooldwn' in action 'act' [cooldown]"));
  EXPECT_THAT(mistakes_in("    exec: /bin/true -x\n    timeout: 1s\n"),
              ElementsAre(HasSubstr("a list: the program's full path, then its arguments")));
  EXPECT_THAT(mistakes_in("    exec: []\n    timeout: 1s\n"),
              ElementsAre("a.yaml:3:5 'exec' names no program"));
  EXPECT_THAT(mistakes_in("    exec: [true]\n    timeout: 1s\n"),
              ElementsAre("a.yaml:3:12 a program has to be given by its full path, such as "
                          "/usr/bin/true"));
  EXPECT_THAT(mistakes_in("    exec: [/no/such]\n    timeout: 1s\n"),
              ElementsAre("a.yaml:3:12 there is no program /no/such"));
  EXPECT_THAT(mistakes_in("    exec: [/etc/passwd]\n    timeout: 1s\n"),
              ElementsAre("a.yaml:3:12 /etc/passwd is not an executable file"));
  EXPECT_THAT(mistakes_in("    exec: [/bin/true]\n    timeout: 1s\n    user: no-such-user\n"),
              ElementsAre("a.yaml:5:11 this host has no user 'no-such-user'"));
  EXPECT_THAT(mistakes_in("    exec: [/bin/true]\n    timeout: 1s\n    directory: srv\n"),
              ElementsAre("a.yaml:5:16 'directory' has to be a full path, such as /srv"));
  EXPECT_THAT(mistakes_in("    exec: [/bin/true]\n    timeout: 1s\n    environment: {a=b: c}\n"),
              ElementsAre("a.yaml:5:19 an environment variable's name holds only A-Z, 0-9 and _"));
}

TEST_F(ReadActions, SaysWhatIsWrongWithAProgramThatOthersMayWrite) {
  write("program", "#!/bin/sh\n");
  ASSERT_EQ(::chmod((dir_ / "program").c_str(), 0777), 0);

  EXPECT_THAT(mistakes_in("    exec: [" + dir_ / "program" + "]\n    timeout: 1s\n"),
              ElementsAre("a.yaml:3:12 this program runs as root but may be written by others than "
                          "its owner: chmod go-w DIR/program"));
}

TEST_F(ReadActions, SaysWhatIsWrongWithParameters) {
  const auto with = [this](const std::string& argument, const std::string& parameter) {
    return mistakes_in("    exec: [/bin/true, \"" + argument + "\"]\n    timeout: 1s\n" +
                       "    parameters:\n      page: " + parameter + "\n");
  };
  EXPECT_THAT(
      with("${page}", "{one_of: [a, -b]}"),
      ElementsAre("a.yaml:6:26 a value starts with '-', so it could be taken for an option"));
  EXPECT_THAT(with("${page}", "{one_of: []}"),
              ElementsAre("a.yaml:6:14 'one_of' names no value, so the action could never run"));
  EXPECT_THAT(with("${page}", "{integer: {min: 5, max: 4}}"),
              ElementsAre("a.yaml:6:37 'max' is less than 'min'"));
  EXPECT_THAT(with("${page}", "{pattern: \"[a\"}"),
              ElementsAre("a.yaml:6:23 this is no regular expression of RE2: missing ]: [a"));
  EXPECT_THAT(with("${pge}", "{one_of: [a]}"),
              ElementsAre("a.yaml:3:23 there is no parameter 'pge' [page]",
                          "a.yaml:6:7 parameter 'page' is not used: write ${page} as a whole "
                          "argument, or remove it"));
  EXPECT_THAT(with("--page=${page}", "{one_of: [a]}"),
              ElementsAre(HasSubstr("a.yaml:3:23 a parameter has to be a whole argument"),
                          HasSubstr("a.yaml:6:7 parameter 'page' is not used")));
}

TEST_F(ReadActions, DoesNotGiveAParameterToAShell) {
  EXPECT_THAT(mistakes_in("    exec: [/bin/sh, -c, \"${page}\"]\n    timeout: 1s\n"
                          "    parameters: {page: {one_of: [a]}}\n"),
              ElementsAre("a.yaml:3:12 a parameter must not be given to sh, which may run its "
                          "value: call a script by its own path"));
  EXPECT_THAT(mistakes_in("    exec: [/bin/sh, -c, \"exit 1\"]\n    timeout: 1s\n"), IsEmpty());
}

TEST_F(ReadActions, SaysWhatIsWrongWithUnits) {
  const auto with = [this](const std::string& command, const std::string& rest = "") {
    return mistakes_in("    systemd: " + command + "\n    timeout: 1s\n" + rest);
  };
  EXPECT_THAT(with("{verb: isolate, unit: a.service}"), ElementsAre(HasSubstr("a.yaml:3:21 ")));
  EXPECT_THAT(with("{verb: restart, unit: nginx}"),
              ElementsAre("a.yaml:3:36 'nginx' is no unit's full name, such as nginx.service "
                          "[nginx.service]"));
  EXPECT_THAT(with("{verb: restart, unit: --all.service}"),
              ElementsAre("a.yaml:3:36 '--all.service' is no unit's full name, such as "
                          "nginx.service"));
  EXPECT_THAT(
      with("{verb: restart, unit: \"${unit}\"}", "    parameters: {unit: {pattern: \".*\"}}\n"),
      ElementsAre("a.yaml:3:36 a unit's name may only come from a parameter with 'one_of', "
                  "so that this file lists every unit"));
  EXPECT_THAT(with("{verb: restart, unit: \"${unit}\"}",
                   "    parameters: {unit: {one_of: [a.service, b]}}\n"),
              ElementsAre(HasSubstr("'b' is no unit's full name")));
  EXPECT_THAT(with("{verb: restart, unit: a.service}", "    user: root\n"),
              ElementsAre(HasSubstr("a.yaml:5:5 unknown key 'user' in action 'act'")));
}

}  // namespace
}  // namespace firebreak::actuator
