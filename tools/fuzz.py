"""Fuzz texts and model files: the kernel must not read or write where it may not, and never differ.

Run `python tools/fuzz.py --texts 1000000 --models 100000 --json benchmarks/results/fuzz.json`.

Random texts (every plane, surrogates left out, combining marks, joiners, NUL, long runs) are
encoded by every instruction set of this machine; ids must be equal and vectors within 1e-4. Mutated
copies of a small model (bytes flipped, cut or added, numbers of tokenizer.json replaced) must load
and encode, or raise a KonayukiError. `make sanitize` runs this with a kernel that was built with
AddressSanitizer and UBSan.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from konayuki.errors import KonayukiError
from konayuki.model import StaticModel

RANGES = (
    (0x00, 0x7F), (0x80, 0x24F), (0x300, 0x36F), (0x3040, 0x30FF), (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3), (0x1100, 0x11FF), (0x200B, 0x206F), (0xFE00, 0xFFEF), (0xFDF0, 0xFDFF),
    (0x1F300, 0x1FAFF), (0x20000, 0x3134F), (0xE0100, 0xE01EF), (0x10000, 0x10FFFF),
)  # fmt: skip
NUMBERS = ("-1", "0", "1e999", "4294967296", "null", "true", '"x"', "[]", "{}", "-0.0")
TEXTS_AT_ONCE = 2_000


def random_text(rng: random.Random) -> str:
    """Return a text of 0 to 60 characters, now and then of thousands, from a few of the ranges."""
    ranges = rng.sample(RANGES, rng.randint(1, 4))
    length = rng.randint(0, 60) if rng.random() < 0.999 else rng.randint(1_000, 20_000)
    points = (rng.randint(*rng.choice(ranges)) for _ in range(length))
    text = "".join(chr(point) for point in points if not 0xD800 <= point <= 0xDFFF)
    return text[:20] * rng.randint(1, 30) if rng.random() < 0.05 else text


def fuzz_texts(n_texts: int, seed: int) -> dict[str, int]:
    """Encode random texts by every instruction set; return how many were compared and differed."""
    levels = kernel_levels()
    model = StaticModel.load()
    models = [at_level(level) for level in levels]
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    counts: Counter[str] = Counter(texts=0, different_ids=0, different_vectors=0)
    while counts["texts"] < n_texts:
        texts = [random_text(rng) for _ in range(min(TEXTS_AT_ONCE, n_texts - counts["texts"]))]
        dim, normalize = rng.randint(1, model.dim), rng.random() < 0.5
        ids = model.tokenize(texts)
        vectors = model.encode(texts, dim, normalize)
        for other in models:
            batch = other.tokenize(texts)
            same = np.array_equal(ids.ids, batch.ids) and np.array_equal(ids.offsets, batch.offsets)
            counts["different_ids"] += not same
            apart = np.abs(vectors - other.encode(texts, dim, normalize)).max(initial=0.0)
            counts["different_vectors"] += bool(apart > 1e-4)
        counts["texts"] += len(texts)
    return {**counts, "levels": len(levels)}


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


def small_model(folder: Path) -> None:
    """Write a model of 600 pieces and 8 columns, cut from the bundled one."""
    source = StaticModel.load(dim=8)
    definition = json.loads((Path(source.source or ".") / "tokenizer.json").read_text("utf-8"))
    definition["model"]["vocab"] = definition["model"]["vocab"][:600]
    source.save(folder, layout="q4")
    (folder / "tokenizer.json").write_text(json.dumps(definition, ensure_ascii=False), "utf-8")


def fuzz_models(n_models: int, seed: int) -> dict[str, object]:
    """Load mutated models; return how many loaded, were refused, or raised something else."""
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    counts: Counter[str] = Counter(loaded=0, refused=0, other=0)
    other: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        good, bad = Path(temporary) / "good", Path(temporary) / "bad"
        small_model(good)
        files = [
            path
            for path in sorted(good.iterdir())
            if path.suffix in {".bin", ".json", ".safetensors"}
        ]
        for _ in range(n_models):
            victim = rng.choice(files)
            shutil.copytree(good, bad, dirs_exist_ok=True)
            content = victim.read_bytes()
            change = mutated_json if victim.suffix == ".json" and rng.random() < 0.6 else mutated
            (bad / victim.name).write_bytes(change(content, rng))
            try:
                StaticModel.load(bad).encode(["富士山は高い", "Abc １２３", ""])
                counts["loaded"] += 1
            except KonayukiError:
                counts["refused"] += 1
            except Exception as error:
                counts["other"] += 1
                other.setdefault(f"{type(error).__name__}: {error}"[:200], victim.name)
    return {**counts, "other_errors": other}


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
    seconds = round(time.perf_counter() - start)
    result = {
        "texts": texts,
        "models": models,
        "seed": arguments.seed,
        "seconds": seconds,
        "address_sanitizer": has_address_sanitizer(),
    }
    print(json.dumps(result, ensure_ascii=False, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", "utf-8")
    return int(bool(texts["different_ids"] or texts["different_vectors"] or models["other"]))


if __name__ == "__main__":
    sys.exit(main())
