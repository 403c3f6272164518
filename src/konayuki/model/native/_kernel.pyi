"""Types of the compiled module. Arrays arrive as the addresses of their data; see module.c.

`binding.py`, `tokenizing.py`, `scan.py` and `../late.py` are the only callers: they check dtypes,
shapes and contiguity and keep the arrays alive.
"""

from collections.abc import Callable

class TableHandle:
    """A table with its tanh, in a capsule."""

class UnigramHandle:
    """A vocabulary, in a capsule."""

def levels() -> tuple[str, ...]:
    """Return the names of the usable instruction sets, best first."""

def bind_table(
    level: int,
    vocab: int,
    width: int,
    codes: int,
    scales: int,
    rows: int,
    alpha: int,
    beta: int,
    bias: int,
    pooling: int,
    /,
) -> TableHandle:
    """Return a table of packed rows (`codes`, `scales`) or of float32 rows (`rows`).

    `pooling` is the address of two float32, the power and the half position of
    `konayuki.model.weights.Pooling`.
    """

def pool_ids(
    table: TableHandle,
    ids: int,
    n_ids: int,
    offsets: int,
    n_texts: int,
    out: int,
    dim: int,
    normalize: bool,
    threads: int,
    /,
) -> None:
    """Write one vector per text to `out`."""

def make_unigram(
    pieces: list[str],
    scores: list[float],
    unk_id: int,
    white_space: str,
    splits: bool,
    mark: int,
    rewrites: list[int],
    n_normalizer: int,
    byte_ids: list[int],
    added_ids: list[int],
    look_ahead: bool,
    split_unclear: bool,
    /,
) -> UnigramHandle:
    """Return a vocabulary; `rewrites` holds three numbers a step: kind, from, to."""

def fold_character(unigram: UnigramHandle, code_point: int, folded: int, /) -> None:
    """Tell what a character normalises to, -1 if that depends on its neighbours."""

def fold_identities(unigram: UnigramHandle, text: str, /) -> None:
    """Tell that the characters of a text normalise to themselves."""

def add_triggers(unigram: UnigramHandle, text: str, /) -> None:
    """Tell the characters that an added token may begin with."""

def tokenize(
    unigram: UnigramHandle,
    texts: list[str],
    prepare: Callable[[str], str],
    split: Callable[[str], list[str | int] | None] | None,
    threads: int,
    /,
) -> tuple[bytearray, bytearray]:
    """Return ids (int32) and offsets (int64)."""

def encode(
    unigram: UnigramHandle,
    texts: list[str],
    prepare: Callable[[str], str],
    split: Callable[[str], list[str | int] | None] | None,
    table: TableHandle,
    out: int,
    dim: int,
    normalize: bool,
    threads: int,
    /,
) -> None:
    """Write one vector per text to `out`."""

def scan_int8(
    level: int,
    matrix: int,
    n_rows: int,
    columns: int,
    query: int,
    allowed: int,
    k: int,
    rows: int,
    scores: int,
    threads: int,
    /,
) -> int:
    """Write the nearest rows and their cosines; return how many."""

def scan_sketches(
    level: int,
    sketches: int,
    n_rows: int,
    columns: int,
    query: int,
    allowed: int,
    k: int,
    rows: int,
    scores: int,
    threads: int,
    /,
) -> int:
    """Write the rows that look nearest by their sketches; return how many."""

def make_sketches(matrix: int, n_rows: int, columns: int, sketches: int, /) -> None:
    """Write the sketch of each row."""

def score_int8(
    level: int,
    matrix: int,
    n_rows: int,
    columns: int,
    query: int,
    rows: int,
    scores: int,
    count: int,
    /,
) -> None:
    """Put rows in the order of their cosines, best first, and write the cosines."""

def prepare_late(
    codes: int, vocab: int, stride: int, columns: int, lengths: int, sums: int, /
) -> None:
    """Write the length and the sum of the levels of each row."""

def sum_sentences(
    codes: int,
    vocab: int,
    stride: int,
    columns: int,
    scales: int,
    ids: int,
    n_ids: int,
    offsets: int,
    n_sentences: int,
    lengths: int,
    /,
) -> None:
    """Write the length of the sum of the rows of each sentence."""

def score_late(*numbers: int) -> None:
    """Write scores by token and by sentence; see module.c for the 23 numbers."""

def count_tokens(
    ids: int, wide: int, ends: int, first: int, last: int, n_ids: int, vocab: int, counts: int, /
) -> None:
    """Add up how often each token occurs."""
