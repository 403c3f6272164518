"""`konayuki encode`: lines of text into a .npy file of vectors."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from konayuki.errors import InputError, NotFoundError
from konayuki.progress import track

if TYPE_CHECKING:
    from konayuki.model import StaticModel

LINES_AT_A_TIME = 8192


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("file", help="text file, one text a line, UTF-8; - is stdin")
    parser.add_argument("--out", required=True, type=Path, help=".npy file to write, float32")
    parser.add_argument("--model", help="folder or hub id (default: the bundled model)")
    parser.add_argument("--dim", type=int, help="keep only the first DIM outputs")
    parser.add_argument(
        "--no-normalize", action="store_true", help="leave vectors at their own length"
    )


def run(args: argparse.Namespace) -> int:
    """Encode every line; memory holds a few thousand of them."""
    from konayuki.model import StaticModel

    model = StaticModel.load(args.model)
    dim = model.dim if args.dim is None else args.dim
    with lines_of(args.file) as lines:
        shown = track(lines, "encode", unit="line")
        rows = write_vectors(args.out, model, shown, dim, normalize=not args.no_normalize)
    print(f"{args.out}: {rows} x {dim} float32", file=sys.stderr)
    return 0


@contextmanager
def lines_of(name: str) -> Iterator[Iterator[str]]:
    """Open a text file or stdin and give its lines without their ends.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is not UTF-8.
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
            raise InputError(
                f"{name}, line {number}: byte {error.start} is not UTF-8\n"
                "hint: convert it first, as in iconv -f SHIFT_JIS -t UTF-8"
            ) from None


def write_vectors(
    path: Path, model: "StaticModel", lines: Iterator[str], dim: int, *, normalize: bool
) -> int:
    """Write the vectors as they come; return their number.

    The file appears under its name once it is complete.
    """
    import numpy as np

    partial = path.with_name(path.name + ".partial")
    rows = 0
    try:
        with partial.open("wb") as file:
            file.write(npy_header(0, dim))
            while block := list(islice(lines, LINES_AT_A_TIME)):
                vectors = model.encode(block, dim=dim, normalize=normalize)
                file.write(np.ascontiguousarray(vectors, dtype="<f4").data)
                rows += len(block)
            file.seek(0)
            file.write(npy_header(rows, dim))
        partial.replace(path)
    except FileNotFoundError as error:
        raise NotFoundError(f"cannot write {path}: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
    return rows


def npy_header(rows: int, dim: int) -> bytes:
    """Return the header of a .npy file of float32 rows; its length does not depend on `rows`."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows:d}, {dim:d}), }}"
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + f"{text:<117}\n".encode()
