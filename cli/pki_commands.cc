// pki: the deployment's own certificates.
#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "common/clock.h"
#include "common/pki.h"
#include "common/text.h"

namespace firebreak::cli {
namespace {

constexpr const char* kDefaultDirectory = "/etc/firebreak/pki";

void print_files(const pki::KeyPairFiles& files) {
  boost::json::object object;
  object["certificate"] = to_valid_utf8(files.certificate, 4096);
  object["key"] = to_valid_utf8(files.key, 4096);
  std::cout << boost::json::serialize(object) << "\n";
}

void fail(Context& context, const Error& error) {
  std::cerr << "firebreak: " << escape_block(error.message) << "\n";
  context.exit_code = kFailed;
}

void init(Context& context, const std::string& directory, const std::string& deployment) {
  const auto files = pki::init_ca(directory, deployment, SystemClock().wall());
  if (!files) return fail(context, files.error());
  if (context.output == Output::json) return print_files(*files);
  std::cout << pki::describe_authority(directory, *files);
}

void issue(Context& context, const std::string& directory, const pki::IssueRequest& request) {
  const auto files = pki::issue(directory, request, SystemClock().wall());
  if (!files) return fail(context, files.error());
  if (context.output == Output::json) return print_files(*files);
  std::cout << pki::describe_issued(directory, request, *files);
}

void add_issue(CLI::App& group, Context& context, pki::Role role, const char* about) {
  auto* command = group.add_subcommand(pki::to_string(role), about);
  const auto directory = std::make_shared<std::string>(kDefaultDirectory);
  const auto request = std::make_shared<pki::IssueRequest>();
  request->role = role;
  command->add_option("NAME", request->name)->required();
  command->add_option("--dir", *directory, "where the authority is")->capture_default_str();
  command->add_option("--days", request->valid_days, "validity")
      ->check(CLI::Range(1, 3650))
      ->capture_default_str();
  if (role == pki::Role::coordinator)
    command
        ->add_option("--host", request->hosts,
                     "a DNS name or address that agents and operators dial; may be repeated")
        ->required();
  command->callback([&context, directory, request] { issue(context, *directory, *request); });
}

}  // namespace

void add_pki_commands(CLI::App& app, Context& context) {
  auto* group = app.add_subcommand("pki", "make the authority and its certificates, on this host");
  group->require_subcommand(1);

  auto* made = group->add_subcommand("init", "make the authority, once");
  const auto directory = std::make_shared<std::string>(kDefaultDirectory);
  const auto deployment = std::make_shared<std::string>("firebreak");
  made->add_option("--dir", *directory, "where it will be")->capture_default_str();
  made->add_option("--name", *deployment, "shown in its certificates")->capture_default_str();
  made->callback([&context, directory, deployment] { init(context, *directory, *deployment); });

  add_issue(*group, context, pki::Role::coordinator, "a certificate for a coordinator");
  add_issue(*group, context, pki::Role::agent, "a certificate for the agent of one host");
  add_issue(*group, context, pki::Role::operator_, "a certificate for a person or a program");
}

}  // namespace firebreak::cli
