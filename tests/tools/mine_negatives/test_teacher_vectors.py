from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from konayuki.errors import DatasetError, InputError, NotFoundError
from konayuki.training.recipe import SourceSettings
from konayuki.training.sources import Pair, PairSource, find_sources, read_pairs
from mine_negatives import teacher_vectors
from mine_negatives.mined_files import MiningSettings, mine_file, read_passages
from mine_negatives.teacher_vectors import (
    Column,
    columns_of,
    distinct_texts,
    embed_column,
    load_vectors,
    read_manifest,
)

pyarrow = pytest.importorskip("pyarrow", reason="needs the extra train")
from pyarrow import parquet  # noqa: E402


class LetterEncoder:
    """Counts letters: texts with the same letters are near each other."""

    dim = 26

    def __init__(self, fail_after: int | None = None) -> None:
        self.seen: list[str] = []
        self.fail_after = fail_after

    def encode(self, texts: Sequence[str], prefix: str, *, max_tokens: int = 512) -> np.ndarray:
        if self.fail_after is not None and len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen += [prefix + text for text in texts]
        counts = [[text.count(chr(97 + letter)) for letter in range(26)] for text in texts]
        vectors = np.array(counts, dtype="f4") + 0.1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def write_pairs(folder: Path, name: str, queries: list[str], positives: list[str]) -> None:
    table = pyarrow.table({"query": queries, "positive": positives})
    parquet.write_table(table, folder / f"{name}.parquet")


QUERIES = ["aa", "bb", "aa", "cc", "dd"]
POSITIVES = ["aaab", "bbba", "aaab", "ccce", "dddf"]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    write_pairs(tmp_path, "one", QUERIES, POSITIVES)
    write_pairs(tmp_path, "two", ["x", "y"], ["aaxx", "bbyy"])
    return tmp_path


def test_each_row_of_a_file_finds_the_vector_of_its_text(pairs: Path, tmp_path: Path) -> None:
    encoder, out = LetterEncoder(), tmp_path / "out"
    for column in columns_of(["one"]):
        embed_column(encoder, pairs, out, column)
    table = load_vectors(out, "one", "positive")
    expected = encoder.encode(POSITIVES, "passage: ").astype(np.float16)

    np.testing.assert_array_equal(table.of_rows(np.arange(5)), expected)
    assert encoder.seen[:4] == ["passage: aaab", "passage: bbba", "passage: ccce", "passage: dddf"]
    assert read_manifest(out)["one.query"]["n_texts"] == 4


def test_a_stopped_run_goes_on_and_embeds_nothing_twice(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher_vectors, "CHUNK_TEXTS", 1)
    out, column = tmp_path / "out", Column("one", "positive", "passage: ", 128)
    stopped, second = LetterEncoder(fail_after=2), LetterEncoder()
    with pytest.raises(KeyboardInterrupt):
        embed_column(stopped, pairs, out, column)
    with pytest.raises(NotFoundError, match=r"no teacher vectors of 'one\.positive' yet"):
        load_vectors(out, "one", "positive")
    embed_column(second, pairs, out, column)
    embed_column(third := LetterEncoder(), pairs, out, column)

    assert stopped.seen + second.seen == [f"passage: {text}" for text in dict.fromkeys(POSITIVES)]
    assert third.seen == []
    expected = LetterEncoder().encode(POSITIVES, "").astype(np.float16)
    np.testing.assert_array_equal(
        load_vectors(out, "one", "positive").of_rows(np.arange(5)), expected
    )
    assert not [path for path in out.iterdir() if path.suffix in (".partial", ".done", ".new")]


def test_texts_that_another_column_holds_are_not_embedded_again(
    pairs: Path, tmp_path: Path
) -> None:
    write_pairs(tmp_path, "three", ["aa", "aa"], ["ccce", "fresh"])
    out, encoder = tmp_path / "out", LetterEncoder()
    for column in columns_of(["one"]):
        embed_column(LetterEncoder(), pairs, out, column)
    for column in columns_of(["three"]):
        embed_column(encoder, tmp_path, out, column)

    assert encoder.seen == ["passage: fresh"]
    assert read_manifest(out)["three.query"]["n_known_before"] == 1
    np.testing.assert_array_equal(
        load_vectors(out, "three", "positive").of_rows(np.arange(2)),
        LetterEncoder().encode(["ccce", "fresh"], "").astype(np.float16),
    )


def test_a_vector_made_with_another_prefix_or_cut_is_not_taken(pairs: Path, tmp_path: Path) -> None:
    write_pairs(tmp_path, "three", ["aa"], ["aa"])
    out, encoder = tmp_path / "out", LetterEncoder()
    embed_column(encoder, pairs, out, Column("one", "query", "query: ", 32))
    encoder.seen.clear()
    embed_column(encoder, tmp_path, out, Column("three", "query", "query: ", 64))
    embed_column(encoder, tmp_path, out, Column("three", "positive", "passage: ", 32))

    assert encoder.seen == ["query: aa", "passage: aa"]


def test_a_sample_is_drawn_by_row_and_the_rest_has_no_vector(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for column in columns_of(["one"]):
        embed_column(LetterEncoder(), pairs, out, column, n_sample=2)
    queries, positives = load_vectors(out, "one", "query"), load_vectors(out, "one", "positive")

    np.testing.assert_array_equal(queries.rows >= 0, positives.rows >= 0)
    assert (queries.rows >= 0).sum() == 2
    left_out = int(np.flatnonzero(queries.rows < 0)[0])
    with pytest.raises(InputError, match=f"pair {left_out} has no teacher vector"):
        queries.of_rows(np.array([left_out]))


def test_distinct_texts_keep_the_order_of_first_rows() -> None:
    texts, rows = distinct_texts(["b", "a", "b", "c"])

    assert texts == ["b", "a", "c"] and rows.tolist() == [0, 1, 0, 2]


def test_a_missing_file_or_column_is_named(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"absent\.parquet"):
        embed_column(LetterEncoder(), pairs, tmp_path, Column("absent", "query", "", 8))
    with pytest.raises(DatasetError, match="no column 'negative'"):
        embed_column(LetterEncoder(), pairs, tmp_path, Column("one", "negative", "", 8))


def test_vectors_that_do_not_fit_their_rows_are_refused(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    embed_column(LetterEncoder(), pairs, out, Column("one", "query", "query: ", 32))
    np.save(out / "one.query.npy", np.zeros((1, 26), np.float16))
    with pytest.raises(DatasetError, match="1 vectors, row 3"):
        load_vectors(out, "one", "query")


def test_mined_files_name_rows_of_the_pool(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for column in columns_of(["one", "two"]):
        embed_column(LetterEncoder(), pairs, out, column)
    settings = MiningSettings(n_teacher=1, n_bm25=1, n_elsewhere=1, ratio=0.99)
    found = mine_file(pairs, out, "one", elsewhere=["two"], settings=settings)
    pool = [*POSITIVES, "aaxx", "bbyy"]

    assert read_passages(pairs, out, ["one", "two"]).files == [("one", 5), ("two", 2)]
    np.testing.assert_array_equal(np.load(out / "one.negatives.npy"), found.rows)
    assert [pool[row] for row in found.rows[0] if row >= 0] == [
        "bbba",
        "aaxx",
    ]  # teacher, elsewhere
    assert found.rows[0].tolist() == found.rows[2].tolist()  # the same pair twice
    assert found.rows[:, 1].tolist() == [-1] * 5  # no other passage of `one` shares a bigram
    assert np.isnan(found.scores[:, 2]).all()


def test_mined_pairs_are_a_file_to_train_on(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for column in columns_of(["one", "two"]):
        embed_column(LetterEncoder(), pairs, out, column)
    settings = MiningSettings(n_teacher=1, n_bm25=1, n_elsewhere=1, ratio=0.99)
    source = PairSource("one", str(out / "one.mined.parquet"), SourceSettings(files="*"))
    for n_written, first in ((1, ["bbba"]), (2, ["bbba", "aaxx"])):
        found = mine_file(
            pairs, out, "one", elsewhere=["two"], settings=settings, n_written=n_written
        )
        read = list(read_pairs(source))

        assert read[: len(first)] == [Pair("aa", "aaab", negative) for negative in first]
        n_found = (found.rows >= 0).sum(axis=1).clip(1, n_written)
        expected = [
            pair
            for pair, n_rows in zip(zip(QUERIES, POSITIVES, strict=True), n_found, strict=True)
            for _ in range(n_rows)
        ]
        assert [pair[:2] for pair in read] == expected
    for column in columns_of(["one"]):
        embed_column(LetterEncoder(), pairs, tmp_path / "some", column, n_sample=3)
    mine_file(pairs, tmp_path / "some", "one")
    (source,) = find_sources([SourceSettings(files="*.mined.parquet")], tmp_path / "some")
    assert source.name == "one.mined"
    assert [bool(pair.negative) for pair in read_pairs(source)].count(False) == 2


def test_rows_without_vectors_have_no_negatives(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for column in columns_of(["one"]):
        embed_column(LetterEncoder(), pairs, out, column, n_sample=3)
    found = mine_file(pairs, out, "one")
    skipped = load_vectors(out, "one", "query").rows < 0

    assert (found.rows[skipped] == -1).all() and np.isnan(found.scores[skipped]).all()
    assert (found.rows[~skipped, 0] >= 0).all()


def test_a_file_is_not_elsewhere_for_itself(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'one' is among the files elsewhere"):
        mine_file(pairs, tmp_path, "one", elsewhere=["one"])
