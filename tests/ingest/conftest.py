from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from konayuki.search import Index
from search.stand_in import HashEncoder


@pytest.fixture
def index(fresh: Callable[[str], Path]) -> Iterator[Index]:
    """An empty index of a model that costs nothing."""
    with Index.open(fresh("index"), HashEncoder()) as index:
        yield index
