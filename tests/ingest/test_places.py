"""Places that people ask for, hostile ones included."""

import os
from pathlib import Path

import pytest

from konayuki.errors import NotFoundError
from konayuki.ingest.places import passages_at
from konayuki.search import Index


@pytest.mark.parametrize("where", ["a\0b", "\ud800", "\0:1", "../../etc/passwd:1-9", ""])
def test_what_can_be_no_path_is_not_in_the_index(tmp_path: Path, where: str):
    with Index.create(tmp_path / "index") as index, pytest.raises(NotFoundError):
        passages_at(index, where)


@pytest.mark.skipif(os.name == "nt", reason="links")
def test_a_loop_of_links_is_not_in_the_index(tmp_path: Path):
    (tmp_path / "loop").symlink_to("loop")
    with Index.create(tmp_path / "index") as index, pytest.raises(NotFoundError):
        passages_at(index, str(tmp_path / "loop"))
