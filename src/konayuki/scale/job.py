"""One part of a corpus into one file of vectors: what every worker of every engine runs."""

import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from konayuki.choices import Dtype
from konayuki.errors import DatasetError, KonayukiError
from konayuki.extras import require
from konayuki.model import StaticModel
from konayuki.scale.json_lines import lines_between, read_table
from konayuki.scale.parts import PARQUET, Part
from konayuki.scale.storage import EXTRA, Store, open_binary
from konayuki.scale.vector_columns import as_list_array, open_writer

Record = dict[str, Any]
BATCH_ROWS = 8192
FAILED = "_failed"
_MARK = b"konayuki"


@dataclass(frozen=True)
class Job:
    """What is made of every row; pickles, and is small.

    Attributes:
        model: folder or hub id, None for the bundled one.
        fingerprint: of the model, so that no worker uses another one of the same name.
        text_column: where the text is.
        vector_column: where its vector goes.
        dim: of the vectors.
        dtype: of their values.
    """

    model: str | None
    fingerprint: str
    text_column: str
    vector_column: str
    dim: int
    dtype: Dtype

    @property
    def settings(self) -> dict[str, object]:
        """Return what two runs must share for their outputs to lie side by side."""
        return {name: value for name, value in asdict(self).items() if name != "model"}


class PartReport(NamedTuple):
    """What became of a part.

    Attributes:
        name: of the output.
        rows: vectors in it.
        failed_rows: rows that were kept aside.
        unchanged: whether it was there from an earlier run.
        error: why there is no output; "" where there is one.
        worker: host and process that did it, as in "host:123".
        cpu_s: processor seconds that it took there.
    """

    name: str
    rows: int = 0
    failed_rows: int = 0
    unchanged: bool = False
    error: str = ""
    worker: str = ""
    cpu_s: float = 0.0


class Embedder:
    """A worker: one model, any number of parts.

    The rows of a 4-bit model are mapped from its file, so the workers of a machine share them.
    """

    def __init__(self, job: Job, source: Store, target: Store) -> None:
        self.job = job
        self.source = source
        self.target = target
        self.worker = f"{socket.gethostname()}:{os.getpid()}"

    @cached_property
    def model(self) -> StaticModel:
        """The model, loaded when the first part needs it.

        Raises:
            DatasetError: a model of this name is not the one that the job was planned with.
        """
        model = StaticModel.load(self.job.model)
        if model.fingerprint != self.job.fingerprint:
            raise DatasetError(
                f"model {self.job.model or 'bundled'!r} of {self.worker} is {model.fingerprint}: "
                f"expected {self.job.fingerprint}\nhint: install the same version on every machine"
            )
        return model

    def embed(self, part: Part) -> PartReport:
        """Make the output of a part, unless it is there; never raises for what the part holds."""
        arrow = require("pyarrow", EXTRA)
        try:
            done = self._earlier(part)
            return done if done is not None else self._made(part)
        except (KonayukiError, arrow.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = f"{part.source.path}: {error}"
            return PartReport(part.name, error=reason, worker=self.worker)

    def _earlier(self, part: Part) -> PartReport | None:
        """Return the report of an output that an earlier run made of the same bytes."""
        arrow, parquet = require("pyarrow", EXTRA), require("pyarrow.parquet", EXTRA)
        if not self.target.exists(part.name):
            return None
        try:
            with self.target.filesystem.open_input_file(self.target.path(part.name)) as file:
                metadata = parquet.read_metadata(file)
        except (arrow.ArrowException, OSError):
            return None  # not ours, or cut off by a loss of power: made again
        if (metadata.metadata or {}).get(_MARK) != self._mark(part):
            return None
        n_failed = 0
        if self.target.exists(failed_name(part)):
            n_failed = self.target.read(failed_name(part)).count(b"\n")
        return PartReport(part.name, metadata.num_rows, n_failed, unchanged=True)

    def _made(self, part: Part) -> PartReport:
        started = time.process_time()
        failed: list[Record] = []
        batches = self._batches(part, failed)
        first = next(batches)
        n_rows = 0
        with self.target.writing(part.name) as stream, self._writer(stream, first, part) as writer:
            for batch in chain([first], batches):
                writer.write_batch(self._with_vectors(batch))
                n_rows += batch.num_rows
            self._keep_aside(part, failed)  # before the output appears: it vouches for both
        spent = round(time.process_time() - started, 4)
        return PartReport(part.name, n_rows, len(failed), worker=self.worker, cpu_s=spent)

    def _batches(self, part: Part, failed: list[Record]) -> Iterator[Any]:
        """Yield record batches of the same columns, at least one; bad rows go to `failed`."""
        if not part.source.name.endswith(PARQUET):
            with open_binary(self.source.filesystem, part.source.path) as file:
                lines = lines_between(file, part.start, part.stop)
                table, bad = read_table(lines, self.job.text_column, part.source.path)
            failed += bad
            yield from _at_least_one(table.to_batches(BATCH_ROWS), table.schema)
            return
        parquet = require("pyarrow.parquet", EXTRA)
        with (
            self.source.filesystem.open_input_file(part.source.path) as file,
            parquet.ParquetFile(file) as table,
        ):
            schema = table.schema_arrow
            self._check(schema, part)
            groups = list(range(part.start, part.stop or 0))
            found = table.iter_batches(BATCH_ROWS, row_groups=groups) if groups else iter(())
            yield from _at_least_one(self._whole_rows(found, part, failed), schema)

    def _check(self, schema: Any, part: Part) -> None:  # noqa: ANN401 - pyarrow has no types
        types = require("pyarrow", EXTRA).types
        place = schema.get_field_index(self.job.text_column)
        if place < 0:
            have = ", ".join(map(repr, schema.names)) or "none"
            raise DatasetError(f"no column {self.job.text_column!r}; the columns are {have}")
        kind = schema.types[place]
        if not (types.is_string(kind) or types.is_large_string(kind)):
            raise DatasetError(f"column {self.job.text_column!r} holds {kind}, not strings")

    def _whole_rows(
        self, batches: Iterator[Any], part: Part, failed: list[Record]
    ) -> Iterator[Any]:
        """Yield the rows whose text is there; what is null goes to `failed`."""
        row = part.first_row
        for batch in batches:
            texts = batch.column(self.job.text_column)
            if texts.null_count:
                missing = texts.is_null().to_numpy(zero_copy_only=False).nonzero()[0]
                reason = f"{self.job.text_column!r} is null"
                failed += [
                    {"file": part.source.path, "row": row + int(place), "reason": reason}
                    for place in missing
                ]
                yield batch.filter(texts.is_valid())
            else:
                yield batch
            row += batch.num_rows

    def _with_vectors(self, batch: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
        texts = batch.column(self.job.text_column).to_pylist()
        vectors = self.model.encode(texts, dim=self.job.dim, dtype=self.job.dtype)
        return batch.append_column(self.job.vector_column, as_list_array(vectors))

    def _writer(self, stream: Any, batch: Any, part: Part) -> Any:  # noqa: ANN401 - pyarrow
        if self.job.vector_column in batch.schema.names:
            raise DatasetError(
                f"there is a column {self.job.vector_column!r} already\n"
                "hint: name another one with --vector-column"
            )
        schema = self._with_vectors(batch.slice(0, 0)).schema
        schema = schema.with_metadata({**(schema.metadata or {}), _MARK: self._mark(part)})
        return open_writer(stream, schema, self.job.vector_column)

    def _keep_aside(self, part: Part, failed: list[Record]) -> None:
        if not failed:
            self.target.delete(failed_name(part))
            return
        with self.target.writing(failed_name(part)) as stream:
            for record in failed:
                stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")

    def _mark(self, part: Part) -> bytes:
        """Return what an output says of its origin: equal marks, equal content."""
        source = part.source
        origin = {"size": source.size, "modified": source.modified, "from": source.name}
        span = {"start": part.start, "stop": part.stop}
        return json.dumps({**self.job.settings, **origin, **span}, sort_keys=True).encode()


def failed_name(part: Part) -> str:
    """Return the name of the file with the rows of a part that could not be used."""
    return f"{FAILED}/{part.name.removesuffix('.parquet')}.jsonl"


def _at_least_one(batches: Any, schema: Any) -> Iterator[Any]:  # noqa: ANN401 - pyarrow
    """Yield the batches, or an empty one: a part without rows still has columns."""
    arrow = require("pyarrow", EXTRA)
    n_batches = 0
    for batch in batches:
        n_batches += 1
        yield batch
    if not n_batches:
        yield arrow.RecordBatch.from_pylist([], schema=schema)
