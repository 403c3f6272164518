"""The numbers in the names of files that are only replaced together."""

import re
from collections.abc import Iterable
from itertools import count

EPOCH = "[0-9]{1,18}"
LARGEST_EPOCH = 10**18 - 1


def free_epoch(names: Iterable[str], pattern: re.Pattern[str]) -> int:
    """Return a number that no file has: the next one, or a small one if there is none.

    Args:
        names: The names of all files of a folder.
        pattern: Its first group is the number of a file, or None.
    """
    matches = (pattern.fullmatch(name) for name in names)
    taken = {int(match[1]) for match in matches if match and match[1]}
    newest = max(taken, default=0) + 1
    if newest <= LARGEST_EPOCH:
        return newest
    return next(epoch for epoch in count(1) if epoch not in taken)  # in a received folder
