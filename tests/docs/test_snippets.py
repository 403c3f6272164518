"""Every snippet of the README and of docs/ runs, in order, in an empty folder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.ja.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Installing and the make targets are exercised by CI itself, servers by tests of their own.
NOT_RUN = ("pip ", "make", "git ", "uv ", "python -m build")
NEEDS = {
    "sentence_transformers": "train",
    "torch": "train",
    "mteb": "eval",
    "huggingface_hub": "hub",
    "pyarrow": "scale",
    "qdrant_client": "qdrant",
}
COMMANDS_NEED = {
    "konayuki embed": "pyarrow",
    "konayuki push-qdrant": "qdrant_client",
    "konayuki serve": "starlette",
    "konayuki train": "sentence_transformers",
}


def snippets(page: Path) -> list[tuple[str, str]]:
    text = re.sub(
        r"<!-- not run: [^>]+ -->\n```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S
    )
    return [(kind, body) for kind, body in FENCE.findall(text)]


def commands(body: str) -> str:
    lines = [line.removeprefix("$ ") for line in body.splitlines() if not line.startswith("#")]
    return "\n".join(line for line in lines if not line.startswith(NOT_RUN))


@pytest.mark.parametrize("page", [page for page in PAGES if page.exists()], ids=lambda p: p.name)
def test_the_snippets_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    found = snippets(page)
    if not found:
        pytest.skip("the page has no snippets")
    for module in {
        m for _, body in found for m in NEEDS if re.search(rf"^(from|import) {m}", body, re.M)
    }:
        pytest.importorskip(module)
    for command, module in COMMANDS_NEED.items():
        if any(command in commands(body) for kind, body in found if kind == "console"):
            pytest.importorskip(module)
    for name in ("demo", "recipes"):
        shutil.copytree(ROOT / name, tmp_path / name)
    environment = path_with_our_command(tmp_path)
    script = "\n".join(body for kind, body in found if kind == "python")
    for kind, body in found:
        if kind == "console" and commands(body):
            run(["bash", "-euo", "pipefail", "-c", commands(body)], tmp_path, environment)
    if script:
        run(
            [sys.executable, "-W", "error::DeprecationWarning:konayuki", "-c", script],
            tmp_path,
            environment,
        )


def path_with_our_command(folder: Path) -> dict[str, str]:
    binary = folder / "bin" / "konayuki"
    binary.parent.mkdir()
    binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m konayuki "$@"\n')
    binary.chmod(0o755)
    paths = [str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PATH": f"{binary.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


def run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
