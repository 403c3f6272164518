"""Every snippet of the README and of docs/ runs, in order, in an empty folder."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.ja.md", *sorted((ROOT / "docs").rglob("*.md"))]
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
    "pandas": "ray",
    "polars": "ray",
}
COMMANDS_NEED = {
    "konayuki embed": "pyarrow",
    "konayuki push-qdrant": "qdrant_client",
    "konayuki serve": "starlette",
    "konayuki train": "sentence_transformers",
}
ADAPTERS_NEED = {
    "konayuki.integrations.duckdb": "duckdb",
    "konayuki.integrations.haystack": "haystack",
    "konayuki.integrations.langchain": "langchain_core",
    "konayuki.integrations.llama_index": "llama_index.core",
    "konayuki.integrations.sklearn": "sklearn",
}
# Pages whose sections stand alone: each is its own test, so that a missing package skips only one.
BY_SECTION = {"clients.md", "integrations.md", "scale.md"}
# Seconds to import.
SLOW = ("import mteb", "from haystack", "from llama_index", "from qdrant_client", "from sklearn")


class Part(NamedTuple):
    """What is run in one go: a page, or a section of one."""

    name: str
    text: str


def parts_of(page: Path) -> Iterator[Part]:
    text = page.read_text("utf-8")
    name = f"ja/{page.name}" if ROOT / "docs" / "ja" in page.parents else page.name
    if page.name not in BY_SECTION:
        yield Part(name, text)
        return
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        part = Part(f"{name}: {section.partition(chr(10))[0]}", section)
        if snippets(part):
            yield part


def cases() -> Iterator[object]:
    for part in (part for page in PAGES if page.exists() for part in parts_of(page)):
        by_section = part.name.removeprefix("ja/").startswith(tuple(BY_SECTION))
        # Japanese pages run the commands of the English ones.
        slow = part.name.startswith("ja/") or (
            by_section and any(name in part.text for name in SLOW)
        )
        yield pytest.param(part, id=part.name, marks=[pytest.mark.slow] if slow else [])


def snippets(part: Part) -> list[tuple[str, str]]:
    text = re.sub(r"<!-- not run: [^>]+ -->\n```.*?^```", "", part.text, flags=re.M | re.S)
    return [(kind, body) for kind, body in FENCE.findall(text)]


def commands(body: str) -> str:
    lines = [line.removeprefix("$ ") for line in body.splitlines() if not line.startswith("#")]
    return "\n".join(line for line in lines if not line.startswith(NOT_RUN))


def test_what_a_japanese_page_leaves_to_the_english_one_is_there() -> None:
    left = re.compile(
        r"^<!-- not run: the English page runs it -->\n(```.*?^```)", re.MULTILINE | re.DOTALL
    )
    docs = ROOT / "docs"
    missing = [
        snippet
        for page in (docs / "ja").rglob("*.md")
        for snippet in left.findall(page.read_text("utf-8"))
        if snippet not in (docs / page.relative_to(docs / "ja")).read_text("utf-8")
    ]

    assert missing == []


@pytest.mark.parametrize("part", list(cases()))
def test_the_snippets_of_a_page_run_in_order(part: Part, tmp_path: Path) -> None:
    found = snippets(part)
    if not found:
        pytest.skip("nothing to run here")
    imported = {**{name: name for name in NEEDS}, **ADAPTERS_NEED}
    for name, module in imported.items():
        if any(re.search(rf"^(from|import) {name}", body, re.M) for _, body in found):
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
        "HAYSTACK_TELEMETRY_ENABLED": "false",
        "PATH": f"{binary.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


def run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
