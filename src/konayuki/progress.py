"""Progress of long work, always on stderr: a bar on a terminal, elsewhere a line a minute."""

import io
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

LOG_SECONDS = 60.0  # between two lines without a terminal, so that short work is silent there

Item = TypeVar("Item")
_enabled = True


def enable(enabled: bool) -> None:
    """Turn the progress of this process on or off; off wins over `track(enabled=True)`."""
    global _enabled
    _enabled = enabled


def track(
    items: Iterable[Item],
    label: str,
    *,
    total: int | None = None,
    unit: str = "it",
    enabled: bool = True,
) -> Iterator[Item]:
    """Yield the items; a bar named `label` on stderr, or lines, count them."""
    if not (enabled and _enabled):
        yield from items
        return
    if not sys.stderr.isatty():
        yield from _logged(items, label, total, unit)
        return
    from tqdm import tqdm

    yield from tqdm(items, desc=label, total=total, unit=unit, file=sys.stderr, leave=False)


def track_files(
    files: Sequence[Item], label: str, sizes: Sequence[int], *, enabled: bool = True
) -> Iterator[Item]:
    """Yield files; a bar named `label` on stderr, or lines, count their bytes and their number."""
    if not (enabled and _enabled):
        yield from files
        return
    from tqdm import tqdm

    is_terminal = sys.stderr.isatty()
    with tqdm(
        desc=label,
        total=sum(sizes),
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        file=sys.stderr if is_terminal else io.StringIO(),
        leave=False,
    ) as bar:
        last_line = time.monotonic()
        for n_done, (file, size) in enumerate(zip(files, sizes, strict=True)):
            bar.set_postfix_str(f"{n_done:,}/{len(files):,} files", refresh=False)
            now = time.monotonic()
            if not is_terminal and now - last_line >= LOG_SECONDS:
                last_line = now
                say(str(bar))
            yield file
            bar.update(size)


def say(text: str) -> None:
    """Write a line on stderr, above the bar if there is one."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)
    sys.stderr.flush()


def _logged(items: Iterable[Item], label: str, total: int | None, unit: str) -> Iterator[Item]:
    start = last_line = time.monotonic()
    for n_done, item in enumerate(items):
        now = time.monotonic()
        if now - last_line >= LOG_SECONDS:
            from tqdm import tqdm

            last_line = now
            say(tqdm.format_meter(n_done, total, now - start, prefix=label, unit=unit, ncols=0))
        yield item
