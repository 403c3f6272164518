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

BATCH_ROWS = 8192
FAILED = "_failed"
_MARK = b"konayuki"


@dataclass(frozen=True)
class Job:
    """What workers need to embed rows; small and picklable.

    Attributes:
        model: Folder or hub id, None for the bundled model.
        fingerprint: Fingerprint of the model, so that no worker uses another one of the same name.
        text_column: Column of the texts.
        vector_column: Column of the vectors.
        dim: Dimensions of a vector.
        dtype: Type of a value.
    """

    model: str | None
    fingerprint: str
    text_column: str
    vector_column: str
    dim: int
    dtype: Dtype

    @property
    def settings(self) -> dict[str, object]:
        """Return what two runs must share to write to the same folder."""
        return {name: value for name, value in asdict(self).items() if name != "model"}


class PartReport(NamedTuple):
    """What became of a part.

    Attributes:
        name: Name of the output.
        rows: Vectors in it.
        failed_rows: Rows that were set aside.
        unchanged: Whether an earlier run had made the output.
        error: Why there is no output; "" if there is one.
        worker: Host and process that made it, as in "host:123".
        cpu_s: Processor seconds of that worker.
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
            DatasetError: The model of this name is not the one that the job was planned with.
        """
        model = StaticModel.load(self.job.model)
        if model.fingerprint != self.job.fingerprint:
            raise DatasetError(
                f"model {self.job.model or 'bundled'!r} of {self.worker} is {model.fingerprint}: "
                f"expected {self.job.fingerprint}\nhint: install the same version on every machine"
            )
        return model

    def embed(self, part: Part) -> PartReport:
        """Write the output of a part if it does not exist; what the part holds never raises."""
        arrow = require("pyarrow", EXTRA)
        try:
            return self._existing(part) or self._write(part)
        except (KonayukiError, arrow.ArrowException, OSError, UnicodeDecodeError) as error:
            reason = f"{part.source.path}: {error}"
            return PartReport(part.name, error=reason, worker=self.worker)

    def _existing(self, part: Part) -> PartReport | None:
        """Return the report of an output that an earlier run made of the same bytes."""
        arrow, parquet = require("pyarrow", EXTRA), require("pyarrow.parquet", EXTRA)
        if not self.target.exists(part.name):
            return None
        try:
            with self.target.filesystem.open_input_file(self.target.path(part.name)) as file:
                metadata = parquet.read_metadata(file)
        except (arrow.ArrowException, OSError):
            return None  # not ours, or cut off by a power failure: written again
        if (metadata.metadata or {}).get(_MARK) != self._mark(part):
            return None
        n_failed = 0
        if self.target.exists(failed_name(part)):
            n_failed = self.target.read(failed_name(part)).count(b"\n")
        return PartReport(part.name, metadata.num_rows, n_failed, unchanged=True)

    def _write(self, part: Part) -> PartReport:
        started = time.process_time()
        failed: list[dict[str, Any]] = []
        batches = self._batches(part, failed)
        first = next(batches)
        n_rows = 0
        with self.target.writing(part.name) as stream, self._writer(stream, first, part) as writer:
            for batch in chain([first], batches):
                writer.write_batch(self._with_vectors(batch))
                n_rows += batch.num_rows
            self._set_aside(part, failed)  # before the output appears: it vouches for both
        cpu_s = round(time.process_time() - started, 4)
        return PartReport(part.name, n_rows, len(failed), worker=self.worker, cpu_s=cpu_s)

    def _batches(self, part: Part, failed: list[dict[str, Any]]) -> Iterator[Any]:
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
            batches = table.iter_batches(BATCH_ROWS, row_groups=groups) if groups else iter(())
            yield from _at_least_one(self._whole_rows(batches, part, failed), schema)

    def _check(self, schema: Any, part: Part) -> None:  # noqa: ANN401 - pyarrow has no types
        types = require("pyarrow", EXTRA).types
        column = schema.get_field_index(self.job.text_column)
        if column < 0:
            names = ", ".join(map(repr, schema.names)) or "none"
            raise DatasetError(f"no column {self.job.text_column!r}: expected one of {names}")
        kind = schema.types[column]
        if not (types.is_string(kind) or types.is_large_string(kind)):
            raise DatasetError(f"column {self.job.text_column!r} holds {kind}: expected strings")

    def _whole_rows(
        self, batches: Iterator[Any], part: Part, failed: list[dict[str, Any]]
    ) -> Iterator[Any]:
        """Yield the rows that have a text; those with null go to `failed`."""
        row = part.first_row
        for batch in batches:
            texts = batch.column(self.job.text_column)
            if texts.null_count:
                missing = texts.is_null().to_numpy(zero_copy_only=False).nonzero()[0]
                reason = f"{self.job.text_column!r} is null"
                failed += [
                    {"file": part.source.path, "row": row + int(offset), "reason": reason}
                    for offset in missing
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
                f"column {self.job.vector_column!r} exists already: expected a new name\n"
                "hint: choose it with --vector-column"
            )
        schema = self._with_vectors(batch.slice(0, 0)).schema
        schema = schema.with_metadata({**(schema.metadata or {}), _MARK: self._mark(part)})
        return open_writer(stream, schema, self.job.vector_column)

    def _set_aside(self, part: Part, failed: list[dict[str, Any]]) -> None:
        if not failed:
            self.target.delete(failed_name(part))
            return
        with self.target.writing(failed_name(part)) as stream:
            for record in failed:
                stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")

    def _mark(self, part: Part) -> bytes:
        """Return what an output says about its origin: equal marks mean equal content."""
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
