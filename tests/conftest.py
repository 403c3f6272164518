"""An empty index, copied from one that is made once: making it anew costs several fsyncs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from konayuki.search import Index
from search.stand_in import HashEncoder


@pytest.fixture(scope="session")
def empty_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty") / "i"
    Index.create(folder, HashEncoder()).close()
    return folder


@pytest.fixture
def fresh(empty_index: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that gives the folder of a new empty index."""

    def copy(name: str = "notes.konayuki") -> Path:
        return Path(shutil.copytree(empty_index, tmp_path / name))

    return copy
