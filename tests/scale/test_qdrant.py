import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from konayuki.cli import main
from konayuki.errors import InputError, ModelMismatchError, NotFoundError
from konayuki.model import StaticModel
from konayuki.scale import QdrantSearch, connect, push
from konayuki.scale.embedding import EmbedSettings, embed
from konayuki.scale.passages import open_passages
from konayuki.scale.qdrant_search import SUM_WEIGHT, filter_of
from konayuki.search import Index

pytest.importorskip("qdrant_client")
pytest.importorskip("pyarrow")

RECORDS = [
    ("1", "富士山は日本でいちばん高い山です。", {"lang": "ja", "year": 2020, "tags": ["自然"]}),
    ("2", "図書館で本を借\nりるには、カードを見せてください。", {"lang": "ja", "year": 2021}),
    ("3", "The train leaves at 9:30 and arrives at 12:05.", {"lang": "en", "year": 2020}),
    ("4", "みそ汁はだしを取り、みそをとかして作ります。", {"lang": "ja", "open": True}),
    ("5", "サッカーの試合は引き分けでした。", {"lang": "ja", "score": 1.5}),
    ("6", "北岳は日本で二番目に高い山である。", {"lang": "ja", "year": 2022}),
]
# None has a word with another spelling: an index asks for those too, Qdrant does not.
QUERIES = ("高い山", "本を借りる", "train", "サッカーの結果", "引き分け", "山", "二番\u200b目")


def make_index(folder: Path) -> Path:
    with Index.create(folder) as made:
        made.add({"id": i, "text": t, "title": f"題{i}", "metadata": m} for i, t, m in RECORDS)
        made.add([{"id": "7", "text": "消される"}])
        made.delete(["7"])
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index that no test changes."""
    return make_index(tmp_path_factory.mktemp("qdrant") / "index")


@pytest.fixture(scope="module")
def index(folder: Path) -> Iterator[Index]:
    with Index.open(folder) as opened:
        yield opened


@pytest.fixture
def client() -> Iterator[Any]:
    made = connect(":memory:")
    yield made
    made.close()


@pytest.fixture(scope="module")
def search(folder: Path) -> Iterator[QdrantSearch]:
    """A collection that no test changes."""
    client = connect(":memory:")
    n_points = push(client, "notes", open_passages(str(folder)), filters=["lang", "year:integer"])
    assert n_points == len(RECORDS)
    yield QdrantSearch(client, "notes")
    client.close()


@pytest.mark.parametrize("query", QUERIES)
def test_the_sum_is_that_of_the_parts_that_the_index_finds(
    search: QdrantSearch, index: Index, query: str
) -> None:
    hits = search.search(query, k=6)
    # The index's own score takes less of the BM25 of a passage that holds less of the question.
    both = [(h.id, h.dense or 0.0, h.lexical or 0.0) for h in index.search(query, k=6)]
    wanted = {key: dense + SUM_WEIGHT * lexical for key, dense, lexical in both}

    assert {hit.id for hit in hits} == set(wanted)
    # BM25 differs a little: tantivy rounds lengths and counts its own mark
    assert [hit.score for hit in hits] == pytest.approx([wanted[h.id] for h in hits], abs=0.02)
    assert hits[0].id == max(wanted, key=lambda key: wanted[key])
    stored = {key: metadata for key, _, metadata in RECORDS}
    assert (hits[0].title, hits[0].metadata) == (f"題{hits[0].id}", stored[hits[0].id])


def test_reciprocal_ranks_put_what_both_halves_find_first(search: QdrantSearch) -> None:
    hits = search.search("図書館で本を借りる", k=3, fusion="rrf")

    assert hits[0].id == "2"
    assert len(hits) == 3
    assert hits[0].score == pytest.approx(2 / 2)  # first of both; constant 2, ranks from 0


@pytest.mark.parametrize(
    "where",
    [
        {"lang": "ja"},
        {"lang": "ja", "year": [2020, 2022]},
        {"tags": "自然"},
        {"open": True},
        {"score": 1.5},
        {"nothing": "here"},
    ],
)
@pytest.mark.parametrize("fusion", ["sum", "rrf"])
def test_filters_mean_what_they_mean_to_the_index(
    search: QdrantSearch, index: Index, where: dict[str, Any], fusion: Any
) -> None:
    hits = search.search("山", k=6, where=where, fusion=fusion)

    assert {h.id for h in hits} == {h.id for h in index.search("山", k=6, where=where)}


def test_nothing_is_asked_for_nothing(search: QdrantSearch) -> None:
    assert search.search(" ") == []
    assert search.search("山", k=0) == []
    with pytest.raises(InputError, match="fusion is 'max'"):
        search.search("山", fusion="max")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="filter 'a' is None"):
        filter_of({"a": None})


def test_pushing_again_replaces_points(client: Any, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "index")
    push(client, "notes", open_passages(str(tmp_path / "index")))
    with Index.open(tmp_path / "index") as index:
        index.add([{"id": "1", "text": "阿蘇山は火山である。"}])
        push(client, "notes", open_passages(str(tmp_path / "index")))

    assert client.count("notes").count == len(RECORDS)
    search = QdrantSearch(client, "notes")
    assert search.search("阿蘇山", k=1)[0].text == "阿蘇山は火山である。"


def test_embedded_files_can_be_pushed_and_asked(client: Any, tmp_path: Path) -> None:
    lines = [json.dumps({"id": i, "text": t, **m}, ensure_ascii=False) for i, t, m in RECORDS]
    (tmp_path / "notes.jsonl").write_text("\n".join(lines), "utf-8")
    out = str(tmp_path / "vectors")
    embed(str(tmp_path / "notes.jsonl"), out, EmbedSettings(dim=256, dtype="int8"), workers=1)

    passages = open_passages(out)
    push(client, "files", passages, quantization="binary")
    found = QdrantSearch(client, "files").search("図書館", where={"year": 2021})

    assert [(hit.id, hit.metadata["year"]) for hit in found] == [("2", 2021)]
    vectors = np.stack([passage.vector for passage in passages])
    wanted = StaticModel.load().encode([text for _, text, _ in RECORDS], dim=256)
    assert (np.einsum("nd,nd->n", vectors, wanted) > 0.999).all()


@pytest.mark.parametrize("quantization", ["int8", "binary", "none"])
def test_collections_are_set_up_for_rescoring(client: Any, folder: Path, quantization: Any) -> None:
    push(client, "notes", open_passages(str(folder)), quantization=quantization)

    config = client.get_collection("notes").config.params
    dense = config.vectors["dense"]
    assert (dense.size, dense.distance.value) == (512, "Cosine")
    assert dense.on_disk is (quantization != "none")
    kept = dense.quantization_config
    assert (kept is None) == (quantization == "none")
    if kept is not None:
        inner = kept.scalar if quantization == "int8" else kept.binary
        assert inner.always_ram is True
    assert config.sparse_vectors["bm25"].modifier.value == "idf"


def test_another_model_or_a_foreign_collection_is_refused(
    client: Any, folder: Path, tmp_path: Path
) -> None:
    from qdrant_client import models

    from model.samples import small_model

    small = small_model()
    with Index.create(tmp_path / "small", small) as other:
        other.add([{"id": "1", "text": "山"}])
    client.create_collection(
        "foreign", vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT)
    )

    push(client, "notes", open_passages(str(folder)))
    with pytest.raises(InputError, match=r"holds 512 dimensions(.|\n)*--recreate"):
        push(client, "notes", open_passages(str(tmp_path / "small")))
    with pytest.raises(ModelMismatchError):
        QdrantSearch(client, "notes", small)
    with pytest.raises(InputError, match="was not created by konayuki"):
        QdrantSearch(client, "foreign")
    with pytest.raises(NotFoundError, match="no collection 'none'"):
        QdrantSearch(client, "none")
    with pytest.raises(InputError, match="quantization is 'int4'"):
        push(client, "x", open_passages(str(tmp_path / "small")), quantization="int4")  # type: ignore[arg-type]


def test_bits_cannot_be_pushed(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"id": 1, "text": "山"}\n', "utf-8")
    embed(str(tmp_path / "t.jsonl"), str(tmp_path / "v"), EmbedSettings(dtype="ubinary"), workers=1)

    with pytest.raises(InputError, match="holds bits"):
        open_passages(str(tmp_path / "v"))


def test_the_command_writes_a_collection_of_local_mode(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(folder), str(tmp_path / "qdrant"), "notes", "--filter", "lang"]

    assert main(["push-qdrant", *arguments, "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["points"] == len(RECORDS)
    client = connect(str(tmp_path / "qdrant"))
    assert QdrantSearch(client, "notes").search("富士山", k=1)[0].id == "1"
    client.close()
