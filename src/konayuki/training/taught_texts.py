"""Gather the texts of a distillation, and ask the teacher about them.

Texts come from the pairs that may be trained on, so nothing held out is among them: the queries
and passages of the named sources, and sentences of passages. What the teacher says is kept in the
cache of the run by text, and asked only once.
"""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional

from konayuki.search.sentences import sentences
from konayuki.training.distillation import Numbers, TaughtTexts, TextSet
from konayuki.training.pair_store import PairStore, Tokenize
from konayuki.training.recipe import DistillationSettings, DistillationSource
from konayuki.training.teacher_cache import Encoder, TeacherCache

QUERY, PASSAGE, SENTENCE, PARAPHRASE, WORD = "query", "passage", "sentence", "paraphrase", "word"
KINDS = {  # the teacher's prefix and the tokens that it reads
    QUERY: ("query: ", 32),
    PASSAGE: ("passage: ", 128),
    SENTENCE: ("passage: ", 64),
    PARAPHRASE: ("query: ", 64),
    WORD: ("query: ", 32),
}
SECOND = "second"  # folder of the second teacher's answers
SENTENCE_CHARACTERS = (12, 150)
READING = re.compile("[（(].*")


def taught_texts(
    store: PairStore,
    rows: Numbers,
    settings: DistillationSettings,
    tokenizer: Tokenize,
    teacher: Encoder,
    cache: Path,
    *,
    second: Encoder | None = None,
    seed: int,
    show_progress: bool = True,
) -> TaughtTexts:
    """Return the texts of the recipe's distillation with the teacher's vectors.

    Args:
        store: the pairs.
        rows: those that may be trained on.
        settings: which sources, and how much of them.
        tokenizer: of the student.
        teacher: asked about texts that the cache lacks.
        cache: a folder.
        second: a second teacher, asked about all but passages.
        seed: of the samples.
        show_progress: a bar on stderr while the teacher works.
    """
    gathered = _Gathered(store.texts(), np.random.default_rng(seed))
    for stretch in store.stretches:
        source = _source_of(stretch.name, settings.sources)
        if source is not None:
            allowed = rows[(rows >= stretch.start) & (rows < stretch.stop)]
            pairs = np.asarray(store.pairs[allowed, :2], dtype=np.int64)
            gathered.add(stretch.name, pairs, source)
    taught, sets = gathered.taught, gathered.all_sets()
    second_vectors = None
    if second is not None:
        kinds = [kind for kind in KINDS if kind != PASSAGE]
        folder = cache / SECOND
        second_vectors = _vectors(taught, kinds, second, folder, show_progress)
    return TaughtTexts(
        tokenizer.encode(taught.texts),
        _vectors(taught, list(KINDS), teacher, cache, show_progress),
        tuple(one for one in sets if min(len(one.queries), len(one.candidates)) > 1),
        tokenizer.vocab_size,
        second_vectors,
    )


class _Gathered:
    """The texts of the sources so far, and the sets that they form."""

    def __init__(self, known: Sequence[str], rng: np.random.Generator) -> None:
        self.taught = _Numbering()
        self._known = known
        self._rng = rng
        self._sets: list[TextSet] = []
        self._questions: list[Numbers] = []
        self._apart: list[Numbers] = []

    def add(self, name: str, pairs: Numbers, source: DistillationSource) -> None:
        """Take what the settings ask of one source, whose pairs are text numbers (n, 2)."""
        some = pairs[_sample(len(pairs), source.rows, self._rng)]
        if source.paraphrases:
            self.taught.numbers(PARAPHRASE, self._texts(some))
        if source.pairs:
            queries = self.taught.numbers(QUERY, (self._known[one] for one in some[:, 0]))
            passages = self.taught.numbers(PASSAGE, (self._known[one] for one in some[:, 1]))
            self._sets.append(TextSet(name, queries, passages, aligned=True))
            if source.questions:
                self._questions.append(queries)
        if source.words:
            self.taught.numbers(WORD, _headwords(self._texts(some[:, 0])))
        if source.sentences:
            found = _sentences(self._texts(some[:, 1]))
            kept = _sample(len(found), source.sentences, self._rng)
            numbers = self.taught.numbers(SENTENCE, (found[one] for one in kept))
            if not source.pairs:
                self._apart.append(numbers)
                self._sets.append(TextSet(name, numbers, numbers))

    def _texts(self, numbers: Numbers) -> Iterable[str]:
        return (self._known[one] for one in np.unique(numbers))

    def all_sets(self) -> list[TextSet]:
        """Return the sets of the sources, of the texts of each kind, and those across kinds."""
        sets = list(self._sets)
        for kind in KINDS:
            of_kind = np.setdiff1d(self.taught.of_kind(kind), _joined(self._apart))
            sets.append(TextSet(kind, of_kind, of_kind))
        of_sentences = self.taught.of_kind(SENTENCE)
        asked = {
            "questions": np.unique(_joined(self._questions)),
            "words": self.taught.of_kind(WORD),
        }
        sets += [TextSet(f"{name} and sentences", one, of_sentences) for name, one in asked.items()]
        return sets


class _Numbering:
    """Texts by kind, numbered as they come; a text may be of several kinds."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    @property
    def texts(self) -> list[str]:
        """The texts in order of their numbers."""
        return [text for _, text in self._numbers]

    def numbers(self, kind: str, texts: Iterable[str]) -> Numbers:
        """Return the numbers of some texts; new texts get one."""
        found = [self._numbers.setdefault((kind, text), len(self._numbers)) for text in texts]
        return np.array(found, dtype=np.int64)

    def of_kind(self, kind: str) -> Numbers:
        """Return the numbers of all texts of a kind."""
        found = [number for (one, _), number in self._numbers.items() if one == kind]
        return np.array(found, dtype=np.int64)


def _vectors(
    taught: _Numbering, kinds: Sequence[str], teacher: Encoder, cache: Path, show_progress: bool
) -> torch.Tensor:
    """Return what a teacher says of texts: bfloat16 (n_texts, dim), centred, unit or zero rows."""
    texts = taught.texts
    table = torch.zeros(len(texts), teacher.dim, dtype=torch.bfloat16)
    for kind in kinds:
        prefix, max_tokens = KINDS[kind]
        numbers = taught.of_kind(kind)
        if not len(numbers):
            continue
        asked = TeacherCache(cache, teacher, prefix, max_tokens)
        found = asked.vectors([texts[one] for one in numbers], show_progress=show_progress)
        table[torch.from_numpy(numbers)] = _centred(torch.from_numpy(found)).bfloat16()
    return table


def _centred(vectors: torch.Tensor) -> torch.Tensor:
    """Return vectors less their mean, with unit rows: float32 of the same shape."""
    wide = vectors.float()
    return functional.normalize(wide - wide.mean(dim=0), dim=1)


def _source_of(name: str, sources: Sequence[DistillationSource]) -> DistillationSource | None:
    return next((one for one in sources if fnmatch(name, one.files)), None)


def _sample(n: int, most: int, rng: np.random.Generator) -> Numbers:
    """Return the places of at most `most` of n things, in order; of all where it is 0."""
    if not most or n <= most:
        return np.arange(n)
    return np.sort(rng.permutation(n)[:most])


def _joined(parts: Sequence[Numbers]) -> Numbers:
    return np.concatenate([*parts, np.empty(0, dtype=np.int64)])


def _headwords(entries: Iterable[str]) -> list[str]:
    """Return the distinct words without the readings behind them."""
    return [word for word in dict.fromkeys(READING.sub("", one).strip() for one in entries) if word]


def _sentences(passages: Iterable[str]) -> list[str]:
    """Return the distinct sentences of ordinary length."""
    shortest, longest = SENTENCE_CHARACTERS
    found = dict.fromkeys(
        sentence
        for passage in passages
        for sentence in sentences(passage)
        if shortest <= len(sentence) <= longest
    )
    return list(found)
