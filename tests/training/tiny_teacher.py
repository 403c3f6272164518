"""A random teacher of a few kilobytes, written in the format of the bundled one."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WORDS = [
    "▁",
    "▁query",
    "▁passage",
    ":",
    "富士",
    "山",
    "の",
    "高さ",
    "は",
    "湖",
    "a",
    "b",
    "ab",
    "カ",
    "ガ",
]
PIECES = ["<s>", "<pad>", "</s>", "<unk>", *WORDS]
REPLACEMENTS = {
    ord("Ａ"): "A",
    ord("ａ"): "a",
    0x3000: " ",
    ord("ｶ"): "カ",
    ord("ﾞ"): "\u3099",
    0x200B: "",
}


@dataclass(frozen=True)
class TinySizes:
    hidden: int = 32
    n_layers: int = 2
    n_heads: int = 4
    feed_forward: int = 64
    vocab_size: int = len(PIECES)
    n_positions: int = 40
    n_types: int = 2
    epsilon: float = 1e-6


SIZES = TinySizes()


def random_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    hidden, wide = SIZES.hidden, SIZES.feed_forward
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (SIZES.vocab_size, hidden),
        "emb.pos": (SIZES.n_positions, hidden),
        "emb.type": (SIZES.n_types, hidden),
        "emb.ln.w": (hidden,),
        "emb.ln.b": (hidden,),
    }
    for layer in range(SIZES.n_layers):
        for name, n_out, n_in in [
            ("q", hidden, hidden),
            ("k", hidden, hidden),
            ("v", hidden, hidden),
            ("ao", hidden, hidden),
            ("fi", wide, hidden),
            ("fo", hidden, wide),
        ]:
            shapes[f"l{layer}.{name}.w"] = (n_out, n_in)
            shapes[f"l{layer}.{name}.b"] = (n_out,)
        for name in ("aln", "oln"):
            shapes[f"l{layer}.{name}.w"] = shapes[f"l{layer}.{name}.b"] = (hidden,)
    return {name: rng.normal(0, 0.4, shape).astype("f4") for name, shape in shapes.items()}


def encode_tensor(values: np.ndarray, *, blocks: bool) -> tuple[bytes, np.ndarray]:
    """Return the bytes of a tensor and the values that a reader must give back."""
    if not blocks:
        return values.astype("<f4").tobytes(), values
    rows = values.reshape(-1, 32)
    steps = (np.abs(rows).max(1) / 7).astype("<f2")
    codes = np.clip(np.rint(rows / steps.astype("f4")[:, None]) + 8, 0, 15).astype("u1")
    packed = codes[:, :16] | codes[:, 16:] << 4
    data = b"".join(s.tobytes() + p.tobytes() for s, p in zip(steps, packed, strict=True))
    decoded = (codes.astype("f4") - 8) * steps.astype("f4")[:, None]
    return data, decoded.reshape(values.shape)


def write_teacher(path: Path, seed: int = 0, version: int = 1) -> dict[str, np.ndarray]:
    """Write a random teacher to `path` and return its tensors as they read back."""
    values = {}
    data = {}
    for name, tensor in random_tensors(seed).items():
        blocks = (name.endswith(".w") and tensor.ndim == 2) or name == "emb.word"
        data[name], values[name] = encode_tensor(tensor, blocks=blocks)
    head = _head(version)
    names = [name.encode() for name in data]
    start = len(head) + 4 + sum(2 + len(name) + 21 for name in names)
    directory = struct.pack("<i", len(data))
    for name, body in data.items():
        kind = 1 if len(body) != values[name].size * 4 else 0
        entry = struct.pack("<BIQQ", kind, values[name].size, start, len(body))
        directory += struct.pack("<H", len(name)) + name.encode() + entry
        start += len(body)
    path.write_bytes(head + directory + b"".join(data.values()))
    return values


def _head(version: int) -> bytes:
    sizes = SIZES
    numbers = (
        sizes.hidden,
        sizes.n_layers,
        sizes.n_heads,
        sizes.feed_forward,
        sizes.vocab_size,
        sizes.n_positions,
        sizes.n_types,
    )
    pieces = [piece.encode() for piece in PIECES]
    bounds = np.cumsum([0, *map(len, pieces)]).astype("<u4")
    scores = -np.arange(len(pieces), dtype="<f4") / 8
    characters = b"".join(
        struct.pack(f"<IB{len(text)}I", point, len(text), *map(ord, text))
        for point, text in REPLACEMENTS.items()
    )
    return b"".join(
        [
            b"E5S1",
            struct.pack("<I7ifi", version, *numbers, sizes.epsilon, 32),
            struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, int(bounds[-1])),
            bounds.tobytes(),
            scores.tobytes(),
            b"".join(pieces),
            struct.pack("<iI", len(REPLACEMENTS), len(characters)),
            characters,
        ]
    )
