#!/usr/bin/env python3
"""Make a folder of wheels from Debian's own Python packages.

For machines where no package index can be reached, but Debian's mirror can: the packages
hold the same pure Python files, with their metadata, that the wheels of the index hold.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGES = ["python3-psycopg", "python3-typing-extensions"]
TAG = "py3-none-any"


def unpack(package: str, folder: Path) -> Path:
    subprocess.run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    deb = next(folder.glob(f"{package}_*.deb"))
    subprocess.run(["dpkg-deb", "-x", deb.name, "root"], cwd=folder, check=True)
    return folder / "root/usr/lib/python3/dist-packages"


def record(name: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}"


def wheel(packages: Path, out: Path) -> Path:
    """Zip what the package installs, with a list of its files as pip wants it."""
    info = next(packages.glob("*.dist-info"))
    files = {
        str(path.relative_to(packages)): path.read_bytes()
        for path in sorted(packages.rglob("*"))
        if path.is_file() and path.name not in ("RECORD", "INSTALLER", "WHEEL") and "__pycache__" not in path.parts
    }
    files[f"{info.name}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: pote\nRoot-Is-Purelib: true\nTag: {TAG}\n".encode()
    lines = [record(name, content) for name, content in files.items()]
    files[f"{info.name}/RECORD"] = "\n".join([*lines, f"{info.name}/RECORD,,", ""]).encode()
    target = out / f"{info.name.removesuffix('.dist-info')}-{TAG}.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            # A fixed date, so that the same package always gives the same wheel.
            entry = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return target


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: wheels.py DIR", file=sys.stderr)
        return 2
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            print(wheel(unpack(package, Path(folder)), out).name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
