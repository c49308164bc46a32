"""Print the versions of a uv.lock as constraints for pip. Written by appstack.

A package that is locked in several versions (for different platforms or Pythons)
is left to pip, since its markers stand with those who depend on it.
"""

import sys
import tomllib
from collections import defaultdict

with open(sys.argv[1], "rb") as lock:
    packages = tomllib.load(lock).get("package", [])

versions = defaultdict(set)
for package in packages:
    if "version" in package and "registry" in package.get("source", {}):
        versions[package["name"]].add(package["version"])
for name, locked in sorted(versions.items()):
    if len(locked) == 1:
        print(f"{name}=={locked.pop()}")
