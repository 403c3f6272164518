"""`konayuki encode`: lines of text into a .npy file of vectors."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from konayuki.choices import PLAIN_DTYPES, Dtype
from konayuki.cli.options import path_of
from konayuki.errors import FormatError, NotFoundError
from konayuki.files import replacing
from konayuki.progress import track

if TYPE_CHECKING:
    from konayuki.model import StaticModel

LINES_AT_A_TIME = 8192


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("file", help="text file, one text per line, UTF-8; - is stdin")
    parser.add_argument(
        "--out", required=True, type=path_of, metavar="FILE", help=".npy file to write"
    )
    parser.add_argument(
        "--dtype",
        choices=PLAIN_DTYPES,
        default="float32",
        help="type of a value; int8 is meant for cosines, ubinary for usearch and faiss",
    )
    parser.add_argument(
        "--no-normalize", action="store_true", help="do not scale vectors to length one"
    )


def run(args: argparse.Namespace) -> int:
    """Encode every line; memory holds a few thousand of them."""
    from konayuki.model import StaticModel

    model = StaticModel.load(args.model)
    dim = model.dim if args.dim is None else args.dim
    with lines_of(args.file) as lines:
        tracked = track(lines, "encode", unit="line")
        normalize = not args.no_normalize
        rows = write_vectors(args.out, model, tracked, dim, normalize=normalize, dtype=args.dtype)
    print(f"{args.out}: {rows} x {dim} {args.dtype}", file=sys.stderr)
    return 0


@contextmanager
def lines_of(name: str) -> Iterator[Iterator[str]]:
    """Open a text file or stdin and give its lines without their ends.

    Raises:
        NotFoundError: The file does not exist or cannot be read.
        FormatError: The file is not UTF-8.
    """
    try:
        stream = sys.stdin.buffer if name == "-" else Path(name).open("rb")  # noqa: SIM115 - below
    except OSError as error:
        raise NotFoundError(f"cannot read {name!r}: {error.strerror}") from None
    with stream:
        yield _decoded(stream, name)


def _decoded(stream: Iterable[bytes], name: str) -> Iterator[str]:
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise FormatError(
                f"{name}, line {number}: byte {error.start} is not UTF-8: expected UTF-8 text\n"
                "hint: convert it first, as in iconv -f SHIFT_JIS -t UTF-8"
            ) from None


def write_vectors(
    path: Path,
    model: "StaticModel",
    lines: Iterator[str],
    dim: int,
    *,
    normalize: bool,
    dtype: Dtype,
) -> int:
    """Write the vectors of the lines as they come, and return their number.

    The file appears under its name once it is complete.

    Raises:
        WriteError: The file cannot be written.
    """
    import numpy as np

    from konayuki.model.dtypes import stored_columns, stored_dtype

    stored, columns = stored_dtype(dtype).newbyteorder("<"), stored_columns(dtype, dim)
    rows = 0
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(npy_header(stored.str, 0, columns))
        while block := list(islice(lines, LINES_AT_A_TIME)):
            vectors = model.encode(block, dim=dim, normalize=normalize, dtype=dtype)
            file.write(np.ascontiguousarray(vectors, dtype=stored).data)
            rows += len(block)
        file.seek(0)
        file.write(npy_header(stored.str, rows, columns))
    return rows


def npy_header(dtype: str, rows: int, columns: int) -> bytes:
    """Return the header of a .npy file; its length does not depend on `rows`."""
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': ({rows:d}, {columns:d}), }}"
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + f"{text:<117}\n".encode()
