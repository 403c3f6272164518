"""What every result depends on: machine, load, versions and commit, in one place."""

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import konayuki


def environment(packages: Iterable[str] = ()) -> dict[str, object]:
    """Return the record; `packages` that are not installed are left out of its versions."""
    return {
        "date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
        "machine": cpu_name(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": {"konayuki": konayuki.__version__, **versions(packages)},
        "commit": commit(),
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each package."""
    versions = {}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def commit() -> str:
    """Return the commit of the code that is measured, "" outside a clone."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - the git of the person who runs it
        cwd=Path(__file__).parent,
        capture_output=True,
        check=False,
        text=True,
    )
    return done.stdout.strip()


def cpu_name() -> str:
    """Return the model name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
