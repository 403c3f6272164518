"""What the service works with: a model, and an index that may be written to."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from konayuki.arrays import FloatMatrix
from konayuki.errors import IndexLockedError, NotFoundError
from konayuki.model import StaticModel
from konayuki.search import Index
from konayuki.serving.problems import Problem
from konayuki.serving.settings import Settings

_RETRY_S = 0.02
_PATIENCE_S = 10.0


@dataclass
class Engine:
    """A model and perhaps an index, shared by every request.

    Attributes:
        model: Turns texts into vectors.
        names: Names under which clients ask for the model; the first is its own.
        index: What searches go to; None if only embeddings are served.
        index_path: Folder of the index.
        read_only: Whether writing is refused.
        shares_index: Whether other processes write to the index too, see `Settings.share_index`.
        opens_files: Whether clients may have files opened on this machine.
        strict_model: Whether embeddings under a name that is not in `names` are refused.

    Examples:
        >>> engine = Engine(model, index=index)
        >>> engine.writable, engine.index is index
        (True, True)
    """

    model: StaticModel
    names: tuple[str, ...] = ("konayuki",)
    index: Index | None = None
    index_path: Path | None = None
    read_only: bool = False
    shares_index: bool = False
    opens_files: bool = False
    strict_model: bool = False
    _writing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def open(cls, settings: Settings) -> "Engine":
        """Load the model and open the index that the settings name.

        Raises:
            NotFoundError: The model or the index does not exist.
            KonayukiError: One of their files cannot be used.

        Examples:
            >>> from konayuki.serving import Settings
            >>> engine = Engine.open(Settings(index="notes.konayuki", read_only=True))
            >>> len(engine.open_index()), engine.writable
            (3, False)
            >>> engine.close()
        """
        model = StaticModel.load(settings.model)
        index, path = None, None
        if settings.index is not None:
            path = Path(settings.index)
            index = _open_index(path, model, settings)
        engine = cls(
            model=model,
            names=("konayuki", *settings.aliases),
            index=index,
            index_path=path,
            read_only=settings.read_only or (index is not None and index.read_only),
            shares_index=settings.share_index or settings.workers > 1,
            opens_files=settings.open_files and settings.is_local,
            strict_model=settings.strict_model,
        )
        # Warm up: nobody's first request should wait for pages of the model's file.
        model.encode(["粉雪"])
        if index is not None:
            index.search("粉雪")
        return engine

    @property
    def writable(self) -> bool:
        """Whether documents can be added."""
        return self.index is not None and not self.read_only

    def open_index(self) -> Index:
        """Return the index.

        Raises:
            Problem: This server has none.

        Examples:
            >>> len(Engine(model, index=index).open_index())
            3
        """
        if self.index is None:
            raise Problem(
                404,
                "no_index",
                "this server has no index\nhint: konayuki serve INDEX, or --create for a new one",
            )
        return self.index

    def check_writable(self) -> Index:
        """Return the index, if it may be written to.

        Raises:
            Problem: This server has no index, or does not change it.

        Examples:
            >>> Engine(model, index=index).check_writable() is index
            True
        """
        index = self.open_index()
        if self.read_only:
            raise Problem(403, "read_only", "this server does not change its index")
        return index

    @contextmanager
    def writer(self) -> Iterator[Index]:
        """Lend the index for one change, when no other writer of this or another process uses it.

        Raises:
            Problem: This server has no index, or does not change it.
            IndexLockedError: Another writer did not finish within ten seconds.

        Examples:
            >>> with Engine(model, index=index).writer() as writer:
            ...     writer.delete(["miso"])
            1
        """
        index = self.check_writable()
        with self._writing:
            if not self.shares_index:
                yield index
                return
            with self._locked_writer() as writer:
                yield writer

    def encode(self, texts: Sequence[str], dim: int | None = None) -> tuple[FloatMatrix, int]:
        """Return unit vectors, float32 (n_texts, dim), and the number of pieces of the texts.

        Raises:
            DimensionError: The model has fewer than `dim` outputs.

        Examples:
            >>> vectors, n_pieces = Engine(model).encode(["粉雪が舞う", "雪"], dim=64)
            >>> vectors.shape, n_pieces
            ((2, 64), 6)
        """
        batch = self.model.tokenize(texts)
        return self.model.encode(texts, dim=dim), len(batch.ids)

    def close(self) -> None:
        """Let the index go.

        Examples:
            >>> engine = Engine(model, index=Index.open("notes.konayuki"))
            >>> engine.close()
        """
        if self.index is not None:
            self.index.close()

    @contextmanager
    def _locked_writer(self) -> Iterator[Index]:
        """Open the index a second time, take the writer lock, and give it back at the end."""
        assert self.index_path is not None  # noqa: S101 - ours: an index has a folder
        deadline = time.monotonic() + _PATIENCE_S
        with Index.open(self.index_path, self.model) as writer:
            while True:
                try:
                    writer.lock()
                    break
                except IndexLockedError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(_RETRY_S)
            yield writer


def _open_index(path: Path, model: StaticModel, settings: Settings) -> Index:
    try:
        return Index.open(path, model, read_only=settings.read_only)
    except NotFoundError:
        if not settings.create:
            raise
    Index.create(path, model).close()
    return Index.open(path, model, read_only=settings.read_only)
