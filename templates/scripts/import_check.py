"""Check that modules can be imported, without running them. Written by appstack.

usage: import_check.py MODULE...

Each module and what it imports from the same tree is parsed, and every import at
its top level must be found. Imports inside `try` or below `if` are optional.
"""

import ast
import importlib.util
import os
import sys

sys.path.insert(0, os.getcwd())
problems = []
seen = set()


def find(name):
    try:
        return importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None


def imported(tree, package):
    """The modules that the top level of a module imports."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            yield base, node.lineno


def check(name, needed_by):
    if name in seen:
        return
    seen.add(name)
    spec = find(name)
    if spec is None:
        problems.append(f"{needed_by}: there is no module {name}")
        return
    origin = spec.origin or ""
    if spec.submodule_search_locations and find(name + ".__main__") and needed_by == "start":
        check(name + ".__main__", needed_by)
    if not origin.endswith(".py") or not origin.startswith(os.getcwd() + os.sep) or "/.venv/" in origin:
        return
    with open(origin, "rb") as source:
        try:
            tree = ast.parse(source.read(), origin)
        except SyntaxError as e:
            problems.append(f"{os.path.relpath(origin)}:{e.lineno}: {e.msg}")
            return
    package = name if spec.submodule_search_locations else name.rpartition(".")[0]
    for module, line in imported(tree, package):
        check(module, f"{os.path.relpath(origin)}:{line}")


for module in sys.argv[1:]:
    check(module, "start")
for problem in problems:
    print("import_check:", problem, file=sys.stderr)
sys.exit(bool(problems))
