"""The texts that the teachers embed, and the sets that a step draws from.

From the named sources come queries and passages, sentences of passages, headwords, paraphrases and
sentences crossed from them.
"""

import re
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

from konayuki import text
from konayuki.training.crossing import crossed_groups
from konayuki.training.distillation import Numbers, TextSet
from konayuki.training.recipe import DistillationSource

QUERY, PASSAGE, SENTENCE, PARAPHRASE, WORD = "query", "passage", "sentence", "paraphrase", "word"
CROSSED = "crossed"
KINDS = {  # the teacher's prefix, and the tokens after which it is cut: most texts are shorter
    QUERY: ("query_prefix", 32),
    PASSAGE: ("passage_prefix", 128),
    SENTENCE: ("passage_prefix", 64),
    PARAPHRASE: ("query_prefix", 64),
    WORD: ("query_prefix", 32),
    CROSSED: ("query_prefix", 64),
}
CROSSING_DRAWS = 1  # a stream of its own
SENTENCE_CHARACTERS = (12, 150)
READING = re.compile("[（(].*")


class Gathered:
    """The texts of the sources so far, and the sets that they form."""

    def __init__(self, known: Sequence[str], seed: int) -> None:
        self.taught = Numbering()
        self.paraphrases: list[Numbers] = []  # (n_pairs, 2) of each source
        self._known = known
        self._seed = seed
        self._crossed: list[Numbers] = []
        self._sets: list[TextSet] = []
        self._questions: list[Numbers] = []
        self._apart: list[Numbers] = []

    def add(self, name: str, pairs: Numbers, source: DistillationSource) -> None:
        """Take what the settings ask of one source, whose pairs are text numbers (n, 2)."""
        # Draws of its own: a source that comes or goes changes no other source's texts, so that
        # runs that share a cache share what the teachers said.
        draws = draws_of(name, self._seed)
        some = pairs[sample(len(pairs), source.rows, draws)]
        if source.paraphrases:
            sides = [self._numbers(PARAPHRASE, side) for side in some.T]
            self.paraphrases.append(np.stack(sides, axis=1))
        if source.crossed:
            texts = [(self._known[one], self._known[other]) for one, other in pairs]
            rng = np.random.default_rng((*draws, CROSSING_DRAWS))
            groups = crossed_groups(texts, source.crossed, rng)
            self._crossed += [self.taught.numbers(CROSSED, group) for group in groups]
        if source.pairs:
            queries, passages = self._numbers(QUERY, some[:, 0]), self._numbers(PASSAGE, some[:, 1])
            answers = not source.paraphrases
            self._sets.append(TextSet(name, queries, passages, aligned=True, answers=answers))
            if source.questions:
                self._questions.append(queries)
        if source.words:
            self.taught.numbers(WORD, _headwords(self._texts(some[:, 0])))
        if source.sentences:
            sentences = _sentences(self._texts(some[:, 1]))
            rows = sample(len(sentences), source.sentences, draws)
            numbers = self.taught.numbers(SENTENCE, (sentences[row] for row in rows))
            if not source.pairs:
                self._apart.append(numbers)
                self._sets.append(TextSet(name, numbers, numbers))

    def _texts(self, known: Numbers) -> Iterable[str]:
        return (self._known[number] for number in np.unique(known))

    def _numbers(self, kind: str, known: Numbers) -> Numbers:
        return self.taught.numbers(kind, (self._known[number] for number in known))

    def all_sets(self) -> list[TextSet]:
        """Return the sets of the sources, of the texts of each kind, and those across kinds."""
        sets = list(self._sets)
        for kind in [kind for kind in KINDS if kind != CROSSED]:
            of_kind = np.setdiff1d(self.taught.of_kind(kind), _joined(self._apart))
            sets.append(TextSet(kind, of_kind, of_kind))
        of_sentences = self.taught.of_kind(SENTENCE)
        questions, words = np.unique(_joined(self._questions)), self.taught.of_kind(WORD)
        sets.append(TextSet("questions and sentences", questions, of_sentences))
        sets.append(TextSet("words and sentences", words, of_sentences))
        return sets

    def crossed_set(self) -> TextSet | None:
        """Return the crossed sentences, if there are any."""
        if not self._crossed:
            return None
        of_kind = self.taught.of_kind(CROSSED)
        return TextSet(CROSSED, of_kind, of_kind, groups=np.stack(self._crossed))


class Numbering:
    """Texts by kind, numbered as they come; a text may be of several kinds."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    @property
    def texts(self) -> list[str]:
        """The texts in order of their numbers."""
        return [text for _, text in self._numbers]

    def numbers(self, kind: str, texts: Iterable[str]) -> Numbers:
        """Return the numbers of some texts; new texts get one."""
        numbers = [self._numbers.setdefault((kind, text), len(self._numbers)) for text in texts]
        return np.array(numbers, dtype=np.int64)

    def of_kind(self, kind: str) -> Numbers:
        """Return the numbers of all texts of a kind."""
        numbers = [number for (other, _), number in self._numbers.items() if other == kind]
        return np.array(numbers, dtype=np.int64)


def draws_of(name: str, seed: int) -> tuple[int, int]:
    """Return the seed of a source's own random numbers."""
    return seed, zlib.crc32(name.encode())


def sample(n: int, most: int, draws: tuple[int, int]) -> Numbers:
    """Return at most `most` of the numbers below n, in order; 0 returns all.

    A smaller sample of the same draws lies within a larger one.
    """
    if not most or n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(draws).permutation(n)[:most])


def _joined(parts: Sequence[Numbers]) -> Numbers:
    return np.concatenate([*parts, np.empty(0, dtype=np.int64)])


def _headwords(entries: Iterable[str]) -> list[str]:
    """Return the distinct words without the readings behind them."""
    words = dict.fromkeys(READING.sub("", entry).strip() for entry in entries)
    return [word for word in words if word]


def _sentences(passages: Iterable[str]) -> list[str]:
    """Return the distinct sentences of ordinary length."""
    shortest, longest = SENTENCE_CHARACTERS
    sentences = (sentence for passage in passages for sentence in text.sentences(passage))
    return list(dict.fromkeys(s for s in sentences if shortest <= len(s) <= longest))
