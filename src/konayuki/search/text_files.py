"""Bytes of a file into text, whatever Japanese encoding they are in."""

import codecs
import re
from pathlib import Path

from konayuki.errors import FormatError, NotFoundError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_USUAL = re.compile("[\u3041-\u3096\u30a1-\u30fc\u3001\u3002]")
# Bytes that CP932 does not assign: Python turns some of them into private characters all the same.
_NO_CHARACTER = re.compile("[\uf8f0-\uf8f3\u0080-\u009f]")
# What the other encoding's bytes turn into: half-width kana, private use, rare kanji rows.
_UNUSUAL = re.compile("[\uff61-\uff9f\ue000-\uf8ff\u0080-\u009f]")


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8 (or -16, -32 with a mark), CP932, EUC-JP or ISO-2022-JP.

    Raises:
        NotFoundError: The file is not there or cannot be read.
        FormatError: It is none of these; the message names it.
    """
    try:
        return decode(path.read_bytes(), str(path))
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror or error}") from error


def decode(content: bytes, name: str) -> str:
    """Return the text of these bytes; `name` is for the message of an error.

    Raises:
        FormatError: The bytes are in no encoding that is known here.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _strictly(content, encoding, name).removeprefix("\ufeff")
    if b"\0" in content:
        raise FormatError(f"{name}: holds zero bytes: expected text, not a binary file")
    if b"\x1b$" in content:
        return _strictly(content, "iso2022_jp_ext", name)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _legacy(content, name, error)


def _strictly(content: bytes, encoding: str, name: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{name}: byte {error.start} is not {encoding}: {error.reason}"
        ) from error


def _legacy(content: bytes, name: str, utf8_error: UnicodeDecodeError) -> str:
    """Return the more Japanese-looking reading of bytes that are not UTF-8."""
    readings = []
    for encoding in ("cp932", "euc_jp"):
        try:
            reading = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _NO_CHARACTER.search(reading):
            readings.append(reading)
    if not readings:
        raise FormatError(
            f"{name}: byte {utf8_error.start} is neither UTF-8 nor CP932 nor EUC-JP: "
            "expected Japanese text in one of these encodings\n"
            f"hint: iconv -f ENCODING -t UTF-8 {name}"
        )
    return max(readings, key=_plausibility)


def _plausibility(text: str) -> int:
    return len(_USUAL.findall(text)) - 4 * len(_UNUSUAL.findall(text))
