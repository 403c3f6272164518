"""Hub ids, read by the real `datasets` from a local folder and from a hub of our own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluation import fake_hub
from evaluation.layouts import CORPUS, PAIRS, QRELS, QUERIES, write_nano, write_table
from konayuki.errors import DatasetError

pytest.importorskip("datasets")
pytest.importorskip("pyarrow")

READ = """
import json, sys
from konayuki.errors import KonayukiError
from konayuki.evaluation.datasets import read_sets
try:
    for one in read_sets(sys.argv[1], only=sys.argv[2:]):
        print(json.dumps([one.name, len(one.corpus), one.queries, one.qrels], ensure_ascii=False))
except KonayukiError as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve NanoBEIR-ja and a set in mteb's layout; yield the address."""
    root = tmp_path_factory.mktemp("hub")
    write_nano(root / "someone" / "NanoBEIR-ja", ("NanoFEVER", "NanoNQ"))
    write_mteb(root / "someone" / "lakes")
    server = fake_hub.serve(root)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def write_mteb(folder: Path) -> None:
    write_table(folder / "corpus.jsonl", CORPUS)
    write_table(folder / "queries.jsonl", QUERIES)
    write_table(folder / "qrels" / "test.jsonl", QRELS)
    configs = [("corpus", "corpus"), ("queries", "queries"), ("default", "test")]
    files = {"corpus": "corpus.jsonl", "queries": "queries.jsonl", "default": "qrels/test.jsonl"}
    lines = ["---", "configs:"]
    for config, split in configs:
        lines += [f"- config_name: {config}", "  data_files:", f"  - split: {split}"]
        lines += [f"    path: {files[config]}"]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]), encoding="utf-8")


def read_from_hub(endpoint: str, home: Path, *arguments: str) -> list[str]:
    """Return the lines that a process of its own prints: the hub's address is read at import."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONIOENCODING": "utf-8",
    }
    done = subprocess.run(
        [sys.executable, "-c", READ, *arguments],
        env=environment,
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    return done.stdout.splitlines()


def test_nanobeir_by_hub_id(endpoint: str, tmp_path: Path) -> None:
    lines = read_from_hub(endpoint, tmp_path, "someone/NanoBEIR-ja", "NanoNQ")

    queries = {"q1": "一番高い山は？", "q2": "大きい湖は？"}
    qrels = {"q1": {"d1": 1}, "q2": {"d2": 1, "d1": 1}}
    assert [json.loads(line) for line in lines] == [["NanoNQ", 3, queries, qrels]]


@pytest.mark.slow
def test_mteb_layout_by_hub_id(endpoint: str, tmp_path: Path) -> None:
    (line,) = read_from_hub(endpoint, tmp_path, "someone/lakes")

    name, n_documents, queries, qrels = json.loads(line)
    assert (name, n_documents, list(queries)) == ("lakes", 3, ["q1", "q2"])
    assert qrels == {"q1": {"d1": 1}, "q2": {"d2": 2, "d1": 1}}


@pytest.mark.slow
def test_a_hub_id_that_is_not_there(endpoint: str, tmp_path: Path) -> None:
    first, *others = read_from_hub(endpoint, tmp_path, "someone/nothing")

    assert first.startswith("DatasetError: cannot read 'someone/nothing' from the hub: ")
    assert others[-1].startswith("hint: ")


@pytest.fixture
def datasets_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what `datasets` caches below the test's folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.usefixtures("datasets_home")
def test_similarity_pairs_in_the_layout_of_the_hub(tmp_path: Path) -> None:
    from konayuki.evaluation.hub_sets import read_hub_sets

    for split in ("train", "test"):
        write_table(
            tmp_path / "owner" / "pairs" / f"{split}.jsonl", PAIRS[: 3 if split == "test" else 2]
        )

    (one,) = read_hub_sets(str(tmp_path / "owner" / "pairs"), (), strict=False)

    assert one.scores == (4.5, 0.0, 4.0)


@pytest.mark.usefixtures("datasets_home")
def test_a_folder_that_datasets_cannot_read(tmp_path: Path) -> None:
    from konayuki.evaluation.hub_sets import read_hub_sets

    with pytest.raises(DatasetError, match="cannot read"):
        list(read_hub_sets(str(tmp_path / "nothing"), (), strict=False))
