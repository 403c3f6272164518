"""The character map of SentencePiece models ("Precompiled"), applied as `tokenizers` applies it.

The text is taken grapheme cluster by grapheme cluster. A cluster of fewer than six bytes is looked
up whole, and the shortest prefix that the map knows replaces all of it; otherwise each character is
looked up by itself. Clusters of several characters are rare, so ordinary text goes through
`str.translate`, and only a text with a character that can join a cluster is taken apart.
"""

import re
import struct
from functools import cache

import numpy as np
from numpy.typing import NDArray

from konayuki.model import code_points

LARGEST_CLUSTER = 5  # bytes
HAS_LEAF = 1 << 8
IS_LEAF = 1 << 31


class CharacterMap:
    """A double-array trie of byte strings to replacements.

    Args:
        content: The bytes of `precompiled_charsmap`: the size of the trie (uint32), its units
            (uint32 each), then the replacements, each ended by a NUL.

    Attributes:
        growth: The length of the longest replacement.

    Raises:
        ValueError: The content is not such a map, or it points outside itself.
    """

    def __init__(self, content: bytes) -> None:
        if len(content) < 8:
            raise ValueError("a character map of fewer than 8 bytes")
        (size,) = struct.unpack_from("<I", content)
        if size == 0 or size % 4 or 4 + size > len(content):
            raise ValueError(f"a character map whose trie has {size} of {len(content) - 4} bytes")
        self._replacements = content[4 + size :]
        units = np.frombuffer(content, "<u4", size // 4, 4)
        _check(units, self._replacements)
        self._units = units.tolist()  # plain integers: a lookup takes a few of them at a time
        self.growth = max(map(len, self._replacements.decode().split("\0")))
        self._of_character = _Table(self)

    def __call__(self, text: str) -> str:
        """Return the mapped text."""
        try:
            if "\r\n" not in text:
                return text.translate(self._of_character)
        except _JoinsClusterError:
            pass
        return "".join(map(self._cluster, clusters().findall(text)))

    def find(self, text: str) -> str | None:
        """Return the replacement of the shortest prefix that the map knows, None without one."""
        units = self._units
        node = _offset(units[0])
        for byte in text.encode():
            if byte == 0:
                return None
            node ^= byte
            unit = units[node]
            if unit & (IS_LEAF | 0xFF) != byte:
                return None
            node ^= _offset(unit)
            if unit & HAS_LEAF:
                start = units[node] & ~IS_LEAF
                end = self._replacements.find(b"\0", start)
                return self._replacements[start : end if end >= 0 else None].decode()
        return None

    def _cluster(self, cluster: str) -> str:
        if len(cluster) > 1 and len(cluster.encode()) <= LARGEST_CLUSTER:
            whole = self.find(cluster)
            if whole is not None:
                return whole
        return "".join(map(self._character, cluster))

    def _character(self, character: str) -> str:
        replacement = self.find(character)
        return character if replacement is None else replacement


@cache
def clusters() -> re.Pattern[str]:
    """Return the pattern of a grapheme cluster, as far as one below six bytes can tell."""
    extending, prepended = f"[{code_points.EXTENDING}]", f"[{code_points.PREPENDED}]"
    base = f"[^{code_points.EXTENDING}{code_points.PREPENDED}{code_points.CONTROLS}]"
    return re.compile(
        f"\r\n|{prepended}*{base}{extending}*|{prepended}+{extending}*|{extending}+|.", re.DOTALL
    )


@cache
def joining() -> re.Pattern[str]:
    """Return the pattern of a character that can share a cluster with its neighbour."""
    return re.compile(f"[{code_points.EXTENDING}{code_points.PREPENDED}]")


def joins_cluster(character: str) -> bool:
    """Return whether what becomes of a character may depend on its neighbours."""
    return character == "\r" or joining().match(character) is not None


class _JoinsClusterError(Exception):
    """A character may belong to its neighbour's cluster."""


class _Table(dict[int, str]):
    """What `str.translate` looks up, filled as characters turn up."""

    def __init__(self, owner: CharacterMap) -> None:
        self._owner = owner

    def __missing__(self, code_point: int) -> str:
        character = chr(code_point)
        if joining().match(character):
            raise _JoinsClusterError
        replacement = self._owner._character(character)
        self[code_point] = replacement
        return replacement


def _offset(unit: int) -> int:
    return unit >> 10 << ((unit & 1 << 9) >> 6)


def _check(units: NDArray[np.uint32], replacements: bytes) -> None:
    """Refuse a trie that leads outside itself, and replacements that are not UTF-8.

    Raises:
        ValueError: The message says which of them it is.
    """
    units = units.astype(np.int64)
    inner = np.flatnonzero(units & IS_LEAF == 0)
    children = inner ^ (units[inner] >> 10 << ((units[inner] & 1 << 9) >> 6))
    if not len(inner) or inner[0] != 0 or (children | 0xFF).max() >= len(units):
        raise ValueError("a character map that points outside itself")
    starts = units[children[units[inner] & HAS_LEAF != 0]] & ~IS_LEAF
    if len(starts) and starts.max() >= len(replacements):
        raise ValueError("a character map that points outside itself")
    replacements.decode()
    first_bytes = np.frombuffer(replacements, np.uint8)[starts]
    if (first_bytes & 0xC0 == 0x80).any():
        raise ValueError("a character map that points into the middle of a character")
