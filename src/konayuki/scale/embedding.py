"""`embed`: a corpus in files into the same rows with vectors, here or on a cluster."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from konayuki.choices import PLAIN_DTYPES, Dtype
from konayuki.errors import DimensionError, InputError
from konayuki.model import StaticModel
from konayuki.model.native.binding import available_processors
from konayuki.progress import track
from konayuki.scale.embedder import Job, PartReport
from konayuki.scale.local import run_local
from konayuki.scale.parts import PART_BYTES, SUFFIXES, Part, is_part_of, plan_parts
from konayuki.scale.ray_engine import run_ray
from konayuki.scale.storage import Store, find_files, open_store

Engine = Literal["local", "ray"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
SETTINGS = "_konayuki.json"


@dataclass(frozen=True)
class EmbedSettings:
    """How rows are embedded.

    Attributes:
        model: Folder or hub id; default: the bundled model.
        text_column: Column of the texts.
        vector_column: Column to add for the vectors.
        dim: Dimensions of a vector; default: those of the model.
        dtype: Type of a value, as in `StaticModel.encode`.
        part_bytes: Bytes that a worker takes at a time; a run in the same folder must keep it.

    Examples:
        >>> EmbedSettings(text_column="body", dim=256, dtype="int8").vector_column
        'vector'
    """

    model: str | None = None
    text_column: str = "text"
    vector_column: str = "vector"
    dim: int | None = None
    dtype: Dtype = "float32"
    part_bytes: int = PART_BYTES


class EmbedPlan(NamedTuple):
    """A checked job with its parts."""

    job: Job
    source: Store
    target: Store
    parts: list[Part]


@dataclass
class EmbedReport:
    r"""What a run did.

    Attributes:
        parts: Output files that exist now.
        unchanged: How many of them an earlier run had made.
        rows: Vectors in all of them.
        failed_rows: Rows that were set aside, in the folder `_failed`.
        errors: Reasons of the parts that have no output.
        seconds: Duration of the run.
        new_rows: Vectors of this run.
        cpu_seconds: Processor time that they took, summed over the workers.

    Examples:
        >>> from konayuki.scale import embed
        >>> _ = Path("a.jsonl").write_text('{"text": "雪"}\n{"text": null}\n', encoding="utf-8")
        >>> report = embed("a.jsonl", "vectors", workers=1)
        >>> report.parts, report.rows, report.failed_rows
        (1, 1, 1)
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
        """Add what became of a part."""
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
    r"""Write the rows of Parquet and JSON Lines files with a vector each.

    An output file holds the columns of its input and the vector, in the order of its input. Output
    files appear when they are whole. A second run makes only the parts that are missing or whose
    input has changed. Rows whose text cannot be used go to `_failed/`, with reasons. Only one run
    at a time may write to a folder.

    Args:
        source: A file, a folder or a pattern such as "s3://bucket/2024/*.parquet".
        out: The folder of the outputs; anything that pyarrow or fsspec can write to.
        settings: How rows are embedded.
        engine: "local" (processes of this machine) or "ray" (a cluster, or Ray on this machine).
        workers: Number of processes or actors; default: one per core.
        address: Address of a Ray cluster; default: Ray is started on this machine.
        show_progress: Draw a bar if stderr is a terminal.

    Raises:
        InputError: A setting cannot be used, or `out` holds vectors with other settings.
        NotFoundError: The input or the model does not exist.
        FormatError: An input file is not Parquet.
        MissingExtraError: pyarrow or Ray is not installed.

    Examples:
        >>> import pyarrow.parquet
        >>> from konayuki.scale import EmbedSettings
        >>> _ = Path("a.jsonl").write_text('{"text": "雪"}\n{"text": "山"}\n', encoding="utf-8")
        >>> embed("a.jsonl", "vectors", EmbedSettings(dim=256, dtype="int8"), workers=1).rows
        2
        >>> pyarrow.parquet.read_table("vectors/a.jsonl.00000.parquet").column_names
        ['text', 'vector']
    """
    _check(engine, workers, address)
    started = time.perf_counter()
    plan = plan_embedding(source, out, settings or EmbedSettings())
    report = EmbedReport()
    reports = run_plan(plan, engine=engine, workers=workers, address=address)
    for part in track(reports, "embed", total=len(plan.parts), unit="part", enabled=show_progress):
        report.add(part)
    plan.target.sweep()
    report.seconds = round(time.perf_counter() - started, 3)
    return report


def plan_embedding(source: str, out: str, settings: EmbedSettings) -> EmbedPlan:
    """Return what is to be done, and remove outputs of parts that no longer exist.

    Raises:
        KonayukiError: As in `embed`.
    """
    job = _job(settings)
    store, files = find_files(source, SUFFIXES)
    target = open_store(out)
    # An output folder inside the input is left out, or a second run would embed the first one's.
    files = [file for file in files if not file.path.startswith(f"{target.root}/")]
    _claim(target, job, settings.part_bytes)
    parts = list(plan_parts(store, files, settings.part_bytes))
    planned = {part.name for part in parts}
    names = {file.name for file in files}
    for name in target.names(".parquet"):
        if name not in planned and is_part_of(name, names):
            target.delete(name)
    return EmbedPlan(job, store, target, parts)


def run_plan(
    plan: EmbedPlan,
    *,
    engine: Engine = "local",
    workers: int | None = None,
    address: str | None = None,
) -> Iterator[PartReport]:
    """Yield the report of every part as it is done."""
    if engine == "ray":
        return run_ray(plan.job, plan.source, plan.target, plan.parts, workers, address)
    workers = min(workers or available_processors(), len(plan.parts))
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
    """Write the settings into the folder, or compare them with those of an earlier run.

    Raises:
        InputError: They differ.
    """
    settings = {**job.settings, "part_bytes": part_bytes}
    # A run that made nothing, with a mistyped column say, claims nothing.
    if not target.exists(SETTINGS) or not target.names(".parquet"):
        with target.writing(SETTINGS) as stream:
            stream.write(json.dumps(settings, indent=2).encode() + b"\n")
        return
    stored = json.loads(target.read(SETTINGS))
    different = [name for name in settings if stored.get(name) != settings[name]]
    if different:
        before = ", ".join(f"{name} {stored.get(name)!r}" for name in different)
        now = ", ".join(f"{name} {settings[name]!r}" for name in different)
        raise InputError(
            f"{target.root} holds vectors with {before}: expected {now}\n"
            "hint: choose another folder"
        )
