"""What the kernel costs next to SentencePiece's tokenising alone: one run, in turns, one thread.

    python benchmarks/kernel.py [--model FOLDER] [--json FILE]

Texts are questions and passages of JaQuAD from the shared data folder. Times are microseconds a
text, the best and the median of all rounds; on a machine that does other work as well the best is
the one to compare, and ratios are of best times.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from corpus import ROOT, speed_texts
from environment import environment
from interleaved import measure
from konayuki.model import StaticModel
from konayuki.model.native import Unigram, describe, kernel
from konayuki.model.normalizers import build_normalizer
from published_tokenizer import SentencePiecePeer, prepared

ROUNDS = 25
BASELINE = "sentencepiece, text normalised before"


def cases(model: StaticModel, folder: Path, batch: list[str]) -> dict[str, Callable[[], object]]:
    """Return the calls to compare."""
    compiled = kernel()
    if compiled is None:
        raise SystemExit("the extension is not built: there is nothing to compare")
    definition = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    vocabulary = definition["model"]["vocab"]
    normalize = build_normalizer(definition["normalizer"])
    unigram = Unigram(
        compiled,
        [piece for piece, _ in vocabulary],
        [score for _, score in vocabulary],
        definition["model"]["unk_id"],
        normalize,
    )
    peer = SentencePiecePeer(definition)
    ready = prepared(normalize, batch)
    table = compiled.float_table(*random_table(len(vocabulary), model.dim))
    ids, offsets = unigram.tokenize(batch)
    return {
        BASELINE: lambda: peer.encode(ready),
        "kernel, tokenize": lambda: unigram.tokenize(batch, threads=1),
        "kernel, pool float32 rows": lambda: table.pool(
            ids, offsets, model.dim, normalize=True, threads=1
        ),
        "StaticModel.encode": lambda: model.encode(batch),
        "StaticModel.encode, one by one": lambda: [model.encode(text) for text in batch],
    }


def random_table(rows: int, dim: int) -> tuple[np.ndarray, ...]:
    """Return rows and a tanh; their values do not matter for the time."""
    random = np.random.default_rng(0)
    tanh = (random.normal(1, 0.3, dim).astype(np.float32) for _ in range(3))
    return random.normal(0, 1, (rows, dim)).astype(np.float32), *tanh


def main() -> None:
    """Run the benchmark and print a table, and JSON if a file is named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "src/konayuki/model/bundled")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # StaticModel takes what it may use
    model = StaticModel.load(arguments.model)
    record: dict[str, object] = {
        "environment": {**environment(("numpy", "sentencepiece")), "kernel": describe()}
    }
    for kind, batch in speed_texts().items():
        _, offsets = model.tokenize(batch)
        tokens = len(batch) and int(offsets[-1]) / len(batch)
        results = measure(cases(model, arguments.model, batch), len(batch), ROUNDS)
        for times in results.values():
            times["ratio"] = round(times["best_us"] / results[BASELINE]["best_us"], 3)
        record[kind] = {"texts": len(batch), "tokens_a_text": round(tokens, 1), "results": results}
        for name, values in results.items():
            print(
                f"{kind} of {tokens:.0f} tokens  {name:<40}{values['best_us']:9.2f} us "
                f"(median {values['median_us']:.2f}), ratio {values['ratio']:.2f}"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
