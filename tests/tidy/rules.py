"""The rules of the tree that no compiler knows. Each is a function from files (path -> text) to problems.

Standard library only, and only what python3-minimal has. A problem is (path, line, message); the message says what to do.
"""
import os
import re

SOURCES = (".cc", ".h")
TEXTS = SOURCES + (".proto", ".md", ".yaml", ".sh", ".py", ".cmake", ".txt", ".service", ".socket", ".conf", ".1", ".8", ".json")
FUNCTION_LINES_MAX = 70

# Headers that cost seconds in every file that sees them, or that tie us to one library.
HEAVY = re.compile(r"boost/(asio|beast)|grpc(pp)?/|spdlog/|.*\.pb\.h$|curl/|sqlite3\.h|libpq-fe\.h|yaml-cpp/")
# What a pure folder may not see: clocks, threads, sockets, logs, databases, chance.
IMPURE = re.compile(
    r"boost/(asio|beast)|grpc(pp)?/|spdlog/|.*\.pb\.h$|curl/|sqlite3\.h|libpq-fe\.h|sys/|unistd\.h|fcntl\.h|netdb\.h|netinet/|arpa/"
    r"|(thread|mutex|shared_mutex|condition_variable|future|atomic|semaphore|latch|barrier|stop_token|coroutine|random|iostream|ctime"
    r"|csignal|time\.h|signal\.h|pthread\.h)$"
    r"|common/(clock|log|rng|secret|sd_notify|pki)\.h$")
FILES = re.compile(r"(filesystem|fstream)$")
PURE = {"coordinator/core": (IMPURE, FILES), "coordinator/policy": (IMPURE,), "coordinator/rehearsal": (IMPURE,)}
# The clock itself, the stamp of a log line, and the one-shot client's deadlines.
CLOCK_FILES = re.compile(r"common/(clock|log)\.cc$|cli/")


# --- Text ----------------------------------------------------------------------------------------

def blank(text):
    """C++ with the insides of comments and literals blanked; every character keeps its place."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\((?:.*?)\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.S)

    def spaces(match):
        found = match.group(0)
        keep = 1 if found[0] in "\"'" else 0
        inside = re.sub(r"[^\n]", " ", found[keep:len(found) - keep])
        return found[:keep] + inside + found[len(found) - keep:]

    return pattern.sub(spaces, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def sources(files):
    return sorted(path for path in files if path.endswith(SOURCES))


def includes(text):
    """(line, name, ours) of each #include; ours: written with quotes."""
    for number, line in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(2), match.group(1) == '"'


# --- The module graph ----------------------------------------------------------------------------

def read_graph(text):
    """The table of docs/architecture.md whose head is '| folder | may include |...': folder -> set of folders."""
    graph, inside = {}, False
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if cells[:2] == ["folder", "may include"]:
            inside = True
        elif not cells:
            inside = False
        elif inside and not set(cells[0]) <= set("-: "):
            graph[cells[0].strip("`")] = set(re.findall(r"`([^`]+)`", cells[1]))
    return graph


def module_of(path, graph):
    """The longest folder of the graph that holds the path; None when none does."""
    folder = os.path.dirname(path)
    while folder:
        if folder in graph:
            return folder
        folder = os.path.dirname(folder)
    return None


def arrows(files, graph):
    """An #include follows the arrows of docs/architecture.md."""
    top = {folder.split("/")[0] for folder in graph}
    for folder, allowed in sorted(graph.items()):
        for other in sorted(allowed - set(graph)):
            yield "docs/architecture.md", 1, f"{folder} may include {other}, which is not a row of the table"
    for path in sources(files):
        if path.split("/")[0] in ("tests", "bench"):
            continue
        module = module_of(path, graph)
        if module is None:
            yield path, 1, "its folder is not a row of the table in docs/architecture.md; add it with what it may include"
            continue
        for line, name, ours in includes(files[path]):
            if name.startswith("firebreak/v1/"):
                target = "proto"
            elif ours or name.split("/")[0] in top:
                target = module_of(name, graph)
                if name not in files and os.path.join(os.path.dirname(path), name) in files:
                    yield path, line, f'"{name}" is relative; write the path from the root'
                    continue
            else:
                continue
            if target is None:
                if name not in files:
                    yield path, line, f'"{name}" is not in the tree'
                elif name.split("/")[0] in ("tests", "bench"):
                    yield path, line, f"{name}: product code does not include {name.split('/')[0]}"
            elif target != module and target not in graph[module]:
                yield path, line, f"{module} may not include {target} ({name}); see the table in docs/architecture.md"


def acyclic(files, graph):
    """The arrows have no cycle."""
    def reach(folder, seen):
        for other in sorted(graph.get(folder, ())):
            if other not in seen:
                seen.add(other)
                reach(other, seen)
        return seen
    for folder in sorted(graph):
        if folder in reach(folder, set()):
            yield "docs/architecture.md", 1, f"{folder} includes itself by way of others"


def cmake_commands(files):
    """(path, line, command, [words]) of every CMakeLists.txt."""
    for path in sorted(files):
        if os.path.basename(path) != "CMakeLists.txt":
            continue
        text = re.sub(r"#[^\n]*", lambda match: " " * len(match.group(0)), files[path])
        for match in re.finditer(r"(\w+)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)", text):
            yield path, line_of(text, match.start()), match.group(1).lower(), match.group(2).split()


def targets(files, graph):
    """Our CMake targets -> the module that their first source is in."""
    found = {}
    for path, _, command, words in cmake_commands(files):
        folder = os.path.dirname(path)
        if command == "firebreak_proto_library":
            found[words[0]] = "proto"
        elif command in ("add_library", "add_executable") and len(words) > 1:
            if "ALIAS" in words:
                found[words[0]] = found.get(words[words.index("ALIAS") + 1])
            else:
                listed = [word for word in words[1:] if word.endswith(".cc")]
                found[words[0]] = module_of(os.path.join(folder, listed[0]), graph) if listed else None
    return found


def links(files, graph):
    """target_link_libraries follows the same arrows."""
    owner = targets(files, graph)
    for path, line, command, words in cmake_commands(files):
        if command != "target_link_libraries" or path.split("/")[0] in ("tests", "bench"):
            continue
        module = owner.get(words[0])
        for word in words[1:]:
            other = owner.get(word)
            if word.startswith("firebreak::") and word not in owner:
                yield path, line, f"{words[0]} links {word}, which no add_library(... ALIAS) names"
            if module and other and other != module and other not in graph[module]:
                yield path, line, f"{words[0]} ({module}) may not link {word} ({other}); see the table in docs/architecture.md"


def listed(files):
    """Every source is in a CMakeLists.txt: a file that nobody compiles is dead."""
    named = set()
    for path, _, _, words in cmake_commands(files):
        named |= {os.path.normpath(os.path.join(os.path.dirname(path), word)) for word in words if word.endswith(".cc")}
    for path in sources(files):
        if path.endswith(".cc") and path not in named:
            yield path, 1, "no CMakeLists.txt names it: list it or delete it"


# --- Headers -------------------------------------------------------------------------------------

def light_headers(files, graph):
    """A header that includes a heavy one is private: only files of its own folder include it."""
    heavy = {}
    for path in sources(files):
        if path.endswith(".h") and path.split("/")[0] not in ("tests", "bench"):
            heavy.update({path: name for _, name, _ in includes(files[path]) if HEAVY.match(name)})
    spread = True
    while spread:
        spread = False
        for path in sources(files):
            if path.endswith(".h") and path not in heavy and path.split("/")[0] not in ("tests", "bench"):
                for _, name, _ in includes(files[path]):
                    if name in heavy:
                        heavy[path], spread = heavy[name], True
                        break
    for path in sources(files):
        if path.split("/")[0] in ("tests", "bench"):
            continue
        for line, name, _ in includes(files[path]):
            if name in heavy and module_of(name, graph) != module_of(path, graph):
                yield path, line, f"{name} brings {heavy[name]} along: keep that in .cc files, or declare what the header needs"


def purity(files, graph):
    """What decides sees no clock, thread, socket, log or database."""
    calls = re.compile(r"_clock::now\s*\(|\bgetenv\s*\(|\bs?rand\s*\(|\btime\s*\(\s*(nullptr|NULL|0)\s*\)|\bgettimeofday\b|\bclock_gettime\b"
                       r"|std::(this_)?thread\b|std::mutex\b|std::async\b|\bstatic\s+thread_local\b|\bthread_local\b")
    for path in sources(files):
        module = module_of(path, graph)
        if path.startswith("tests/") or module not in PURE:
            continue
        for line, name, _ in includes(files[path]):
            if any(pattern.match(name) for pattern in PURE[module]):
                yield path, line, f"{module} is pure and may not see {name}: take what it gives as an argument"
        text = blank(files[path])
        for match in calls.finditer(text):
            yield path, line_of(text, match.start()), f"{module} is pure: no {match.group(0).strip()}"


def one_clock(files):
    """Only the clock asks what time it is; everybody else is told."""
    for path in sources(files):
        if CLOCK_FILES.match(path) or path.split("/")[0] in ("tests", "bench"):
            continue
        text = blank(files[path])
        for match in re.finditer(r"\b(steady|system|high_resolution)_clock::now\s*\(|\bgettimeofday\s*\(|\bclock_gettime\s*\(", text):
            yield path, line_of(text, match.start()), "ask a Clock (common/clock.h) for the time"


# --- Code ----------------------------------------------------------------------------------------

def awaited(text):
    """(position, expression) of each co_await in blanked text, up to where its expression ends."""
    for match in re.finditer(r"\bco_await\b", text):
        depth, end = 0, match.end()
        while end < len(text):
            character = text[end]
            if character in "([{":
                # A brace that follows a closed condition opens the statement's body.
                if character == "{" and depth == 0 and text[match.end():end].rstrip().endswith(";"):
                    break
                depth += 1
            elif character in ")]}":
                if depth == 0:
                    break
                depth -= 1
            elif character == ";" and depth == 0:
                break
            end += 1
        yield match.start(), text[match.end():end]


def awaits(files):
    """No braced temporary and no capturing lambda in a co_await expression: g++ 12 destroys them twice."""
    for path in sources(files):
        text = blank(files[path])
        for position, expression in awaited(text):
            bodies = re.sub(r"\[\s*\]\s*(\([^()]*\))?\s*(mutable\b|noexcept\b|->\s*[\w:<>]+|\s)*\{[^{}]*\}", " ", expression)
            if re.search(r"(^|[(,&=?:]|\breturn)\s*\[\s*[^\]\s][^\]]*\]\s*[({]", bodies):
                yield path, line_of(text, position), "a capturing lambda inside co_await: name it first, then pass std::move(it)"
            elif "{" in bodies:
                yield path, line_of(text, position), "a braced temporary inside co_await: name it first, then pass std::move(it)"


def functions(text):
    """(first line, last line) of each function body at namespace or class level of blanked text."""
    stack, start = [], 0
    for position, character in enumerate(text):
        if character == "{":
            head = text[start:position]
            inside = stack and stack[-1][0] != "scope"
            scope = re.search(r"\b(namespace|class|struct|union|enum)\b[^()=]*$|\bextern\s+\"\s*\"\s*$", head)
            if inside:
                kind = "block"
            elif scope and not head.rstrip().endswith(")"):
                kind = "scope"
            elif re.search(r"\)[^;]*$", head):
                kind = "function"
            else:
                kind = "block"
            stack.append((kind, position))
            start = position + 1
        elif character == "}":
            if stack:
                kind, opened = stack.pop()
                if kind == "function":
                    yield line_of(text, opened), line_of(text, position)
            start = position + 1
        elif character == ";" and (not stack or stack[-1][0] == "scope"):
            start = position + 1


def short_functions(files):
    """A function is at most 70 lines."""
    for path in sources(files):
        for first, last in functions(re.sub(r"(?m)^\s*#.*$", "", blank(files[path]))):
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield path, first, f"a function of {last - first + 1} lines, at most {FUNCTION_LINES_MAX}: split it"


def no_sleep(files):
    """A unit test does not sleep: it is told the time."""
    for path in sources(files):
        if path.startswith("tests/unit/"):
            text = blank(files[path])
            for match in re.finditer(r"\b(sleep_for|sleep_until|usleep|nanosleep|sleep)\s*\(", text):
                yield path, line_of(text, match.start()), f"{match.group(1)}: hand the time over instead of waiting for it"


def no_shell(files):
    """Nothing of ours is run by a shell."""
    for path in sources(files):
        if path.split("/")[0] not in ("tests", "bench"):
            text = blank(files[path])
            for match in re.finditer(r"(?<![\w.>:])(?:std::)?(system|popen|execlp|execvp)\s*\(", text):
                yield path, line_of(text, match.start()), f"{match.group(1)}() takes a shell or the PATH: name the program and its arguments"


# --- Files ---------------------------------------------------------------------------------------

def opening(files):
    """A file opens with a sentence on its job."""
    for path in sorted(files):
        lines = files[path].split("\n")
        if path.endswith(SOURCES + (".proto",)):
            mark = "//"
        elif path.endswith((".sh", ".cmake", ".service", ".socket")) or lines[0].startswith("#!/"):
            mark = "#"
        else:
            continue
        begin = 1 if lines[0].startswith("#!") else 0
        comment = []
        for line in lines[begin:]:
            if not line.startswith(mark):
                break
            comment.append(line[len(mark):].strip())
        first = " ".join(comment)
        if not re.search(r"\w.*[.:]", first):
            yield path, begin + 1, f"it does not open with a sentence on its job ({mark} ... .)"


def leftovers(files):
    """Nothing unfinished, and no path of the machine that it was written on."""
    words = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
    paths = re.compile(r"(?<![\w./])/(tmp/(wt|bash)|work/|home/(?!alice/)\w|root/|Users/\w)")
    for path in sorted(files):
        if path.startswith("tests/tidy/rules"):
            continue
        for number, line in enumerate(files[path].split("\n"), 1):
            if words.search(line):
                yield path, number, f"'{words.search(line).group(0)}': finish it or drop it"
            if paths.search(line):
                yield path, number, f"'{paths.search(line).group(0)}...' is a path of somebody's machine"


# --- Documents -----------------------------------------------------------------------------------

def prose(text):
    """Markdown with fenced blocks blanked."""
    return re.sub(r"(?ms)^( *)```.*?^\1```", lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


def anchors(text):
    """The names that GitHub gives to the headings."""
    found = {}
    for heading in re.findall(r"(?m)^#+ +(.*)$", prose(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        count = found.get(slug, -1) + 1
        found[slug] = count
        if count:
            found[f"{slug}-{count}"] = 0
    return set(found)


def document_links(files, folders=()):
    """A relative link in a document leads somewhere. `folders`: those that the tree has."""
    for path in sorted(files):
        if not path.endswith(".md"):
            continue
        text = prose(files[path])
        for match in re.finditer(r"(?<!`)\[[^\]\n]*\]\(([^)\s]+)\)", text):
            target, _, anchor = match.group(1).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            whole = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
            if whole not in files and whole not in folders:
                yield path, line_of(text, match.start()), f"the link to {match.group(1)} leads nowhere"
            elif anchor and whole.endswith(".md") and anchor not in anchors(files[whole]):
                yield path, line_of(text, match.start()), f"{whole} has no heading for #{anchor}"


def documents_listed(files):
    """docs/README.md leads to every document below docs/, itself or by a README that it links."""
    def led_to(page):
        targets = re.findall(r"\]\(([^)#\s]+)", prose(files[page]))
        return {os.path.normpath(os.path.join(os.path.dirname(page), target)) for target in targets}

    if "docs/README.md" not in files:
        return
    found = led_to("docs/README.md")
    for page in sorted(found):
        if page.startswith("docs/") and page.endswith("/README.md"):
            found = found | led_to(page)
    for path in sorted(files):
        if path.startswith("docs/") and path.endswith((".md", ".1", ".8")) and path != "docs/README.md" and path not in found:
            yield "docs/README.md", 1, f"no link leads to {path}"


def document_names(files):
    """A path, a bound (kName) or a function (name()) that a document sets in code font exists."""
    code = "\n".join(text for path, text in sorted(files.items()) if path.endswith(SOURCES + (".proto",)))
    folders = {path.split("/")[0] for path in files if "/" in path}
    for path in sorted(files):
        if not path.endswith(".md") or path.startswith("docs/adr/") or path == "CHANGELOG.md":
            continue
        text = prose(files[path])
        for match in re.finditer(r"`([^`\n]+)`", text):
            name, line = match.group(1), line_of(text, match.start())
            if re.fullmatch(r"[\w.]+(/[\w.\-]+)+\.(cc|h|proto|md|yaml|sh|py|txt)", name) and name.split("/")[0] in folders:
                if name not in files:
                    yield path, line, f"{name} is not in the tree"
            elif re.fullmatch(r"k[A-Z]\w+", name):
                if not re.search(rf"\b{name}\b", code):
                    yield path, line, f"there is no constant {name}"
            elif path.startswith(("docs/architecture", "docs/life-of")) and re.fullmatch(r"(\w+(::|\.))*\w+\(\)", name):
                last = re.split(r"::|\.", name[:-2])[-1]
                if not re.search(rf"\b{last}\s*\(", code):
                    yield path, line, f"there is no function {name}"


def packages(files):
    """docs/dependencies.md explains the packages of scripts/packages.txt, those and no others."""
    wanted = set(re.sub(r"#[^\n]*", "", files["scripts/packages.txt"]).split())
    page = files["docs/dependencies.md"]
    told = set(re.findall(r"(?m)^\| `([^`]+)` \|", page))
    for name in sorted(wanted - told):
        yield "docs/dependencies.md", 1, f"{name} (scripts/packages.txt) has no row: what for, why this one, licence"
    for name in sorted(told - wanted):
        yield "docs/dependencies.md", 1, f"{name} has a row and is not in scripts/packages.txt"


# --- All of them ---------------------------------------------------------------------------------

def read_tree(root):
    """(files, folders): the text files below root, without what is built."""
    files, folders = {}, set()
    for folder, inner, names in os.walk(root):
        inner[:] = sorted(name for name in inner if name not in ("build", ".git", ".cache", "__pycache__"))
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root)
            if name.endswith(TEXTS) or "." not in name:
                try:
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        files[path] = file.read()
                except (UnicodeDecodeError, OSError):
                    continue
                above = os.path.dirname(path)
                while above:
                    folders.add(above)
                    above = os.path.dirname(above)
    return files, folders


def check(files, folders):
    """Every rule over the tree: (rule, path, line, message)."""
    graph = read_graph(files.get("docs/architecture.md", ""))
    if not graph:
        yield "arrows", "docs/architecture.md", 1, "the table '| folder | may include |' is missing"
        return
    rules = {
        "arrows": arrows(files, graph), "acyclic": acyclic(files, graph), "links": links(files, graph), "listed": listed(files),
        "light headers": light_headers(files, graph), "purity": purity(files, graph), "one clock": one_clock(files),
        "awaits": awaits(files), "short functions": short_functions(files), "no sleep": no_sleep(files), "no shell": no_shell(files),
        "opening": opening(files), "leftovers": leftovers(files),
        "document links": document_links(files, folders), "documents listed": documents_listed(files),
        "document names": document_names(files), "packages": packages(files),
    }
    for rule, found in rules.items():
        for path, line, message in found:
            yield rule, path, line, message
