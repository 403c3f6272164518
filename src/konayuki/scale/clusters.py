"""Texts into groups by meaning: spherical k-means on a sample, then each text to its centre."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from konayuki.arrays import FloatMatrix, unit_rows
from konayuki.errors import InputError
from konayuki.model import StaticModel
from konayuki.scale.disk_vectors import vectors_on_disk
from konayuki.scale.text_table import check_texts
from konayuki.text import JAPANESE, KANJI, KATAKANA

SAMPLE_ROWS = 50_000
MOST_ROUNDS = 50
_BLOCK = 8192
_DEFAULT_MAX_CLUSTERS = 200
# Words that name a group: runs of kanji, katakana or letters; particles and endings are hiragana.
_WORD = re.compile(rf"[{KANJI}]{{2,}}|[{KATAKANA}]{{2,}}|[^\W\d_{JAPANESE}]{{3,}}")


@dataclass(frozen=True)
class Clusters:
    """Which group each text is in; the largest group is 0.

    Attributes:
        labels: int64 (n,).
        cosines: float32 (n,), cosine of each text with the centre of its group.
        centres: float32 (n_clusters, dim), rows of length one.

    Examples:
        >>> from konayuki.scale import find_clusters
        >>> clusters = find_clusters(["雪が降る", "大雪が降った", "株価が上がる"], 2)
        >>> clusters.labels.tolist(), clusters.sizes.tolist()
        ([0, 0, 1], [2, 1])
    """

    labels: NDArray[np.int64]
    cosines: NDArray[np.float32]
    centres: FloatMatrix

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Return the number of texts of each group: int64 (n_clusters,)."""
        return np.bincount(self.labels, minlength=len(self.centres))

    def nearest(self, cluster: int, n_rows: int) -> list[int]:
        """Return the rows of a group nearest to its centre, best first.

        Examples:
            >>> from konayuki.scale import find_clusters
            >>> clusters = find_clusters(["雪が降る", "大雪が降った", "株価が上がる"], 2)
            >>> clusters.nearest(1, n_rows=5)
            [2]
        """
        rows = np.flatnonzero(self.labels == cluster)
        order = np.lexsort((rows, -self.cosines[rows]))
        return [int(row) for row in rows[order[:n_rows]]]


def find_clusters(
    texts: Iterable[str],
    n_clusters: int | None = None,
    *,
    model: StaticModel | None = None,
    dim: int | None = None,
    seed: int = 0,
) -> Clusters:
    """Return groups of texts by meaning; the same for the same texts and seed.

    Centres are found on at most 50,000 texts, drawn evenly; then every text goes to the centre
    with the largest cosine. Memory holds the sample; the vectors are in a temporary file.

    Args:
        texts: Any iterable of strings.
        n_clusters: Number of groups; default: the square root of half the number of texts, at
            most 200.
        model: The model to embed with; default: the bundled model.
        dim: Number of dimensions to compare; default: all.
        seed: Seed of the first centres.

    Raises:
        InputError: There are fewer texts than groups, or an item is not a string.

    Examples:
        >>> texts = ["雪が降る", "株価が上がる", "大雪が降った", "株式の値上がり"]
        >>> labels = find_clusters(texts, 2).labels.tolist()
        >>> labels[0] == labels[2], labels[1] == labels[3], labels[0] == labels[1]
        (True, True, False)
    """
    check_texts(texts)
    model = StaticModel.load() if model is None else model
    with vectors_on_disk(texts, model, dim) as vectors:
        n_texts = len(vectors)
        if n_clusters is None:
            n_clusters = min(max(1, round(math.sqrt(n_texts / 2))), _DEFAULT_MAX_CLUSTERS, n_texts)
        if not 1 <= n_clusters <= n_texts:
            raise InputError(
                f"cannot make {n_clusters} groups of {n_texts} texts: expected 1 to {n_texts}"
            )
        generator = np.random.default_rng(seed)
        rows = sample_rows(n_texts, generator)
        centres = fit(np.ascontiguousarray(vectors[rows]), n_clusters, generator)
        labels, cosines = assign(vectors, centres)
    order = np.argsort(-np.bincount(labels, minlength=n_clusters), kind="stable")
    return Clusters(np.argsort(order)[labels], cosines, centres[order])


def sample_rows(n_rows: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return at most SAMPLE_ROWS rows, ascending."""
    if n_rows <= SAMPLE_ROWS:
        return np.arange(n_rows)
    return np.sort(generator.choice(n_rows, SAMPLE_ROWS, replace=False))


def fit(sample: FloatMatrix, n_clusters: int, generator: np.random.Generator) -> FloatMatrix:
    """Return centres (n_clusters, dim) from which no row of the sample would move any more.

    Args:
        sample: float32 (n, dim), rows of length one or zero.
        n_clusters: Number of groups, at most n.
        generator: Chooses the first centres, far apart (k-means++).
    """
    centres = _first_centres(sample, n_clusters, generator)
    previous = np.full(len(sample), -1, np.int64)
    for _ in range(MOST_ROUNDS):
        labels, cosines = assign(sample, centres)
        if (labels == previous).all():
            break
        previous = labels
        sums = _sums(sample, labels, n_clusters)
        empty = np.flatnonzero(np.bincount(labels, minlength=n_clusters) == 0)
        # A group without texts starts again at the texts that fit their own group worst.
        sums[empty] = sample[np.argsort(cosines, kind="stable")[: len(empty)]]
        centres = unit_rows(sums)
    return centres


def _sums(sample: FloatMatrix, labels: NDArray[np.int64], n_clusters: int) -> FloatMatrix:
    """Return the sum of the rows of each group, float32 (n_clusters, dim)."""
    order = np.argsort(labels, kind="stable")
    present, starts = np.unique(labels[order], return_index=True)
    sums = np.zeros((n_clusters, sample.shape[1]), np.float32)
    sums[present] = np.add.reduceat(sample[order], starts)
    return sums


def _first_centres(
    sample: FloatMatrix, n_clusters: int, generator: np.random.Generator
) -> FloatMatrix:
    """Return rows far apart: each drawn by its distance to the chosen ones (k-means++)."""
    chosen = [int(generator.integers(len(sample)))]
    distances = 1 - sample @ sample[chosen[0]]
    for _ in range(n_clusters - 1):
        weights = np.maximum(distances, 0).astype(np.float64)
        weights[chosen] = 0
        total = weights.sum()
        if total > 0:
            chosen.append(int(generator.choice(len(sample), p=weights / total)))
        else:  # all texts equal a chosen one
            remaining = np.setdiff1d(np.arange(len(sample)), chosen)
            chosen.append(int(generator.choice(remaining)))
        distances = np.minimum(distances, 1 - sample @ sample[chosen[-1]])
    return np.ascontiguousarray(sample[chosen])


def assign(
    vectors: FloatMatrix, centres: FloatMatrix
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest centre of each row, int64 (n,), and the cosine, float32 (n,)."""
    labels = np.empty(len(vectors), np.int64)
    cosines = np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), _BLOCK):
        products = vectors[start : start + _BLOCK] @ centres.T
        best = products.argmax(axis=1)
        labels[start : start + len(best)] = best
        cosines[start : start + len(best)] = products[np.arange(len(best)), best]
    return labels, cosines


def name_clusters(
    texts: Mapping[int, str], labels: NDArray[np.int64], n_clusters: int, *, n_words: int = 3
) -> list[list[str]]:
    """Return the words that tell each group from the others, best first.

    Words are runs of kanji, katakana or letters. A word counts once per text; its weight is its
    share in the group times the logarithm of how much rarer it is in all texts.

    Args:
        texts: Some of the texts, by row.
        labels: int64 (n,), the group of each row.
        n_clusters: Number of groups.
        n_words: Number of words at most.

    Examples:
        >>> texts = dict(enumerate(["大雪の朝", "大雪の夜", "株価の上昇"]))
        >>> name_clusters(texts, np.array([0, 0, 1]), 2, n_words=1)
        [['大雪'], ['上昇']]
    """
    inside: list[Counter[str]] = [Counter() for _ in range(n_clusters)]
    everywhere: Counter[str] = Counter()
    n_texts = np.zeros(n_clusters)
    for row, text in texts.items():
        words = set(_WORD.findall(text))
        inside[labels[row]].update(words)
        everywhere.update(words)
        n_texts[labels[row]] += 1
    return [
        _typical_words(counts, everywhere, len(texts), n_texts[cluster])[:n_words]
        for cluster, counts in enumerate(inside)
    ]


def _typical_words(
    counts: Counter[str], everywhere: Counter[str], n_all: int, n_inside: float
) -> list[str]:
    def weight(word: str) -> float:
        share = counts[word] / n_inside
        return share * math.log(share / (everywhere[word] / n_all))

    return sorted(counts, key=lambda word: (-weight(word), word))
