import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from konayuki.cli import main
from konayuki.errors import InputError
from konayuki.scale import duplicates
from konayuki.scale.duplicates import find_duplicates, find_leaders

TEXTS = [
    "富士山は日本でいちばん高い山です。",
    "図書館で本を借りるには、カードを見せてください。",
    "富士山は日本で一番高い山です。",
    "富士山は日本でいちばん高い山です。",
    "",
    "本を図書館で借りるには、カードを見せてください",
    "",
]


def brute_force(vectors: NDArray[np.float32], threshold: float) -> list[int]:
    """The definition: the first earlier representative that is near enough, or the row itself."""
    leaders: list[int] = []
    for row, vector in enumerate(vectors):
        first = list(dict.fromkeys(leaders))
        near = np.flatnonzero(vectors[first] @ vector >= threshold) if first else []
        leaders.append(first[near[0]] if len(near) else row)
    return leaders


def unit_vectors(seed: int, n_rows: int, dim: int) -> NDArray[np.float32]:
    """Rows around few centres, so that many are near one another, and some zero rows."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((max(1, n_rows // 5), dim))
    rows = centres[generator.integers(len(centres), size=n_rows)]
    rows = rows + generator.standard_normal((n_rows, dim)) * 0.4
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[generator.random(n_rows) < 0.05] = 0
    return rows.astype(np.float32)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 10**6),
    st.integers(0, 80),
    st.sampled_from([3, 128, 160]),
    st.sampled_from([0.05, 0.5, 0.8, 0.86, 0.95]),
)
def test_leaders_are_those_of_the_definition(
    seed: int, n_rows: int, dim: int, threshold: float
) -> None:
    vectors = unit_vectors(seed, n_rows, dim)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", 7)  # many blocks, and chunks that fill up
        patch.setattr(duplicates, "_CHUNK", 5)
        leaders, cosines = find_leaders(vectors, threshold)

    assert leaders.tolist() == brute_force(vectors, threshold)
    led = leaders != np.arange(n_rows)
    products = np.einsum("nd,nd->n", vectors, vectors[leaders]) if n_rows else cosines
    np.testing.assert_allclose(cosines[led], products[led], atol=1e-6)
    assert (cosines[~led] == 1).all()


def test_real_sizes_of_blocks_agree_with_small_ones() -> None:
    vectors = unit_vectors(1, 1500, 160)

    assert find_leaders(vectors, 0.85)[0].tolist() == brute_force(vectors, 0.85)


def test_groups_start_with_their_representative_and_then_the_nearest() -> None:
    found = find_duplicates(TEXTS, 0.8)

    groups = [[member.row for member in group] for group in found.groups()]
    assert groups == [[0, 3, 2], [1, 5], [4, 6]]
    assert found.kept.tolist() == [True, True, False, False, True, False, False]
    assert [len(group) for group in found.groups(smallest=1)] == [3, 2, 2]
    assert found.cosine[3] == 1
    assert 0.8 <= found.cosine[2] < 1


def test_nothing_is_a_duplicate_of_nothing() -> None:
    found = find_duplicates([])

    assert len(found.representative) == 0
    assert list(found.groups()) == []


@pytest.mark.parametrize("threshold", [0, -1, 1.01, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(InputError, match="threshold is"):
        find_duplicates(TEXTS, threshold)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="one string"):
        find_duplicates("山")
    with pytest.raises(InputError, match="text 1 is int"):
        find_duplicates(["山", 5])  # type: ignore[list-item]


@pytest.fixture(params=["jsonl", "csv", "parquet"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"texts.{request.param}"
    records = [{"id": str(row), "text": text} for row, text in enumerate(TEXTS)]
    if request.param == "jsonl":
        lines = [json.dumps(record, ensure_ascii=False) for record in records]
        path.write_text("\n".join(lines), "utf-8")
    elif request.param == "csv":
        with path.open("w", encoding="utf-8", newline="") as target:
            writer = csv.DictWriter(target, ["id", "text"])
            writer.writeheader()
            writer.writerows(records)
    else:
        arrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(arrow.Table.from_pylist(records), path)
    return path


def test_the_command_keeps_one_row_of_each_group(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from konayuki.rows import read_rows

    out = tmp_path / f"out{file.suffix}"
    assert main(["dedup", str(file), "--out", str(out), "--threshold", "0.8", "--json"]) == 0

    printed: list[Any] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [[m["row"] for m in group["members"]] for group in printed] == [
        [0, 3, 2],
        [1, 5],
        [4, 6],
    ]
    assert printed[0]["members"][0] == {"row": 0, "cosine": 1.0, "text": TEXTS[0]}
    assert [row.values["id"] for row in read_rows(out)] == ["0", "1", "4"]
    assert not list(tmp_path.glob(".*"))


def test_the_command_says_what_it_cannot_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "山"}\n{"body": "本"}\n', "utf-8")

    assert main(["dedup", str(tmp_path / "no.jsonl")]) == 1
    assert main(["dedup", str(tmp_path)]) == 1
    assert main(["dedup", str(path)]) == 1
    path.write_text('{"text": "山"}\n', "utf-8")
    assert main(["dedup", str(path), "--out", str(tmp_path / "o.parquet")]) == 2
    assert main(["dedup", str(path), "--out", str(tmp_path / "no" / "o.jsonl")]) == 1
    errors = capsys.readouterr().err
    assert "t.jsonl line 2: no column 'text'" in errors
    assert "o.parquet from t.jsonl: expected .jsonl\n" in errors
