"""Three passages and an index of them, for the tests of every adapter."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evaluation.tiny_model import tiny_model
from konayuki.search import Index

FUJI = ("fuji", "富士山は日本一高い山", {"title": "山", "lang": "ja"})
LAKE = ("lake", "琵琶湖は日本一大きい湖", {"lang": "ja"})
SKY = ("sky", "the sky is blue", {"lang": "en"})
ALL = (FUJI, LAKE, SKY)


@contextmanager
def index_of(folder: Path, records: Iterator[dict]) -> Iterator[Index]:
    with Index.create(folder, tiny_model()) as index:
        index.add(records)
        yield index
