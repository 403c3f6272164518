"""Fuzz texts and model files: the kernel must not read or write where it may not, and never differ.

Run `python tools/fuzz.py --texts 1000000 --models 100000 --json benchmarks/results/fuzz.json`.

Random texts (every plane, surrogates left out, combining marks, joiners, NUL, long runs) are
encoded by every instruction set of this machine; ids must be equal and vectors within 1e-4. Each
batch is also tokenized by another kind of tokenizer that published models have (a character map,
marks, added tokens, bytes for unknown characters), some of it compared with the reference in plain
Python, and scored as passages of a late interaction: the same bits from every instruction set,
and an error for tokens and spans that do not exist. Mutated copies of three small models (bytes
flipped, cut or added, numbers of tokenizer.json replaced) must load, encode and score, or raise a
KonayukiError. `make sanitize` runs this with a kernel that was built with AddressSanitizer and
UBSan. A result file that exists is added to, so a long run can be made in parts with other seeds.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from environment import environment  # noqa: E402 - of benchmarks/
from fuzz_late import compare_late  # noqa: E402
from konayuki.errors import KonayukiError  # noqa: E402
from konayuki.model import StaticModel  # noqa: E402
from konayuki.model.native import Kernel, kernel  # noqa: E402
from konayuki.model.tokenizer import build_tokenizer  # noqa: E402
from konayuki.model.tokens import Tokenizer  # noqa: E402
from konayuki.model.unigram_definition import read_unigram  # noqa: E402
from konayuki.model.unigram_reference import UnigramReference  # noqa: E402
from model import samples  # noqa: E402 - of tests/

RANGES = (
    (0x00, 0x7F), (0x80, 0x24F), (0x300, 0x36F), (0x3040, 0x30FF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x200B, 0x206F), (0xFE00, 0xFFEF), (0xFDF0, 0xFDFF),
    (0x1F300, 0x1FAFF), (0x20000, 0x3134F), (0xE0100, 0xE01EF), (0x10000, 0x10FFFF),
)  # fmt: skip
NUMBERS = ("-1", "0", "1e999", "4294967296", "null", "true", '"x"', "[]", "{}", "-0.0")
TEXTS_AT_ONCE = 2_000
COMPARED_WITH_PYTHON = 20  # texts of a batch: the reference takes 30 times as long
LATE_ROUNDS = 20  # a batch
TEXTS = ["富士山は高い", "Abc １２３ <mask> word", "", "ｶﾞ\u3099\u200d한\U0010ffff▁ <s>山の日"]
MUTATED_SUFFIXES = {".bin", ".json", ".safetensors"}
FAULTS = (
    "different_ids", "different_vectors", "different_from_python", "different_late", "other",
)  # fmt: skip


def random_text(rng: random.Random) -> str:
    """Return a text of 0 to 60 characters, now and then of thousands, from a few of the ranges."""
    ranges = rng.sample(RANGES, rng.randint(1, 4))
    length = rng.randint(0, 60) if rng.random() < 0.999 else rng.randint(1_000, 20_000)
    points = (rng.randint(*rng.choice(ranges)) for _ in range(length))
    text = "".join(chr(point) for point in points if not 0xD800 <= point <= 0xDFFF)
    return text[:20] * rng.randint(1, 30) if rng.random() < 0.05 else text


def fuzz_texts(n_texts: int, seed: int) -> dict[str, int]:
    """Encode random texts in every way; return how many were compared and differed."""
    models = [at_level(level) for level in kernel_levels()]
    kinds = sorted(samples.DEFINITIONS)
    rng, draw = random.Random(seed), np.random.default_rng(seed)  # noqa: S311 - not for secrets
    counts: Counter[str] = Counter(dict.fromkeys(FAULTS[:-1], 0))
    compiled = kernel()
    kernels = [Kernel(compiled.module, level) for level in kernel_levels()] if compiled else []
    while counts["texts"] < n_texts:
        texts = [random_text(rng) for _ in range(min(TEXTS_AT_ONCE, n_texts - counts["texts"]))]
        counts.update(compare_levels(models, texts, rng))
        counts.update(compare_tokenizers(kinds[counts["batches"] % len(kinds)], texts, rng))
        for _ in range(LATE_ROUNDS):
            counts.update(compare_late(kernels, draw))
        counts.update(texts=len(texts), batches=1)
    return {**counts, "levels": len(models), "kinds_of_tokenizers": len(kinds)}


def compare_levels(models: list[StaticModel], texts: list[str], rng: random.Random) -> Counter[str]:
    """Encode texts by every instruction set."""
    counts: Counter[str] = Counter()
    model = StaticModel.load()
    dim, normalize = rng.randint(1, model.dim), rng.random() < 0.5
    ids, vectors = model.tokenize(texts), model.encode(texts, dim, normalize)
    for other in models:
        batch = other.tokenize(texts)
        same = np.array_equal(ids.ids, batch.ids) and np.array_equal(ids.offsets, batch.offsets)
        counts["different_ids"] += not same
        apart = np.abs(vectors - other.encode(texts, dim, normalize)).max(initial=0.0)
        counts["different_vectors"] += bool(apart > 1e-4)
    return counts


@cache
def tokenizers(kind: str) -> tuple[Tokenizer, UnigramReference]:
    """Return a tokenizer of published models in the kernel, and in plain Python."""
    content = samples.as_bytes(samples.DEFINITIONS[kind]())
    kernel_tokenizer = build_tokenizer(content, Path(kind))
    return kernel_tokenizer, UnigramReference(read_unigram(json.loads(content)))


def compare_tokenizers(kind: str, texts: list[str], rng: random.Random) -> Counter[str]:
    """Tokenize texts by one kind, a few of them also in plain Python, which takes its time."""
    tokenizer, reference = tokenizers(kind)
    batch = tokenizer.tokenize(texts)
    few = rng.sample(range(len(texts)), min(len(texts), COMPARED_WITH_PYTHON))
    expected = reference.tokenize([texts[place] for place in few])
    n_different = 0
    for number, place in enumerate(few):
        ids = batch.ids[batch.offsets[place] : batch.offsets[place + 1]]
        start, end = expected.offsets[number : number + 2]
        n_different += not np.array_equal(ids, expected.ids[start:end])
    return Counter(tokenized_by_other_kinds=len(texts), different_from_python=n_different)


def kernel_levels() -> tuple[str, ...]:
    """Return the instruction sets of this machine that the kernel was built for."""
    try:
        from konayuki.model.native import _kernel
    except ImportError:
        return ()
    return tuple(_kernel.levels())


def has_address_sanitizer() -> bool:
    """Return whether the kernel was built with AddressSanitizer."""
    try:
        from konayuki.model.native import _kernel
    except ImportError:
        return False
    return b"__asan_init" in Path(_kernel.__file__).read_bytes()


def at_level(level: str) -> StaticModel:
    """Return the bundled model with the kernel of one instruction set."""
    import os

    os.environ["KONAYUKI_KERNEL"] = level
    try:
        return StaticModel.load()
    finally:
        del os.environ["KONAYUKI_KERNEL"]


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Return bytes with one to four places changed."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        offset = rng.randrange(len(data) + 1) if data else 0
        kind = rng.randrange(4)
        if kind == 0 and data:
            data[min(offset, len(data) - 1)] = rng.randrange(256)
        elif kind == 1:
            del data[offset : offset + rng.randint(1, 64)]
        elif kind == 2:
            data[offset:offset] = rng.randbytes(rng.randint(1, 16))
        else:
            data[offset:] = b""
    return bytes(data)


def mutated_json(content: bytes, rng: random.Random) -> bytes:
    """Return JSON text in which a number or word has another value."""
    text = content.decode("utf-8", "replace")
    places = [i for i, character in enumerate(text) if character in ":,["]
    start = rng.choice(places) + 1
    end = start
    while end < len(text) and text[end] not in ",]}\n":
        end += 1
    return (text[:start] + rng.choice(NUMBERS) + text[end:]).encode()


def small_models(folder: Path) -> list[Path]:
    """Write small models: one cut from the bundled one, and two as published models are."""
    bundled = StaticModel.load(dim=8)
    definition = json.loads((Path(bundled.source or ".") / "tokenizer.json").read_text("utf-8"))
    definition["model"]["vocab"] = definition["model"]["vocab"][:600]
    bundled.save(folder / "ours", layout="q4")
    (folder / "ours" / "tokenizer.json").write_bytes(samples.as_bytes(definition))
    kinds = {"every added token, marks first": "float", "bytes": "q4"}
    for kind, layout in kinds.items():
        definition = samples.DEFINITIONS[kind]()
        weights = samples.random_weights(len(definition["model"]["vocab"]) + 20, 8)
        model = StaticModel(weights, samples.as_bytes(definition))
        model.save(folder / kind, layout=layout)
    return [folder / "ours", *(folder / kind for kind in kinds)]


def fuzz_models(n_models: int, seed: int) -> dict[str, object]:
    """Load mutated models; return how many loaded, were refused, or raised something else."""
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    counts: Counter[str] = Counter(loaded=0, refused=0, other=0)
    other: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        bad = Path(temporary) / "bad"
        good = small_models(Path(temporary)) if n_models else []
        for number in range(n_models):
            folder = good[number % len(good)]
            victim = rng.choice(
                [path for path in sorted(folder.iterdir()) if path.suffix in MUTATED_SUFFIXES]
            )
            shutil.copytree(folder, bad)
            content = victim.read_bytes()
            change = mutated_json if victim.suffix == ".json" and rng.random() < 0.6 else mutated
            (bad / victim.name).write_bytes(change(content, rng))
            try:
                use(StaticModel.load(bad), [*TEXTS, random_text(rng)])
                counts["loaded"] += 1
            except KonayukiError:
                counts["refused"] += 1
            except Exception as error:
                counts["other"] += 1
                other.setdefault(f"{type(error).__name__}: {error}"[:200], victim.name)
            shutil.rmtree(bad)
    return {**counts, "other_errors": other}


def use(model: StaticModel, texts: list[str]) -> None:
    """Encode texts, and look at them token by token."""
    model.encode(texts)
    batch = model.tokenize(texts)
    model.late.sentence_lengths(batch.ids, batch.offsets)


def main() -> int:
    """Run both, write the result; return 1 if anything differed or escaped."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--models", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    start = time.perf_counter()
    texts = fuzz_texts(arguments.texts, arguments.seed)
    models = fuzz_models(arguments.models, arguments.seed)
    result = {
        "seed": arguments.seed,
        "seconds": round(time.perf_counter() - start),
        "texts": texts,
        "models": models,
        **environment(["numpy", "sentencepiece"]),
        "address_sanitizer": has_address_sanitizer(),
    }
    print(json.dumps(result, ensure_ascii=False, indent=2))
    if arguments.json:
        write(result, arguments.json)
    return int(any((texts | models)[fault] for fault in FAULTS))


def write(result: dict[str, object], path: Path) -> None:
    """Add a result to a file, which may hold those of other seeds."""
    old = json.loads(path.read_text("utf-8")) if path.exists() else []
    results = [part for part in old if part["seed"] != result["seed"]] + [result]
    path.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
