#!/usr/bin/env python3
# Holds the tree against every rule of rules.py. Usage: tree_test.py ROOT
import sys

sys.dont_write_bytecode = True
import rules  # noqa: E402

files, folders = rules.read_tree(sys.argv[1])
problems = list(rules.check(files, folders))
for rule, path, line, message in problems:
    print(f"{path}:{line}: {message} [{rule}]")
print(f"{len(files)} files, {len(problems)} problems")
sys.exit(1 if problems else 0)
