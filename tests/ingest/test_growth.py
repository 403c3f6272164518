"""Every reader, and the cutting into passages, takes time linear in bytes."""

import sys
import time
from pathlib import Path

import pytest

from konayuki.errors import FormatError
from konayuki.ingest import kinds
from konayuki.ingest.kinds import KINDS, Kind
from konayuki.ingest.outline import Item
from konayuki.ingest.records import Remarks, records_of

# Only while importing: other modules in there have the names of folders of tests.
FOLDER = str(Path(__file__).resolve().parents[2] / "benchmarks")
sys.path.insert(0, FOLDER)
from reader_inputs import INPUTS  # noqa: E402

sys.path.remove(FOLDER)

FACTOR = 8
LIMIT = 30.0  # a quadratic reader takes 64 times as long, a linear one 8 times
NOISE_S = 0.06
CASES = [pytest.param(suffix, what, id=f"{suffix} {what}") for suffix, what in INPUTS]


def seconds(content: bytes, name: str) -> float:
    start = time.process_time()
    try:
        for _ in records_of(content, name, remarks=Remarks()):
            pass
    except FormatError:
        pass
    return time.process_time() - start


def grows_linearly(suffix: str, what: str, size: int) -> bool:
    """Return whether one of five comparisons of two sizes shows it."""
    small, large = (INPUTS[suffix, what](factor * size).encode() for factor in (1, FACTOR))
    for _ in range(5):
        before, after = seconds(small, f"a{suffix}"), seconds(large, f"a{suffix}")
        if after < max(LIMIT * before, NOISE_S):
            return True
    return False


@pytest.mark.parametrize(("suffix", "what"), CASES)
def test_eight_times_the_bytes_take_about_eight_times_as_long(suffix: str, what: str):
    assert grows_linearly(suffix, what, 25_000)


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "what"), CASES)
def test_megabytes_take_about_as_much_longer(suffix: str, what: str):
    assert grows_linearly(suffix, what, 500_000)


def test_a_quadratic_reader_would_be_noticed(monkeypatch: pytest.MonkeyPatch):
    def read(content: bytes, name: str) -> list[Item]:
        while content:
            content = content[10:]
        return []

    monkeypatch.setitem(INPUTS, (".slow", "bytes"), lambda size: "a" * 10 * size)
    monkeypatch.setitem(kinds._BY_SUFFIX, ".slow", Kind("slow", (".slow",), read))
    assert not grows_linearly(".slow", "bytes", 10_000)


def test_every_kind_is_measured_on_hostile_content_too():
    archives = {
        "Word",
        "PowerPoint",
        "Excel",
        "PDF",
        "e-books",
    }  # that text cannot be made into here
    for kind in KINDS:
        if kind.name in archives:
            continue
        assert len([suffix for suffix, _ in INPUTS if suffix in kind.suffixes]) >= 1, kind.name
