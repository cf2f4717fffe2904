"""Of ThreadSanitizer's reports, those whose accesses are both in firebreak's own code. Usage: ours.py ROOT KNOWN FOLDER

An access belongs to the innermost frame that is neither the C++ library's nor the sanitizer's. KNOWN holds lines
`PATTERN | PATTERN  # why this is none` of `FUNCTION FILE`. The exit code is 1 when there is any report that it does not explain.
"""
import collections
import fnmatch
import pathlib
import re
import sys

FRAME = re.compile(r"^\s+#\d+ (?P<function>.*?) (?:(?P<path>/\S+?)(?::(?P<line>\d+))?(?::\d+)? )?\(\S+\+0x[0-9a-f]+\)")
ACCESS = re.compile(r"^  (?:Previous )?(?:atomic )?(?:read|write) of size", re.IGNORECASE)
LIBRARY = re.compile(r"^(?:\w+ )*(?:std::|operator (?:new|delete)|mem(?:move|cpy|set|cmp)|__gnu|malloc|free|str(?:len|cmp))")


def short(function: str) -> str:
    """Without parameters and namespaces of ours."""
    function = re.sub(r"\(.*", "", function.replace("(anonymous namespace)::", ""))
    return function.replace("firebreak::", "")


def owner(stack, own):
    for function, path, line in stack:
        found = own.search(path)
        if found:
            return short(function), f"{path[found.end('root') + 1:]}:{line}"
        if LIBRARY.match(function) or "/include/c++/" in path or "libsanitizer" in path:
            continue
        return None
    return None


def accesses(report: str):
    stacks = []
    is_access = False
    for line in report.splitlines():
        if re.match(r"^  \S", line):
            is_access = bool(ACCESS.match(line))
            if is_access:
                stacks.append([])
        elif is_access and (frame := FRAME.match(line)):
            stacks[-1].append((frame["function"], frame["path"] or "", frame["line"] or ""))
    return stacks


def read_known(path: str):
    known = []
    for line in pathlib.Path(path).read_text().splitlines():
        names = [name.strip() for name in line.split("#")[0].split("|")]
        if len(names) == 2:
            known.append(names)
    return known


def is_known(functions, known) -> bool:
    match = fnmatch.fnmatchcase
    return any(match(functions[0], a) and match(functions[1], b) or match(functions[0], b) and match(functions[1], a)
               for a, b in known)


def main() -> int:
    root, known_path, folder = sys.argv[1:]
    own = re.compile(rf"^(?P<root>{re.escape(root)})/(?:agent|coordinator|common|probes|cli|tests)/")
    known = read_known(known_path)
    total, explained, unknown, example = 0, 0, collections.Counter(), {}
    for file in sorted(pathlib.Path(folder).iterdir()):
        for report in file.read_text(errors="replace").split("=================="):
            if "WARNING: ThreadSanitizer" not in report:
                continue
            total += 1
            owners = [owner(stack, own) for stack in accesses(report)[:2]]
            if len(owners) < 2 or None in owners:
                if "data race" in report:
                    continue
                owners = [("", "a report that is no race")]
            if len(owners) == 2 and is_known([f"{name} {place.rpartition(':')[0]}" for name, place in owners], known):
                explained += 1
                continue
            key = " and ".join(sorted(f"{name} ({place})" for name, place in owners))
            unknown[key] += 1
            example.setdefault(key, report)
    for key, times in unknown.most_common():
        print(f"{times} times: {key}\n{example[key]}")
    print(f"{total} reports, {total - explained - sum(unknown.values())} of them within uninstrumented libraries, "
          f"{explained} known, {sum(unknown.values())} to be looked at")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
