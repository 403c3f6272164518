"""The character map of SentencePiece models ("Precompiled"), applied as `tokenizers` applies it.

The text is taken grapheme cluster by grapheme cluster. A cluster of fewer than six bytes is looked
up whole, and the shortest prefix that the map knows replaces all of it; otherwise each character is
looked up by itself. Clusters of several characters are rare, so ordinary text goes through
`str.translate`, and only a text with a character that can join a cluster is taken apart.
"""

import re
import struct
from functools import cache

from konayuki.model import code_points

LARGEST_CLUSTER = 5  # bytes


class CharacterMap:
    """A double-array trie of byte strings to replacements.

    Args:
        content: the bytes of `precompiled_charsmap`: the size of the trie (uint32), its units
            (uint32 each), then the replacements, each ended by a NUL.

    Raises:
        ValueError: the content is not such a map.
    """

    def __init__(self, content: bytes) -> None:
        if len(content) < 8:
            raise ValueError("a character map of fewer than 8 bytes")
        (size,) = struct.unpack_from("<I", content)
        if size == 0 or size % 4 or 4 + size > len(content):
            raise ValueError(f"a character map whose trie has {size} of {len(content) - 4} bytes")
        self._units = struct.unpack_from(f"<{size // 4}I", content, 4)
        self._replacements = content[4 + size :]
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
        place = _offset(units[0])
        for byte in text.encode():
            if byte == 0:
                return None
            place ^= byte
            if place >= len(units):
                raise ValueError("a character map that points outside itself")
            unit = units[place]
            if unit & 0x800000FF != byte:
                return None
            place ^= _offset(unit)
            if unit >> 8 & 1:
                start = units[place] & 0x7FFFFFFF
                return self._replacements[start:].partition(b"\0")[0].decode()
        return None

    def _cluster(self, cluster: str) -> str:
        if len(cluster) > 1 and len(cluster.encode()) <= LARGEST_CLUSTER:
            whole = self.find(cluster)
            if whole is not None:
                return whole
        return "".join(map(self._character, cluster))

    def _character(self, character: str) -> str:
        found = self.find(character)
        return character if found is None else found


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
