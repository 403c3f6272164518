"""The tools of an agent: each yields what it would read, answer by answer."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol

from konayuki.model import StaticModel
from konayuki.search import FileHits, Index
from konayuki.serving.answers import excerpts, in_full
from konayuki.serving.budget import estimated_tokens

PAGE = 5  # passages of an answer
_MOST = 60  # passages that an agent would page through
# Words of a question that somebody would grep for: runs of kanji, of katakana, of letters.
_WORDS = re.compile(
    "[\u3400-\u9fff々]{2,}|[\u30a1-\u30fa\u30fc]{2,}|[A-Za-z0-9]{2,}|[\u3400-\u9fff]"
)

Answer = tuple[int, frozenset[str]]  # tokens of it, and ids of the passages seen whole in it


class Passage(NamedTuple):
    """A line of a file."""

    id: str
    file: str
    title: str
    text: str

    @property
    def line(self) -> str:
        """The text without line breaks."""
        return re.sub(r"\s*\n\s*", " ", self.text)


class Tool(Protocol):
    """What an agent may use."""

    def answers(self, question: str) -> Iterator[Answer]:
        """Yield answers in the order in which they would be read."""

    def close(self) -> None:
        """Let the files go."""


class Konayuki:
    """Our MCP server: excerpts within a budget first, then the cut passages, in their order."""

    K, MAX_TOKENS = 8, 1000  # of each search; the next one goes on behind its hits

    def __init__(self, folder: Path, passages: Sequence[Passage]) -> None:
        self._index = Index.create(folder / "index", StaticModel.load())
        self._index.add(
            {"id": one.id, "text": one.text, "title": one.title, "metadata": {"path": one.file}}
            for one in passages
        )

    def answers(self, question: str) -> Iterator[Answer]:
        """Yield what `search` and `get` would answer."""
        hits = self._index.search(question, k=_MOST)
        for start in range(0, len(hits), self.K):
            page = [FileHits(hit, []) for hit in hits[start : start + self.K]]
            answer = excerpts(question, page, self.MAX_TOKENS)
            whole = frozenset(hit.id for hit in answer.hits if not hit.cut)
            yield estimated_tokens(answer.as_text()), whole
            for group in page:
                if group.best.id not in whole:
                    document = self._index.get(group.best.id)
                    assert document is not None  # noqa: S101 - it was found a moment ago
                    read = in_full([document], 0, 4000)
                    yield estimated_tokens(read.as_text()), frozenset({document.id})

    def close(self) -> None:
        """Close the index."""
        self._index.close()


class Pages:
    """A search tool that answers with whole passages, five at a time."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._by_id = {one.id: one for one in passages}

    def ranked(self, question: str) -> list[str]:
        """Return ids, best first."""
        raise NotImplementedError

    def answers(self, question: str) -> Iterator[Answer]:
        """Yield the pages."""
        ids = self.ranked(question)
        for start in range(0, len(ids), PAGE):
            page = [self._by_id[key] for key in ids[start : start + PAGE]]
            text = "\n\n".join(f"[{one.id}] {one.title}\n{one.text}" for one in page)
            yield estimated_tokens(text), frozenset(one.id for one in page)

    def close(self) -> None:
        """Nothing is open."""


class Bm25(Pages):
    """Our own index, by words alone."""

    def __init__(self, folder: Path, passages: Sequence[Passage]) -> None:
        super().__init__(passages)
        self._index = Index.create(folder / "index", StaticModel.load())
        self._index.add({"id": one.id, "text": one.text, "title": one.title} for one in passages)

    def ranked(self, question: str) -> list[str]:
        """Return ids, best first."""
        return [hit.id for hit in self._index.search(question, k=_MOST, mode="lexical")]

    def close(self) -> None:
        """Close the index."""
        self._index.close()


class Trigrams(Pages):
    """SQLite's FTS5 with its trigram tokenizer: every trigram of the question, joined by OR."""

    def __init__(self, folder: Path, passages: Sequence[Passage]) -> None:
        super().__init__(passages)
        self._database = sqlite3.connect(folder / "fts.db")
        self._database.execute(
            "CREATE VIRTUAL TABLE passages USING fts5(id UNINDEXED, title, text, tokenize=trigram)"
        )
        rows = ((one.id, one.title, one.text) for one in passages)
        self._database.executemany("INSERT INTO passages VALUES (?, ?, ?)", rows)
        self._database.commit()

    def ranked(self, question: str) -> list[str]:
        """Return ids, best first."""
        runs = re.findall(r"\w{3,}", question)
        grams = dict.fromkeys(run[n : n + 3] for run in runs for n in range(len(run) - 2))
        if not grams:
            return []
        query = " OR ".join(f'"{gram}"' for gram in grams)
        sql = "SELECT id FROM passages WHERE passages MATCH ? ORDER BY bm25(passages) LIMIT ?"
        return [key for (key,) in self._database.execute(sql, (query, _MOST))]

    def close(self) -> None:
        """Close the database."""
        self._database.close()


class Lance(Pages):
    """LanceDB: full text over character 2-grams, our vectors, and its own fusion of both."""

    def __init__(self, folder: Path, passages: Sequence[Passage]) -> None:
        super().__init__(passages)
        lancedb = import_module("lancedb")
        self._fusion = import_module("lancedb.rerankers").RRFReranker()
        self._model = StaticModel.load()
        texts = [f"{one.title}\n{one.text}" for one in passages]
        vectors = self._model.encode(texts)
        rows = [
            {"id": one.id, "text": text, "vector": vector}
            for one, text, vector in zip(passages, texts, vectors, strict=True)
        ]
        self._table = lancedb.connect(folder).create_table("passages", rows)
        self._table.create_fts_index(
            "text", base_tokenizer="ngram", ngram_min_length=2, ngram_max_length=2,
            stem=False, remove_stop_words=False, ascii_folding=False,
        )  # fmt: skip

    def ranked(self, question: str) -> list[str]:
        """Return ids, best first."""
        words = re.sub(r"\W+", " ", question)
        search = self._table.search(query_type="hybrid", vector_column_name="vector")
        search = search.vector(self._model.encode(question)).text(words)
        rows = search.rerank(reranker=self._fusion).limit(_MOST).to_list()
        return [row["id"] for row in rows]


class Grep:
    """Files on disk, searched for the words of the question."""

    def __init__(self, folder: Path, passages: Sequence[Passage]) -> None:
        self._files: dict[str, list[Passage]] = {}
        for one in passages:
            self._files.setdefault(one.file, []).append(one._replace(text=one.line))
        self._texts = {
            name: "\n".join(one.text for one in lines) for name, lines in self._files.items()
        }
        self._folded = {name: text.lower() for name, text in self._texts.items()}

    def _matching(self, words: Iterable[str]) -> list[tuple[int, str]]:
        """Return the number of words that each file holds, most first, and its name."""
        counts = [
            (sum(word in text for word in words), name) for name, text in self._folded.items()
        ]
        return sorted((pair for pair in counts if pair[0]), key=lambda pair: (-pair[0], pair[1]))

    def close(self) -> None:
        """Nothing is open."""


class GrepLines(Grep):
    """`rg -n 'word|word'`: every line that holds a word; files with more of the words first."""

    def answers(self, question: str) -> Iterator[Answer]:
        """Yield the lines."""
        words = words_of(question)
        for _, name in self._matching(words):
            for number, one in enumerate(self._files[name], 1):
                if any(word in one.text.lower() for word in words):
                    yield estimated_tokens(f"{name}:{number}:{one.text}\n"), frozenset({one.id})


class GrepFiles(Grep):
    """`rg -l`, then whole files: those with more of the words first."""

    def answers(self, question: str) -> Iterator[Answer]:
        """Yield the list of files, and then the files."""
        matching = self._matching(words_of(question))
        yield estimated_tokens("\n".join(name for _, name in matching)), frozenset()
        for _, name in matching:
            yield (
                estimated_tokens(self._texts[name]),
                frozenset(one.id for one in self._files[name]),
            )


def words_of(question: str) -> list[str]:
    """Return what somebody would grep for."""
    return list(dict.fromkeys(word.lower() for word in _WORDS.findall(question)))


SYSTEMS: dict[str, Callable[[Path, Sequence[Passage]], Tool]] = {
    "konayuki": Konayuki,
    "bm25": Bm25,
    "lancedb": Lance,
    "fts5-trigram": Trigrams,
    "grep-lines": GrepLines,
    "grep-files": GrepFiles,
}
