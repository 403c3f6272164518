"""Which pairs meet in which batch.

In-batch negatives make a text that occurs twice in a batch its own negative, so batches hold each
text at most once on either side, and no side of a pair is the negative of another; two pairs may
share a negative. Pairs that would repeat a text wait for the next batch. The plan
follows from the pairs, the settings and the seed only: a resumed run draws the same.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from konayuki.errors import InputError
from konayuki.training.pair_store import PairStore

Rows = NDArray[np.int64]
LARGE_GROUP = 2  # batches that a group must fill to get batches of its own
PATIENCE = 4  # pools of waiting pairs, in batches, before the waiting ones are dropped


class BatchPlan:
    """An endless, repeatable stream of batches of pair rows.

    Args:
        store: The pairs.
        rows: The rows that may be trained on.
        batch_size: The pairs in a batch.
        seed: Decides the draws.
        unique: Whether a batch may hold a text only once ("no_duplicates").
        source_batches: The share of each large group of sources that is put into batches of its
            own, in which negatives are passages of the same kind.

    Raises:
        InputError: There are fewer pairs than one batch holds.
    """

    def __init__(
        self,
        store: PairStore,
        rows: Rows,
        batch_size: int,
        *,
        seed: int = 0,
        unique: bool = True,
        source_batches: float = 0.0,
    ) -> None:
        self._texts = np.asarray(store.pairs)
        self._has_negatives = bool((self._texts[:, 2] >= 0).any())
        allowed = np.zeros(len(store.pairs), dtype=bool)
        allowed[rows] = True
        self._sources = [
            (source, source.start + np.flatnonzero(allowed[source.start : source.stop]))
            for source in store.sources
        ]
        self._batch_size = batch_size
        self._seed = seed
        self._unique = unique
        self._source_batches = source_batches
        if self.pairs_per_epoch < batch_size:
            n_held = len(store.pairs) - len(rows)
            remedy = "lower training.batch_size or raise the weights of the sources"
            if n_held:
                remedy = "lower held_out in [[development]], or training.batch_size"
            raise InputError(
                f"an epoch has {self.pairs_per_epoch} pairs, a batch {batch_size}: of "
                f"{len(store.pairs)} pairs read {n_held} are held out and {len(rows)} are left to "
                f"train on\nhint: {remedy}"
            )

    @property
    def pairs_per_epoch(self) -> int:
        """Return how many pairs the weights give for an epoch."""
        return sum(round(source.weight * len(rows)) for source, rows in self._sources)

    def batches(self, n_batches: int) -> Iterator[Rows]:
        """Yield `n_batches` batches of rows, int64 (batch_size,)."""
        n_given = epoch = 0
        while n_given < n_batches:
            n_before = n_given
            for batch in self._epoch(np.random.default_rng((self._seed, epoch))):
                yield batch
                n_given += 1
                if n_given == n_batches:
                    return
            if n_given == n_before:
                raise InputError(
                    f"no batch of {self._batch_size} pairs without a repeated text\n"
                    "hint: lower training.batch_size"
                )
            epoch += 1

    def _epoch(self, rng: np.random.Generator) -> Iterator[Rows]:
        drawn = [draw_rows(rows, source.weight, rng) for source, rows in self._sources]
        if not self._source_batches:
            return self._without_repeats(np.concatenate(drawn), rng)
        groups: dict[str, list[Rows]] = {}
        for (source, _), rows in zip(self._sources, drawn, strict=True):
            groups.setdefault(source.group or source.name, []).append(rows)
        mixed: list[Rows] = []
        batches: list[Rows] = []
        for parts in groups.values():
            rows = rng.permutation(np.concatenate(parts))
            n_apart = int(len(rows) * self._source_batches)
            if n_apart < LARGE_GROUP * self._batch_size:
                n_apart = 0
            mixed.append(rows[n_apart:])
            batches.extend(self._without_repeats(rows[:n_apart], rng))
        batches.extend(self._without_repeats(np.concatenate(mixed), rng))
        return iter([batches[row] for row in rng.permutation(len(batches))])

    def _without_repeats(self, rows: Rows, rng: np.random.Generator) -> Iterator[Rows]:
        """Yield full batches; what does not fill one at the end is left for the next epoch."""
        rows = rows[rng.permutation(len(rows))]
        waiting = rows[:0]
        taken = 0
        while taken < len(rows):
            # At least an eighth of a batch: what waits may not fit whatever joins it.
            n_fresh = max(self._batch_size - len(waiting), self._batch_size // 8, 1)
            pool = np.concatenate([waiting, rows[taken : taken + n_fresh]])
            taken += n_fresh
            fits = self._fits(pool)
            chosen = np.flatnonzero(fits)[: self._batch_size]
            if len(chosen) == self._batch_size:
                fits[:] = True
                fits[chosen] = False
                waiting = pool[fits]
                yield pool[chosen]
            else:
                waiting = pool if len(pool) < PATIENCE * self._batch_size else pool[:0]

    def _fits(self, pool: Rows) -> NDArray[np.bool_]:
        """Return which pairs repeat no text of an earlier pair of the pool."""
        if not self._unique:
            return np.ones(len(pool), dtype=bool)
        if self._has_negatives:
            return self._fits_with_negatives(pool)
        # Both sides are compared together: a passage may be another pair's query.
        texts = self._texts[pool, :2]  # (n, 2)
        _, first = np.unique(texts.ravel(), return_index=True)
        is_first = np.zeros(texts.size, dtype=bool)
        is_first[first] = True
        return np.asarray(is_first.reshape(texts.shape).all(axis=1))

    def _fits_with_negatives(self, pool: Rows) -> NDArray[np.bool_]:
        """Return which pairs repeat no text of an earlier pair that fits, except its negative."""
        fits = np.zeros(len(pool), dtype=bool)
        sides: set[int] = set()
        negatives: set[int] = set()
        for row, (query, positive, negative) in enumerate(self._texts[pool].tolist()):
            pair = {query, positive}
            if negative in sides or negative in pair or pair & sides or pair & negatives:
                continue
            fits[row] = True
            sides |= pair
            if negative >= 0:
                negatives.add(negative)
        return fits


def draw_rows(rows: Rows, weight: float, rng: np.random.Generator) -> Rows:
    """Return the rows of one source for one epoch: `weight` times all, the fraction at random."""
    n_rows = round(weight * len(rows))
    whole, rest = divmod(n_rows, max(1, len(rows)))
    parts: Sequence[Rows] = [rows] * whole + [rows[rng.permutation(len(rows))[:rest]]]
    return np.concatenate(parts).astype(np.int64)
