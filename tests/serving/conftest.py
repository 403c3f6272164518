from collections.abc import Iterator
from pathlib import Path

import pytest

for module in (
    "starlette", "uvicorn", "httptools", "pydantic", "orjson", "prometheus_client", "mcp"
):  # fmt: skip
    pytest.importorskip(module, reason="the extra `serve` is not installed")

from serving.live import Live, serving  # noqa: E402
from serving.records import BIWA, CAT, FUJI, KEY  # noqa: E402
from serving.tiny import save_tiny_model  # noqa: E402


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Live]:
    """A server with three documents, for tests that change nothing."""
    index = tmp_path_factory.mktemp("index") / "notes.konayuki"
    limits = ("--max-body-mb", "1", "--timeout", "3")
    with serving(str(index), "--create", "--model", str(model_folder), *limits) as live:
        live.add(FUJI, BIWA, CAT)
        yield live


@pytest.fixture
def live(shared: Live) -> Iterator[Live]:
    """The same server, for tests that add and delete: afterwards all is as it was before."""
    yield shared
    found = shared.search("の a 富士山 雪", k=100, mode="dense")["hits"]
    kept = [FUJI, BIWA, CAT]
    for document in {hit["document"] for hit in found} - {record["id"] for record in kept}:
        shared.delete(document)
    by_id = {hit["id"]: hit["text"] for hit in found}
    changed = [record for record in kept if by_id.get(record["id"]) != record["text"]]
    if changed:
        shared.add(*changed)


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Iterator[Live]:
    """A server that asks for a key and has a document."""
    folder = tmp_path_factory.mktemp("keyed")
    keys = folder / "keys"
    keys.write_text(f"# of the tests\n\n{KEY}\nanother-key-of-the-tests\n")
    keys.chmod(0o600)
    arguments = ("--create", "--model", str(model_folder), "--api-key-file", str(keys))
    with serving(str(folder / "notes.konayuki"), *arguments) as live:
        headers = {"Authorization": f"Bearer {KEY}"}
        reply = live.call("POST", "/documents", {"documents": [FUJI]}, headers=headers)
        assert reply.status == 200
        yield live
