"""What the service works with: a model, and an index that may be written to."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from konayuki.errors import IndexLockedError, NotFoundError
from konayuki.model import StaticModel
from konayuki.search import Index
from konayuki.serving.problems import Problem
from konayuki.serving.settings import Settings

Result = TypeVar("Result")
_TURN_S = 0.02
_PATIENCE_S = 10.0


@dataclass
class Engine:
    """A model and perhaps an index, shared by every request.

    Attributes:
        model: what turns texts into vectors.
        names: the names under which clients ask for it; the first is its own.
        index: where searches go, None where only embeddings are served.
        index_path: its folder.
        read_only: whether writing is refused.
        shares_index: whether other processes write to the index too: the right to write is then
            taken for each write and given back after it.
    """

    model: StaticModel
    names: tuple[str, ...] = ("konayuki",)
    index: Index | None = None
    index_path: Path | None = None
    read_only: bool = False
    shares_index: bool = False
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def open(cls, settings: Settings) -> "Engine":
        """Load the model and open the index that the settings name.

        Raises:
            NotFoundError: There is no such model or index.
            KonayukiError: One of their files cannot be used.
        """
        model = StaticModel.load(settings.model)
        index, path = None, None
        if settings.index is not None:
            path = Path(settings.index)
            index = _open(path, model, create=settings.create)
        engine = cls(
            model=model,
            names=("konayuki", *settings.aliases),
            index=index,
            index_path=path,
            read_only=settings.read_only,
            shares_index=settings.workers > 1,
        )
        engine.warm_up()
        return engine

    def warm_up(self) -> None:
        """Do once what is slow the first time: nobody should wait for pages of a file."""
        self.encode(["粉雪"])
        if self.index is not None:
            self.index.search("粉雪")

    @property
    def writable(self) -> bool:
        """Whether documents can be added."""
        return self.index is not None and not self.read_only

    def searched(self) -> Index:
        """Return the index.

        Raises:
            Problem: there is none.
        """
        if self.index is None:
            raise Problem(
                404,
                "no_index",
                "this server has no index\nhint: konayuki serve INDEX, or --create for a new one",
            )
        return self.index

    def write(self, change: Callable[[Index], Result]) -> Result:
        """Run a change on the index, when no other writer of this or another process is at it.

        Raises:
            Problem: there is no index, or this server does not write.
            IndexLockedError: another writer did not finish within ten seconds.
        """
        index = self.searched()
        if self.read_only:
            raise Problem(403, "read_only", "this server does not change its index")
        with self._turn:
            if not self.shares_index:
                return change(index)
            return self._in_turn(change)

    def encode(
        self, texts: Sequence[str], dim: int | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """Return unit vectors, float32 (n_texts, dim), and the number of pieces of the texts.

        Raises:
            DimensionError: the model has fewer than `dim` outputs.
        """
        batch = self.model.tokenize(texts)
        return self.model.encode(texts, dim=dim), len(batch.ids)

    def close(self) -> None:
        """Let the index go."""
        if self.index is not None:
            self.index.close()

    def _in_turn(self, change: Callable[[Index], Result]) -> Result:
        assert self.index_path is not None  # noqa: S101 - ours: an index has a folder
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                with Index.open(self.index_path, self.model) as writer:
                    return change(writer)
            except IndexLockedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_TURN_S)


def _open(path: Path, model: StaticModel, *, create: bool) -> Index:
    try:
        return Index.open(path, model)
    except NotFoundError:
        if not create:
            raise
        return Index.create(path, model)
