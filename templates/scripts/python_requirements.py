"""Write what a project needs as requirements for pip. Written by appstack.

usage: python_requirements.py uv.lock|pyproject.toml PINNED LOCAL

Of a uv.lock, PINNED gets each package that this machine needs with its version and
hashes, and LOCAL what has no hash: the project itself if it is a package, its
neighbours in the workspace, commits of git repositories. What `uv sync --no-dev`
leaves out stays out: development groups, extras that nobody asks for.

Of a pyproject.toml, LOCAL gets the project itself, or the packages that it depends on
if it has no [build-system] and so is no package.
"""

import os
import platform
import sys
from urllib.parse import parse_qs, urlsplit, urlunsplit

from pip._vendor.packaging.markers import Marker
from pip._vendor.packaging.specifiers import SpecifierSet

try:
    import tomllib
except ImportError:  # before Python 3.11
    try:
        from pip._vendor import tomli as tomllib
    except ImportError:
        sys.exit("python_requirements: this Python and its pip are too old to read TOML: use requirements.txt")


def fail(text):
    sys.exit(f"python_requirements: {text}")


def check_python(wanted, where):
    if wanted and not SpecifierSet(wanted).contains(platform.python_version(), prereleases=True):
        fail(f"{where} wants Python {wanted}, this is {platform.python_version()}")


class Lock:
    """A uv.lock: docs.astral.sh/uv, "Lockfile"."""

    def __init__(self, lock):
        if lock.get("version") != 1:
            fail(f"uv.lock has version {lock.get('version')}; only version 1 is known here: use `uv export` and requirements.txt")
        check_python(lock.get("requires-python"), "uv.lock")
        self.packages = lock.get("package", [])
        self.members = lock.get("manifest", {}).get("members", [])
        self.pinned, self.local, self.indexes = [], [], []
        self.seen = set()

    def roots(self):
        own = [p for p in self.packages if path_of(p["source"]) == "."]
        return own or [p for p in self.packages if p["name"] in self.members]

    def walk(self):
        for package in self.roots():
            self.visit(package, ())

    def visit(self, package, extras):
        self.add(package)
        wanted = [package.get("dependencies", [])]
        wanted += [package.get("optional-dependencies", {}).get(extra, []) for extra in extras]
        for dependency in (d for group in wanted for d in group):
            if applies(dependency):
                extras = tuple(dependency.get("extra", ()))
                target = self.find(dependency)
                if (id(target), extras) not in self.seen:
                    self.seen.add((id(target), extras))
                    self.visit(target, extras)

    def find(self, dependency):
        """A package may be locked in several versions, for different machines."""
        found = [
            p
            for p in self.packages
            if p["name"] == dependency["name"] and all(p.get(key) == dependency[key] for key in ("version", "source") if key in dependency)
        ]
        if len(found) != 1:
            fail(f"uv.lock has {len(found)} packages for {dependency}")
        return found[0]

    def add(self, package):
        name, source = package["name"], package["source"]
        hashes = sorted({f["hash"] for f in [package.get("sdist", {}), *package.get("wheels", [])] if "hash" in f})
        where = path_of(source)
        if "virtual" in source:
            return
        if "registry" in source:
            if "://" in source["registry"] and source["registry"] not in self.indexes:
                self.indexes.append(source["registry"])
            line = f"{name}=={package['version']}"
        elif "git" in source:
            line = f"{name} @ {git(source['git'])}"
        elif "url" in source:
            line = f"{name} @ {source['url']}"
        elif "path" in source:
            line = f"{name} @ file://{os.path.abspath(source['path'])}"
        elif where is not None:
            line = "./" + where
        else:
            fail(f"uv.lock has {name} from {source}, which is not known here")
        target = self.pinned if hashes else self.local
        line = " ".join([line, *(f"--hash={h}" for h in hashes)])
        if line not in target:
            target.append(line)


def path_of(source):
    """The directory of a package that is in the source."""
    return next((source[kind] for kind in ("virtual", "editable", "directory") if kind in source), None)


def applies(dependency):
    return "marker" not in dependency or Marker(dependency["marker"]).evaluate({"extra": ""})


def git(address):
    """uv's https://host/repo?subdirectory=d&rev=r#commit as pip wants it."""
    url = urlsplit(address)
    subdirectory = parse_qs(url.query).get("subdirectory")
    part = f"#subdirectory={subdirectory[0]}" if subdirectory else ""
    return f"git+{urlunsplit((url.scheme, url.netloc, url.path, '', ''))}@{url.fragment}{part}"


def project(spec):
    own = spec.get("project", {})
    check_python(own.get("requires-python"), "pyproject.toml")
    if "build-system" in spec:
        return ["."]
    return own.get("dependencies", [])


def main():
    source, pinned, local = sys.argv[1:]
    with open(source, "rb") as text:
        spec = tomllib.load(text)
    options, hashed, rest = [], [], []
    if os.path.basename(source) == "uv.lock":
        lock = Lock(spec)
        lock.walk()
        hashed, rest = lock.pinned, lock.local
        # The stack's index takes the place of the lock's.
        if "PIP_INDEX_URL" not in os.environ:
            options = [f"--{'extra-' if n else ''}index-url {url}" for n, url in enumerate(lock.indexes)]
    else:
        rest = project(spec)
    for name, lines in ((pinned, hashed), (local, rest)):
        with open(name, "w") as out:
            out.writelines(line + "\n" for line in (options + lines if lines else []))


main()
