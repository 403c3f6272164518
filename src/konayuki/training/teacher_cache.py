"""Teacher vectors by text: what one run had the teacher embed, the next reads from disk.

A cache is two files that grow together, `NAME.hashes` (a uint64 per text) and `NAME.vectors` (`dim`
float16 per text). Vectors are written first, so a run that is stopped leaves at most some without a
hash, and the next one overwrites them.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from konayuki.progress import track

TEXTS_AT_ONCE = 1024  # between two points from which a stopped run goes on

Float16Matrix: TypeAlias = npt.NDArray[np.float16]


class Encoder(Protocol):
    """A teacher: `Teacher`, `HubTeacher` and the like."""

    dim: int

    def encode(
        self, texts: Sequence[str], prefix: str, *, max_tokens: int = ...
    ) -> npt.NDArray[np.float32]:
        """Return one unit vector per text: float32 (n_texts, dim).

        `prefix` is what the model was trained to find before such texts. Longer texts are cut to
        `max_tokens` tokens, or to the model's own limit.
        """
        ...


class TeacherCache:
    """The teacher's vectors of texts of one kind, kept in a folder.

    Args:
        folder: The folder; created when something is written.
        teacher: The teacher, which embeds what is missing.
        prefix: Put before each text, as the teacher was trained.
        max_tokens: Longer texts are cut to N tokens.
    """

    def __init__(self, folder: Path, teacher: Encoder, prefix: str, max_tokens: int) -> None:
        self._teacher = teacher
        self._prefix = prefix
        self._max_tokens = max_tokens
        name = f"{prefix.strip(': ')}-{max_tokens}"
        self._folder = folder
        self._hashes = folder / f"{name}.hashes"
        self._vectors = folder / f"{name}.vectors"

    def vectors(self, texts: Sequence[str]) -> Float16Matrix:
        """Return the vectors of the texts: float16 (n_texts, dim).

        The teacher embeds, and the cache keeps, those that are new; a bar on stderr counts them.
        """
        hashes = np.array([text_hash(text) for text in texts], dtype=np.uint64)
        known = self._known_hashes()
        _, first = np.unique(hashes, return_index=True)
        fresh = first[~np.isin(hashes[first], known)]
        self._extend([texts[row] for row in np.sort(fresh)], len(known))
        known = self._known_hashes()
        order = np.argsort(known, kind="stable")
        rows = order[np.searchsorted(known, hashes, sorter=order)]
        table = np.memmap(
            self._vectors, dtype=np.float16, mode="r", shape=(len(known), self._teacher.dim)
        )
        return np.asarray(table[rows])

    def _known_hashes(self) -> npt.NDArray[np.uint64]:
        """Return the hashes of the texts whose vectors are on disk, in their order."""
        if not (self._hashes.exists() and self._vectors.exists()):
            return np.empty(0, dtype=np.uint64)
        hashes = np.fromfile(self._hashes, dtype=np.uint64)
        return hashes[: self._vectors.stat().st_size // (2 * self._teacher.dim)]

    def _extend(self, texts: Sequence[str], n_known: int) -> None:
        if not texts:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for path, size in ((self._vectors, 2 * self._teacher.dim), (self._hashes, 8)):
            path.touch()
            with path.open("r+b") as file:
                file.truncate(n_known * size)
        starts = range(0, len(texts), TEXTS_AT_ONCE)
        for start in track(starts, "ask teacher", total=len(starts), unit="block"):
            chunk = texts[start : start + TEXTS_AT_ONCE]
            vectors = self._teacher.encode(chunk, self._prefix, max_tokens=self._max_tokens)
            hashes = np.array([text_hash(text) for text in chunk], dtype=np.uint64)
            for path, array in (
                (self._vectors, vectors.astype(np.float16)),
                (self._hashes, hashes),
            ):
                with path.open("ab") as file:
                    file.write(array.tobytes())


def text_hash(text: str) -> int:
    """Return the number that stands for a text in the cache."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
