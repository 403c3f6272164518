"""`embed`: a corpus in files into the same rows with vectors, here or on a cluster."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from konayuki.choices import PLAIN_DTYPES, Dtype
from konayuki.errors import DimensionError, InputError
from konayuki.model import StaticModel
from konayuki.progress import track
from konayuki.scale.job import Job, PartReport
from konayuki.scale.local import default_workers, run_local
from konayuki.scale.parts import PART_BYTES, SUFFIXES, Part, is_part_of, plan_parts
from konayuki.scale.ray_engine import run_ray
from konayuki.scale.storage import Store, find_sources, open_store

Engine = Literal["local", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
SETTINGS = "_konayuki.json"


@dataclass(frozen=True)
class EmbedSettings:
    """What is made of every row, and how.

    Attributes:
        model: folder or hub id; the bundled model unless given.
        text_column: where the text is.
        vector_column: where its vector goes.
        dim: of the vectors; the model's own unless given.
        dtype: of their values, as in `StaticModel.encode`.
        part_bytes: what a worker takes at a time; a run in the same folder must keep it.
    """

    model: str | None = None
    text_column: str = "text"
    vector_column: str = "vector"
    dim: int | None = None
    dtype: Dtype = "float32"
    part_bytes: int = PART_BYTES


class Plan(NamedTuple):
    """A checked job with the parts that it falls into."""

    job: Job
    source: Store
    target: Store
    parts: list[Part]


@dataclass
class EmbedReport:
    """What a run did.

    Attributes:
        parts: output files that are there now.
        unchanged: how many of them an earlier run had made.
        rows: vectors in all of them.
        failed_rows: rows that were kept aside, in the folder `_failed`.
        errors: reasons of the parts that have no output.
        seconds: how long it took.
        new_rows: vectors of this run.
        cpu_seconds: processor time that they took, over all workers.
    """

    parts: int = 0
    unchanged: int = 0
    rows: int = 0
    failed_rows: int = 0
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0
    new_rows: int = 0
    cpu_seconds: float = 0.0

    def add(self, report: PartReport) -> None:
        """Take in what became of a part."""
        if report.error:
            self.errors.append(report.error)
            return
        self.parts += 1
        self.unchanged += report.unchanged
        self.rows += report.rows
        self.new_rows += 0 if report.unchanged else report.rows
        self.failed_rows += report.failed_rows
        self.cpu_seconds = round(self.cpu_seconds + report.cpu_s, 4)


def embed(
    source: str,
    out: str,
    settings: EmbedSettings | None = None,
    *,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
    show_progress: bool = False,
) -> EmbedReport:
    """Write the rows of Parquet and JSON Lines files with a vector each.

    An output file holds the columns of its input and the vector, in the order of its input. Output
    files appear when they are whole. Run again, only parts that are missing, or whose input has
    changed, are made. Rows whose text cannot be used go to `_failed/`, with reasons. One run at a
    time may write to a folder.

    Args:
        source: a file, a folder or a pattern such as "s3://bucket/2024/*.parquet".
        out: the folder of the outputs; any place that pyarrow or fsspec can write to.
        settings: what is made of every row.
        engine: "local" (processes of this machine) or "ray" (a cluster, or Ray on this machine).
        workers: processes or actors; as many as there are cores unless given.
        address: of a Ray cluster; Ray is started on this machine unless given.
        show_progress: draw a bar where stderr is a terminal.

    Raises:
        InputError: a setting cannot be used, or `out` holds vectors of other settings.
        NotFoundError: there is no input, or no model.
        FormatError: an input file is not Parquet.
        MissingExtraError: pyarrow or Ray is not installed.
    """
    _check(engine, workers, address)
    started = time.perf_counter()
    plan = plan_embedding(source, out, settings or EmbedSettings())
    report = EmbedReport()
    done = run_plan(plan, engine=engine, workers=workers, address=address)
    for part in track(done, "embed", total=len(plan.parts), unit="part", enabled=show_progress):
        report.add(part)
    plan.target.sweep()
    report.seconds = round(time.perf_counter() - started, 3)
    return report


def plan_embedding(source: str, out: str, settings: EmbedSettings) -> Plan:
    """Return what there is to do; outputs of parts that are no part any more are removed.

    Raises:
        KonayukiError: as in `embed`.
    """
    job = _job(settings)
    store, sources = find_sources(source, SUFFIXES)
    target = open_store(out)
    # A folder inside the input is no input, or a second run would embed what the first one wrote.
    sources = [found for found in sources if not found.path.startswith(f"{target.root}/")]
    _claim(target, job, settings.part_bytes)
    parts = list(plan_parts(store, sources, settings.part_bytes))
    planned = {part.name for part in parts}
    names = {source.name for source in sources}
    for name in target.names(".parquet"):
        if name not in planned and is_part_of(name, names):
            target.delete(name)
    return Plan(job, store, target, parts)


def run_plan(
    plan: Plan, *, engine: Engine = "local", workers: int | None = None, address: str | None = None
) -> Iterator[PartReport]:
    """Yield the report of every part, as they are done."""
    if engine == "ray":
        return run_ray(plan.job, plan.source, plan.target, plan.parts, workers, address)
    workers = min(workers or default_workers(), len(plan.parts))
    return run_local(plan.job, plan.source, plan.target, plan.parts, workers)


def _check(engine: str, workers: int | None, address: str | None) -> None:
    _one_of("engine", engine, ENGINES)
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}: expected at least 1")
    if address is not None and engine != "ray":
        raise InputError(f"address is {address!r}, but the engine is {engine!r}: expected 'ray'")


def _job(settings: EmbedSettings) -> Job:
    _one_of("dtype", settings.dtype, PLAIN_DTYPES)
    if settings.part_bytes < 1:
        raise InputError(f"part_bytes is {settings.part_bytes}: expected at least 1")
    model = StaticModel.load(settings.model)
    dim = model.dim if settings.dim is None else settings.dim
    if not 1 <= dim <= model.dim:
        raise DimensionError(f"cannot cut to {dim} dimensions: the model has {model.dim}")
    columns = (settings.text_column, settings.vector_column)
    return Job(settings.model, model.fingerprint, *columns, dim, settings.dtype)


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise InputError(f"{name} is {value!r}: expected one of {', '.join(allowed)}")


def _claim(target: Store, job: Job, part_bytes: int) -> None:
    """Note the settings in the folder, or compare them with those of an earlier run.

    Raises:
        InputError: they differ.
    """
    wanted = {**job.settings, "part_bytes": part_bytes}
    # A run that made nothing, with a mistyped column say, claims nothing.
    if not target.exists(SETTINGS) or not target.names(".parquet"):
        with target.writing(SETTINGS) as stream:
            stream.write(json.dumps(wanted, indent=2).encode() + b"\n")
        return
    found = json.loads(target.read(SETTINGS))
    different = [name for name in wanted if found.get(name) != wanted[name]]
    if different:
        was = ", ".join(f"{name} {found.get(name)!r}" for name in different)
        now = ", ".join(f"{name} {wanted[name]!r}" for name in different)
        raise InputError(
            f"{target.root} holds vectors with {was}: expected {now}\nhint: name another folder"
        )
