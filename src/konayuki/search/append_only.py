"""Arrays in files that only grow, mapped into memory by every reader.

`state.json` says how much of the others is valid, with a checksum of it: what lies behind belongs
to a write that did not finish. Nothing is synced to the disk: the checksums tell after a loss of
power whether the files are whole, and if not, they are made again from the documents, which were
synced.
"""

import json
import os
import re
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from konayuki.errors import IndexFormatError
from konayuki.files import (
    checksum_of,
    file_rights,
    folder_rights,
    open_regular,
    read_regular,
    replace_file,
)
from konayuki.search.epochs import EPOCH, LARGEST_EPOCH, free_epoch
from konayuki.search.failures import failure

_STATE = "state.json"


@dataclass(frozen=True, kw_only=True)
class EpochState:
    """What the files hold: entries of every row up to `last_row` that was not purged.

    A subclass adds what its entries are, and how many.

    Attributes:
        generation: The generation of the documents that they cover.
        purged: The generation up to which dead rows were left out.
        last_row: The highest row that was taken in.
        index_id: The random number of the index; 0 in an index of format 1.
        commit: The random number of the commit that made the generation; 0 in format 1.
        epoch: Number in the names of the files; compaction starts a new one.
        checksums: CRC-32 of the valid bytes of each file.
    """

    generation: int = 0
    purged: int = 0
    last_row: int = 0
    index_id: int = 0
    commit: int = 0
    epoch: int = 1
    checksums: tuple[int, ...] = ()

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The type of the entries of each file."""
        raise NotImplementedError

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of valid entries of each file."""
        raise NotImplementedError

    @property
    def n_bytes(self) -> list[int]:
        """The number of valid bytes of each file."""
        return [
            count * np.dtype(dtype).itemsize
            for count, dtype in zip(self.counts, self.dtypes, strict=True)
        ]

    def check(self) -> None:
        """Raise `ValueError` if these values, read from a file, cannot be those of a state."""
        shared = [getattr(self, field.name) for field in fields(EpochState)[:-1]]
        numbers = [*shared, *self.counts, *self.checksums]
        if any(type(number) is not int for number in numbers):
            raise ValueError("expected whole numbers")
        if min(numbers) < 0 or max(numbers) >= 2**63 or self.epoch < 1:
            raise ValueError("numbers out of range")
        if self.epoch > LARGEST_EPOCH:
            raise ValueError(f"epoch {self.epoch} is not one of ours")
        if len(self.checksums) != len(self.dtypes):
            raise ValueError(f"expected {len(self.dtypes)} checksums")


State = TypeVar("State", bound=EpochState)
_SHARED = {field.name for field in fields(EpochState)}


class EpochFiles(Generic[State]):
    """The files of a folder: one per array, named after the epoch, and `state.json`.

    Args:
        folder: Of the files.
        kind: The class of their state.
        suffixes: Of the names of the files.
        content: What they hold, for messages.
    """

    def __init__(
        self, folder: Path, kind: type[State], suffixes: Sequence[str], content: str
    ) -> None:
        self.folder = folder
        self._kind = kind
        self._suffixes = suffixes
        self._content = content
        self._ours = re.compile(
            rf"({EPOCH})\.(?:{'|'.join(suffixes)})|\.state\.[0-9a-f]{{12}}\.partial\.json"
        )

    def begin(self, state: State) -> State:
        """Create empty files of a new epoch; return the state that `append` goes on from.

        Readers see what they saw before until `commit`.

        Args:
            state: Whose counts are zero.
        """
        try:
            self.folder.mkdir(mode=folder_rights(self.folder.parent), exist_ok=True)
            self._refuse_link()
            epoch = free_epoch((path.name for path in self.folder.iterdir()), self._ours)
            state = replace(state, epoch=epoch, checksums=(0,) * len(self._suffixes))
            for path in self._paths(state):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                os.close(open_regular(path, flags, file_rights(self.folder)))
        except OSError as error:
            raise failure(self.folder, error) from error
        return state

    def state(self) -> State:
        """Return what the files hold.

        Raises:
            IndexFormatError: The state cannot be read.
        """
        path = self.folder / _STATE
        try:
            if self.folder.is_symlink():
                raise ValueError("in a folder that is a link")
            values = json.loads(read_regular(path))
            lists = {name: tuple(value) for name, value in values.items() if type(value) is list}
            state = self._kind(**{**values, **lists})
            state.check()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            message = f"{path}: {error}: expected the state of the {self._content}"
            raise IndexFormatError(message) from error
        return state

    def check(self, state: State) -> None:
        """Compare the files with their checksums.

        Raises:
            IndexFormatError: They differ or are not regular files; the message names the file.
        """
        self._refuse_link()
        for path, size, expected in zip(
            self._paths(state), state.n_bytes, state.checksums, strict=True
        ):
            try:
                checksum = checksum_of(path, size)
            except OSError as error:
                raise failure(path, error) from error
            if checksum != expected:
                raise IndexFormatError(f"{path}: damaged: its checksum is not the recorded one")

    def write(self, state: State, arrays: Sequence[ArrayLike]) -> State:
        """Write entries behind the valid ones of each file; `commit` makes them valid.

        Returns:
            The state with the new checksums; its counts are the caller's to raise.

        Raises:
            IndexFormatError: A file is not a regular one.
            WriteError: The disk is full.
        """
        checksums = []
        for path, array, dtype, offset, checksum in zip(
            self._paths(state), arrays, state.dtypes, state.n_bytes, state.checksums, strict=True
        ):
            content = np.asarray(array, dtype).tobytes()
            try:
                with os.fdopen(open_regular(path, os.O_RDWR), "r+b") as file:
                    file.seek(offset)
                    file.write(content)
            except OSError as error:
                raise failure(path, error) from error
            checksums.append(zlib.crc32(content, checksum))
        return replace(state, checksums=tuple(checksums))

    def commit(self, state: State) -> None:
        """Make everything up to this state valid."""
        # A subclass's own values come first, as in every index that was ever written.
        values = sorted(asdict(state).items(), key=lambda item: item[0] in _SHARED)
        content = json.dumps(dict(values)).encode()
        try:
            replace_file(self.folder / _STATE, content, file_rights(self.folder), synced=False)
        except OSError as error:
            raise failure(self.folder, error) from error

    def collect_garbage(self, state: State) -> None:
        """Remove files of other epochs; foreign files stay.

        A system that keeps mapped files gets them next time.
        """
        current = {path.name for path in self._paths(state)}
        for path in self.folder.iterdir():
            if self._ours.fullmatch(path.name) and path.name not in current:
                with suppress(OSError):  # mapped by a reader on a system that forbids removal
                    path.unlink()

    def arrays(self, state: State) -> tuple[list[NDArray[Any]], tuple[int, ...]]:
        """Return the valid entries of each file, mapped from disk, and what identifies the files.

        Returns:
            Arrays of one dimension, and numbers that no other files have at this time: entries of
            one epoch never change, and files made again after a removal have another number.
        """
        arrays: list[NDArray[Any]] = []
        files: tuple[int, ...] = ()
        for path, count, dtype in zip(self._paths(state), state.counts, state.dtypes, strict=True):
            try:
                with os.fdopen(open_regular(path), "rb") as file:
                    # Of the file that is mapped: one of the same name may be another by now.
                    status = os.fstat(file.fileno())
                    # An empty file cannot be mapped.
                    mapped = np.memmap(file, dtype, "r", shape=(count,)) if count else ()
            except (OSError, ValueError, OverflowError) as error:
                raise failure(path, error) from error
            arrays.append(np.asarray(mapped, dtype))
            files = files or (state.index_id, state.epoch, status.st_ino, status.st_dev)
        return arrays, files

    def _refuse_link(self) -> None:
        if self.folder.is_symlink():
            raise IndexFormatError(f"{self.folder}: expected a folder, not a link")

    def _paths(self, state: State) -> list[Path]:
        return [self.folder / f"{state.epoch}.{suffix}" for suffix in self._suffixes]
