"""Sketches in search: what they find, and that they follow the vectors through every change."""

import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from konayuki.model import quantize_vectors
from konayuki.model.native import kernel
from konayuki.search import Index
from konayuki.search import nearest as nearest_module
from konayuki.search.nearest import SketchBook, VectorView, nearest
from konayuki.search.vectors import VectorFiles
from search.corpus import queries
from search.stand_in import HashEncoder

pytestmark = pytest.mark.skipif(kernel() is None, reason="sketches are made by the kernel")
MODEL = HashEncoder()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sketches be used at a size that tests can build."""
    monkeypatch.setattr(nearest_module, "PAYS_FROM", 500)
    monkeypatch.setattr(nearest_module, "_MORE_CANDIDATES", 40)


@cache
def clusters(n_rows: int, seed: int = 0, dim: int = 512) -> np.ndarray:
    """Return codes of vectors that lie in 100 clouds, so that neighbours exist."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((100, dim))
    noise = random.standard_normal((n_rows, dim))
    vectors = (centres[random.integers(0, 100, n_rows)] + noise).astype(np.float32)
    return quantize_vectors(vectors, "int8")


def made(codes: np.ndarray) -> np.ndarray:
    book = SketchBook().of(codes, "files")
    assert book is not None
    return book


@pytest.mark.parametrize("k", [10, 100])
@pytest.mark.parametrize("share", [None, 0.02, 0.9])
def test_nearly_all_true_neighbours_are_found(k: int, share: float | None) -> None:
    codes, asked = np.split(clusters(20_015), [20_000])
    allowed = None if share is None else np.random.default_rng(1).random(len(codes)) < share
    view = VectorView(codes, np.arange(len(codes)), allowed)
    sketched = VectorView(codes, view.rows, allowed, lambda: made(codes))
    found = 0
    for query in asked.astype(np.float32):
        rows, scores = sketched.nearest(query, k)
        found += len(np.intersect1d(rows[:k], view.nearest(query, k)[0][:k]))
        assert (np.diff(scores) <= 0).all()
        assert view.living(rows).all()
    assert found / (k * len(asked)) >= 0.98


def test_small_sets_and_wide_searches_are_exact() -> None:
    codes = clusters(20_000, dim=64)
    query = clusters(1, seed=3, dim=64)[0]

    assert SketchBook().of(codes[:19_999], "files") is None
    for k in (3000, 20_000):
        places, scores = nearest(codes, query, k, None, made(codes))
        exact, exact_scores = nearest(codes, query, k)
        np.testing.assert_array_equal(places, exact)
        np.testing.assert_array_equal(scores, exact_scores)


def test_a_book_grows_with_the_vectors_and_lends_what_stays(small: None) -> None:
    codes = clusters(5000)
    book = SketchBook()
    lent = [(count, book.of(codes[:count], "files")) for count in (600, 601, 3000, 5000, 700)]

    whole = made(codes)
    for count, sketches in lent:
        np.testing.assert_array_equal(sketches, whole[:count])


def test_other_files_get_other_sketches(small: None) -> None:
    book = SketchBook()
    for seed, dim in ((0, 512), (1, 512), (2, 64)):
        codes = clusters(900, seed, dim)
        np.testing.assert_array_equal(book.of(codes, seed), made(codes))


def test_threads_share_one_book(small: None) -> None:
    codes = clusters(20_000)
    book, whole, wrong = SketchBook(), made(codes), []

    def use(seed: int) -> None:
        for count in np.random.default_rng(seed).integers(600, 20_000, 40).tolist():
            if not np.array_equal(book.of(codes[:count], "files"), whole[:count]):
                wrong.append(count)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_ties_beyond_the_candidates_are_all_returned(small: None) -> None:
    codes = np.concatenate([clusters(800), np.tile(clusters(1, seed=5), (1500, 1))])
    rows = np.arange(len(codes), dtype=np.int64)
    view = VectorView(codes, rows, sketches=lambda: made(codes))

    found, scores = view.nearest(codes[-1].astype(np.float32), 3)

    assert found.tolist() == rows[800:].tolist()
    assert np.unique(scores).size == 1


def test_files_made_anew_under_the_same_name_are_not_taken_for_the_old(
    small: None, tmp_path: Path
) -> None:
    files = VectorFiles(tmp_path / "vectors")
    for seed in (0, 1):
        codes = clusters(700, seed)
        old = [path.rename(tmp_path / f"{seed}{path.name}") for path in files.folder.glob("*.*")]
        vectors = [row.tobytes() for row in codes]
        state = files.append(files.create(512), list(range(1, 701)), vectors)
        files.commit(state)
        assert state.epoch == 1
        assert len(old) == (0 if seed == 0 else 3)
        np.testing.assert_array_equal(files.view(state, 700, []).sketches(), made(codes))


def exact(view: VectorView) -> VectorView:
    return VectorView(view.codes, view.rows, view.alive)


def same_neighbours(index: Index) -> float:
    """Return the share of the true ten nearest that are found; the dead must not be."""
    view = index._store.current().vectors
    assert view.sketches() is not None
    shares = []
    for query in queries(30):
        vector = MODEL.encode([query])[0]
        found, true = view.nearest(vector, 10)[0], exact(view).nearest(vector, 10)[0]
        assert view.living(found).all()
        shares.append(len(np.intersect1d(found, true)) / len(true))
    return float(np.mean(shares))


def test_an_index_keeps_its_sketches_through_every_change(
    small: None, fresh: Callable[[], Path]
) -> None:
    source = np.random.default_rng(0)
    letters = [chr(code) for code in range(0x3042, 0x3080)]

    def batch(first: int, count: int) -> list[dict[str, str]]:
        texts = ("".join(source.choice(letters, 12)) for _ in range(count))
        return [{"id": f"d{first + n}", "text": text} for n, text in enumerate(texts)]

    with Index.open(fresh(), MODEL) as index:
        index.add(batch(0, 1500))
        assert same_neighbours(index) > 0.95
        index.add(batch(1400, 600))
        index.delete([f"d{number}" for number in range(200)])
        assert same_neighbours(index) > 0.95
        index.delete([f"d{number}" for number in range(200, 1300)])  # many dead: files made anew
        assert index._store.current().vectors.alive is None
        assert same_neighbours(index) > 0.95
        folder = index._folder
    with Index.open(folder, MODEL) as index:
        assert same_neighbours(index) > 0.95
