"""A small site from the demo corpus, and Node.js to ask it."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import konayuki
from konayuki.ingest import read_records
from konayuki.search import Document, Index, clauses, verbatim
from konayuki.search.ranker import ranker_of
from konayuki.site import Settings, build_site
from konayuki.site.model_file import site_model

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "src" / "konayuki" / "site" / "runtime"
DIM = 128

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)  # put back before the tests of other rooms
def only_what_sites_do() -> Iterator[None]:
    """Leave out what a site does not do, see docs/explanation/site.md."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clauses, "MOST_COMPLETIONS", 0)
        patch.setattr(clauses, "katakana_words", lambda _: {})
        patch.setattr("konayuki.search.searcher.katakana_words", lambda _: {})
        patch.setattr(verbatim, "is_short", lambda _: False)
        yield


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    files = sorted((ROOT / "demo" / "corpus").glob("*.md"))
    return [Document(**record) for file in files for record in read_records(file)]


@pytest.fixture(scope="session")
def questions() -> list[str]:
    lines = (ROOT / "demo" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines]


@pytest.fixture(scope="session")
def narrow_model() -> konayuki.StaticModel:
    return site_model(konayuki.StaticModel.load(), DIM)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, documents: list[Document]) -> Path:
    out = tmp_path_factory.mktemp("site") / "konayuki"
    build_site(documents, out, settings=Settings(dim=DIM))
    return out


@pytest.fixture(scope="session")
def index(
    tmp_path_factory: pytest.TempPathFactory,
    documents: list[Document],
    narrow_model: konayuki.StaticModel,
) -> Index:
    index = Index.create(tmp_path_factory.mktemp("index") / "i", narrow_model)
    index.add(as_record(document) for document in documents)
    return ranked_as_sites(index)


def ranked_as_sites(index: Index) -> Index:
    """Let an index of fewer dimensions rank with the weights of the whole model, as a site does."""
    vars(index._searcher)["ranker"] = ranker_of(konayuki.StaticModel.load())
    return index


@pytest.fixture(scope="session")
def as_site() -> Callable[[Index], Index]:
    return ranked_as_sites


def as_record(document: Document) -> dict[str, Any]:
    fields = ("id", "text", "title", "heading", "metadata", "chunk_of", "position")
    return {name: getattr(document, name) for name in fields}


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node.js."""
    path = shutil.which("node")
    if path is None:
        pytest.skip("no Node.js on this machine")
    return path


@pytest.fixture(scope="session")
def ask(node: str) -> Ask:
    """Return a function that asks the runtime about the files of a site, see driver.mjs."""

    def run(base: Path, **asked: Any) -> dict[str, Any]:
        request = {"runtime": str(RUNTIME / "konayuki.js"), "base": str(base), **asked}
        done = subprocess.run(
            [node, str(Path(__file__).with_name("driver.mjs"))],
            input=json.dumps(request),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return run
