"""What embedding a corpus costs, by engine, and what a killed worker loses: nothing.

    python benchmarks/scale.py --pairs FOLDER [--rows 1000000] [--work FOLDER] [--skip-ray]

The folder holds Parquet files with a column `query`; their short texts are repeated with new ids
until there are enough rows. Every engine writes the same vectors from the same files. In the last
run one of Ray's two workers is killed half way. Processor seconds are what the sizes in
docs/howto/scale.md are computed from: they do not depend on what else the machine is doing.
"""

import argparse
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from environment import environment
from konayuki.scale.embedder import Embedder, PartReport
from konayuki.scale.embedding import EmbedPlan, EmbedReport, EmbedSettings, plan_embedding, run_plan

RESULTS = Path(__file__).parent / "results" / "scale.json"
PACKAGES = ("pyarrow", "ray", "numpy")
FILE_ROWS = 25_000
SHORT = 100  # characters
WORKERS = 2
SETTINGS = EmbedSettings(dim=256, dtype="int8", part_bytes=2 << 20)
FORMS = ((512, "float32"), (512, "float16"), (512, "int8"), (256, "int8"), (512, "ubinary"))
SAMPLE_ROWS = 50_000
ENGINES = ("one core", "threads", "local", "ray", "ray, one worker killed")


def texts_of(folder: Path, column: str) -> Iterator[str]:
    """Yield the texts of a column of all files, by name."""
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(8192, columns=[column]):
                yield from filter(None, batch.column(0).to_pylist())


def write_corpus(texts: Iterable[str], folder: Path, n_rows: int) -> None:
    """Write the texts with ids, in files of equal size."""
    folder.mkdir(parents=True)
    stream = iter(texts)
    for start in range(0, n_rows, FILE_ROWS):
        chunk = list(islice(stream, min(FILE_ROWS, n_rows - start)))
        table = pa.table({"id": list(range(start, start + len(chunk))), "text": chunk})
        pq.write_table(table, folder / f"{start:09d}.parquet")


def write_lines(corpus: Path, path: Path, n_rows: int) -> None:
    """Write the first rows of a corpus as JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for record in pq.read_table(corpus).slice(0, n_rows).to_pylist():
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def with_threads(plan: EmbedPlan) -> Iterator[PartReport]:
    """Run a plan with threads that share one model, to compare with processes."""
    embedder = Embedder(plan.job, plan.source, plan.target)
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(embedder.embed, plan.parts)


def measured(name: str, plan: EmbedPlan, reports: Iterator[PartReport]) -> dict[str, Any]:
    """Run to the end; return what it took."""
    load = os.getloadavg()[0]
    started, total = time.perf_counter(), EmbedReport()
    workers = set()
    for report in reports:
        total.add(report)
        workers.add(report.worker)
    seconds = time.perf_counter() - started
    assert not total.errors, total.errors[:3]  # noqa: S101 - a benchmark of failures is none
    record = {
        "seconds": round(seconds, 1),
        "rows_per_s": round(total.rows / seconds),
        # Threads share one clock: what each saw is the time of all.
        "cpu_seconds": None if name == "threads" else round(total.cpu_seconds, 1),
        "workers_seen": len(workers),
        "load_before": round(load, 1),
        **checked(plan),
    }
    print(f"{name}: {record}", flush=True)
    return record


def checked(plan: EmbedPlan) -> dict[str, Any]:
    """Return what is in the outputs: rows, distinct ids, order, and a digest of everything."""
    rows, in_order, digest = 0, True, blake2b(digest_size=8)
    seen: set[int] = set()
    for part in plan.parts:
        table = pq.read_table(Path(plan.target.root) / part.name)
        ids = table.column("id").to_pylist()
        in_order &= ids == list(range(rows, rows + len(ids)))
        rows += len(ids)
        seen.update(ids)
        for chunk in table.column("vector").combine_chunks().flatten().buffers()[1:]:
            digest.update(chunk)
    return {"rows": rows, "ids": len(seen), "in_order": in_order, "digest": digest.hexdigest()}


def killing(reports: Iterator[PartReport], after: int) -> Iterator[PartReport]:
    """Pass reports on; kill the worker of one of them half way."""
    for number, report in enumerate(reports, start=1):
        yield report
        if number == after:
            os.kill(int(report.worker.rpartition(":")[2]), signal.SIGKILL)


def column_bytes(folder: Path, column: str) -> int:
    """Return what a column takes in all Parquet files of a folder."""
    total = 0
    for path in folder.glob("*.parquet"):
        metadata = pq.read_metadata(path)
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            leaves = map(group.column, range(group.num_columns))
            total += sum(
                leaf.total_compressed_size
                for leaf in leaves
                if leaf.path_in_schema.split(".")[0] == column
            )
    return total


def forms_of(corpus: Path, work: Path) -> list[dict[str, Any]]:
    """Return bytes and processor time of a row in several forms, on one core."""
    forms = []
    for dim, dtype in FORMS:
        out = work / f"form-{dim}-{dtype}"
        plan = plan_embedding(str(corpus), str(out), EmbedSettings(dim=dim, dtype=dtype))
        total = EmbedReport()
        for report in run_plan(plan, workers=1):
            total.add(report)
        texts = pq.read_table(corpus, columns=["text"]).column("text").to_pylist()
        forms.append(
            {
                "dim": dim,
                "dtype": dtype,
                "cpu_us": round(1e6 * total.cpu_seconds / total.rows, 2),
                "vector_bytes": round(column_bytes(out, "vector") / total.rows, 1),
                "text_bytes": round(column_bytes(out, "text") / total.rows, 1),
                "characters": round(sum(map(len, texts)) / total.rows, 1),
            }
        )
        print(forms[-1], flush=True)
        shutil.rmtree(out)
    return forms


def engines_of(
    corpus: Path, work: Path, names: Iterable[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what every engine took for the same corpus."""
    for name in names:
        out = work / "out"
        shutil.rmtree(out, ignore_errors=True)
        plan = plan_embedding(str(corpus), str(out), SETTINGS)
        os.environ["KONAYUKI_THREADS"] = "1"
        # All engines alike on a machine that is busy.
        os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - Ray's own name
        if name == "threads":
            reports = with_threads(plan)
        elif name.startswith("ray"):
            reports = run_plan(plan, engine="ray", workers=WORKERS)
        else:
            reports = run_plan(plan, workers=1 if name == "one core" else WORKERS)
        if "killed" in name:
            reports = killing(reports, len(plan.parts) // 2)
        yield name, measured(name, plan, reports)


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path, help="scratch folder (default: a temporary one)")
    parser.add_argument("--skip-ray", action="store_true")
    parser.add_argument("--json", type=Path, default=RESULTS)
    args = parser.parse_args()
    record = environment(PACKAGES)
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        work = Path(folder)
        short = [text for text in texts_of(args.pairs, "query") if len(text) <= SHORT]
        passages = (text for text in texts_of(args.pairs, "positive") if len(text) > SHORT)
        write_corpus(islice(cycle(short), args.rows), work / "short", args.rows)
        write_corpus(islice(passages, 0, None, 5), work / "passages", SAMPLE_ROWS)
        shown = {"rows": args.rows, "distinct": len(set(short)), "workers": WORKERS}
        record["corpus"] = {**shown, "dim": SETTINGS.dim, "dtype": SETTINGS.dtype}
        record["passages"] = forms_of(work / "passages", work)
        write_lines(work / "short", work / "lines.jsonl", args.rows)
        record["lines"] = dict(engines_of(work / "lines.jsonl", work, ENGINES[:3]))
        names = ENGINES[:3] if args.skip_ray else ENGINES
        record["engines"] = {}
        for name, result in engines_of(work / "short", work, names):
            record["engines"][name] = result
            text = json.dumps(record, indent=1, ensure_ascii=False)
            args.json.write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main()
