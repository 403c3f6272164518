"""Model folders made to do harm: every case is a CheckpointError at load, or bounded."""

import base64
import os
import struct
from pathlib import Path
from typing import Any

import pytest

from konayuki import StaticModel
from konayuki.errors import CheckpointError
from konayuki.model.model_files import read_model_file
from konayuki.model.tokenizer import build_tokenizer

from .samples import added, as_bytes, metaspace, ours, roberta, sequence, small_model


def replace(pattern: object, content: object) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


def character_map(*units: int, replacements: bytes = b"a\0") -> dict[str, Any]:
    content = struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + replacements
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(content).decode()}


def trie(at: int, unit: int, *, leaf: int = 1 << 31) -> list[int]:
    """A trie of 512 units: the root leads to 256, where the byte `at - 256` leads on by `unit`."""
    units = [0] * 512
    units[0] = 256 << 10
    units[at] = unit
    units[256] = leaf
    return units


A = 256 + ord("a")
CASES: dict[str, dict[str, Any]] = {
    "no unknown piece": {"model": {**ours()["model"], "unk_id": None}},
    "an unknown piece that is true": {"model": {**ours()["model"], "unk_id": True}},
    "an unknown piece that is text": {"model": {**ours()["model"], "unk_id": "0"}},
    "an unknown piece below zero": {"model": {**ours()["model"], "unk_id": -1}},
    "a piece that is a number": {
        "model": {**ours()["model"], "vocab": [["<unk>", 0.0], [3, -1.0]]}
    },
    "a score that is text": {"model": {**ours()["model"], "vocab": [["<unk>", 0.0], ["a", "b"]]}},
    "a score that is not finite": {
        "model": {**ours()["model"], "vocab": [["<unk>", 0.0], ["a", float("nan")]]}
    },
    "a replacement that is a number": {"normalizer": replace("a", 3)},
    "a pattern that is a number": {"normalizer": replace(3, "a")},
    "a pattern that is nothing": {
        "normalizer": {"type": "Replace", "pattern": None, "content": ""}
    },
    "a prefix that is a number": {"normalizer": {"type": "Prepend", "prepend": 3}},
    "text that grows": {"normalizer": sequence(*[replace("a", "a" * 100)] * 3)},
    "text that grows at once": {"normalizer": replace("a", "a" * 10_000)},
    "text that grows by prefixes": {
        "normalizer": sequence(*[{"type": "Prepend", "prepend": "a" * 50}] * 3)
    },
    "sequences without end": {
        "normalizer": (lambda step: [step := sequence(step) for _ in range(3000)][-1])(sequence())
    },
    "a map that is empty": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": ""}},
    "a map that is a number": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": 3}},
    "a map whose root leads outside": {"normalizer": character_map((1 << 20) << 10, 0)},
    "a map that leads outside": {
        "normalizer": character_map(*trie(A, 0xFFFFFC00 & ~(1 << 31) | 97))
    },
    "a map whose value is outside": {
        "normalizer": character_map(*trie(A, (A ^ 256) << 10 | 1 << 8 | 97, leaf=1 << 31 | 99))
    },
    "a map that is not UTF-8": {
        "normalizer": character_map(
            *trie(A, (A ^ 256) << 10 | 1 << 8 | 97), replacements=b"\xff\xff\0"
        )
    },
    "a map that points into a character": {
        "normalizer": character_map(
            *trie(A, (A ^ 256) << 10 | 1 << 8 | 97, leaf=1 << 31 | 1),
            replacements="あ\0".encode(),
        )
    },
    "a mark that is a number": {"pre_tokenizer": {**metaspace(), "replacement": 3}},
    "an added token without text": {"added_tokens": [{**added("x", 0), "content": 3}]},
    "an added token with a negative id": {"added_tokens": [added("x", -1)]},
}


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_tokenizer_is_refused_at_load(case: str) -> None:
    try:
        content = as_bytes({**ours(), **CASES[case]})
    except RecursionError:
        content = b'{"normalizer":' * 100_000
    with pytest.raises(CheckpointError, match=r"folder.tokenizer\.json"):
        build_tokenizer(content, Path("folder/tokenizer.json"))


def test_a_small_map_that_is_whole_is_read() -> None:
    step = character_map(*trie(A, (A ^ 256) << 10 | 1 << 8 | 97), replacements="山\0".encode())
    tokenizer = build_tokenizer(as_bytes(roberta(normalizer=step)), Path("tokenizer.json"))

    assert tokenizer.tokenize(["a"]).ids.tolist() == tokenizer.tokenize(["山"]).ids.tolist()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_model().save(tmp_path / "model")
    return tmp_path / "model"


FILES = ["tokenizer.json", "embedding.q4_k_m.bin", "model_rest.safetensors"]


@pytest.mark.parametrize("name", FILES)
def test_a_link_is_not_followed(folder: Path, name: str) -> None:
    (folder / name).rename(folder.parent / "elsewhere")
    (folder / name).symlink_to(folder.parent / "elsewhere")

    with pytest.raises(CheckpointError, match=rf"{name}: a link: expected the file itself\nhint: "):
        StaticModel.load(folder)


def test_the_cache_of_the_hub_consists_of_links(folder: Path) -> None:
    repo = folder.parent / "models--somebody--model"
    blobs, snapshot = repo / "blobs", repo / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for path in folder.iterdir():
        path.rename(blobs / path.name)
        (snapshot / path.name).symlink_to(Path("..") / ".." / "blobs" / path.name)

    assert StaticModel.load(snapshot).dim == small_model().dim

    private = folder.parent / "private"
    private.write_bytes(b"{}")
    (snapshot / "tokenizer.json").unlink()
    (snapshot / "tokenizer.json").symlink_to(private)
    with pytest.raises(CheckpointError, match="a link"):
        StaticModel.load(snapshot)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", FILES[:1] + FILES[2:])
def test_a_pipe_does_not_stop_the_program(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)

    with pytest.raises(CheckpointError, match=f"{name}: expected an ordinary file"):
        StaticModel.load(folder)


def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")

    assert read_model_file(tmp_path / "file", 5) == b"12345"
    with pytest.raises(CheckpointError, match="5 bytes: expected at most 4"):
        read_model_file(tmp_path / "file", 4)
