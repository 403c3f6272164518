"""`konayuki encode`: lines of text into a .npy file of vectors."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from konayuki.errors import FormatError, NotFoundError
from konayuki.progress import track

if TYPE_CHECKING:
    from konayuki.model import StaticModel
    from konayuki.model.precision import Dtype

LINES_AT_A_TIME = 8192
# Named here because help must not pay for NumPy. uint8 is missing: it needs ranges.
DTYPES = ("float32", "float16", "int8", "binary", "ubinary")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verb."""
    parser.add_argument("file", help="text file, one text a line, UTF-8; - is stdin")
    parser.add_argument("--out", required=True, type=Path, help=".npy file to write")
    parser.add_argument("--model", help="folder or hub id (default: the bundled model)")
    parser.add_argument("--dim", type=int, help="keep only the first DIM outputs")
    parser.add_argument(
        "--dtype",
        choices=DTYPES,
        default="float32",
        help="bytes of a value; int8 is for cosines, ubinary for usearch and faiss",
    )
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
        normalize = not args.no_normalize
        rows = write_vectors(args.out, model, shown, dim, normalize=normalize, dtype=args.dtype)
    print(f"{args.out}: {rows} x {dim} {args.dtype}", file=sys.stderr)
    return 0


@contextmanager
def lines_of(name: str) -> Iterator[Iterator[str]]:
    """Open a text file or stdin and give its lines without their ends.

    Raises:
        NotFoundError: there is no such file.
        FormatError: it is not UTF-8.
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
                f"{name}, line {number}: byte {error.start} is not UTF-8\n"
                "hint: convert it first, as in iconv -f SHIFT_JIS -t UTF-8"
            ) from None


def write_vectors(
    path: Path,
    model: "StaticModel",
    lines: Iterator[str],
    dim: int,
    *,
    normalize: bool,
    dtype: "Dtype",
) -> int:
    """Write the vectors as they come; return their number.

    The file appears under its name once it is complete.
    """
    import numpy as np

    from konayuki.model.precision import stored_columns, stored_dtype

    partial = path.with_name(path.name + ".partial")
    rows = 0
    try:
        with partial.open("wb") as file:
            stored, columns = stored_dtype(dtype).newbyteorder("<"), stored_columns(dtype, dim)
            file.write(npy_header(stored.str, 0, columns))
            while block := list(islice(lines, LINES_AT_A_TIME)):
                vectors = model.encode(block, dim=dim, normalize=normalize, dtype=dtype)
                file.write(np.ascontiguousarray(vectors, dtype=stored).data)
                rows += len(block)
            file.seek(0)
            file.write(npy_header(stored.str, rows, columns))
        partial.replace(path)
    except FileNotFoundError as error:
        raise NotFoundError(f"cannot write {path}: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
    return rows


def npy_header(dtype: str, rows: int, columns: int) -> bytes:
    """Return the header of a .npy file; its length does not depend on `rows`."""
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': ({rows:d}, {columns:d}), }}"
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + f"{text:<117}\n".encode()
