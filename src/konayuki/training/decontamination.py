"""Keep evaluation sets out of training: near-duplicate passages and equal queries.

A training text counts as seen when it shares a run of 40 characters with a relevant passage of an
evaluation set or is that passage, or when its query is one of the set's queries; all are compared
after NFKC, in lower case, without white space. Passages that no question is about may be trained
on: they are the hay, not the needle.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from konayuki.evaluation import RetrievalSet, SimilaritySet, read_sets
from konayuki.text import fold
from konayuki.training.sources import Pair

SHINGLE = 40  # characters: shorter runs are set phrases, which many texts share


def folded(text: str) -> str:
    """Return a text as it is compared: NFKC, lower case, no white space."""
    return "".join(fold(text).split())


def shingles(text: str, length: int = SHINGLE) -> Iterable[str]:
    """Return every run of `length` characters; a shorter text has none."""
    return (text[start : start + length] for start in range(len(text) - length + 1))


@dataclass
class Decontaminator:
    """Finds the pairs that show a text of an evaluation set, and counts them.

    Attributes:
        queries: The folded queries.
        passages: The hashes of all shingles of the relevant passages.
        whole: The folded relevant passages; short ones have no shingle.
        counts: The number of pairs dropped, by (source, reason).
    """

    queries: set[str] = field(default_factory=set)
    passages: set[int] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @classmethod
    def of_folders(cls, folders: Sequence[Path]) -> "Decontaminator":
        """Return the decontaminator of all evaluation sets in some folders."""
        guard = cls()
        for folder in folders:
            for text_set in read_sets(folder):
                guard.add(text_set)
        return guard

    def add(self, text_set: RetrievalSet | SimilaritySet) -> None:
        """Guard one more evaluation set."""
        if isinstance(text_set, SimilaritySet):
            self.queries.update(folded(text) for text in (*text_set.first, *text_set.second))
            return
        self.queries.update(folded(text) for text in text_set.queries.values())
        relevant = {doc_id for gains in text_set.qrels.values() for doc_id in gains}
        for doc_id in relevant:
            passage = folded(text_set.corpus[doc_id].text)
            self.passages.update(map(hash, shingles(passage)))
            self.whole.add(passage)
        self.whole.discard("")

    def reason(self, pair: Pair) -> str:
        """Return why a pair must not be trained on, "" if it may."""
        texts = [folded(text) for text in pair]
        if not self.queries.isdisjoint(texts[:2]):
            return "query"
        if not self.whole.isdisjoint(texts):
            return "passage"
        for text, given in zip(texts, pair, strict=True):
            if len(given) >= SHINGLE and not self.passages.isdisjoint(map(hash, shingles(text))):
                return "passage"
        return ""

    def clean(self, pairs: Iterable[Pair], source: str) -> Iterable[Pair]:
        """Yield the pairs that may be trained on; the others are counted."""
        if not (self.queries or self.whole):
            yield from pairs
            return
        for pair in pairs:
            reason = self.reason(pair)
            if reason:
                self.counts[source, reason] += 1
            else:
                yield pair

    def report(self) -> list[dict[str, Any]]:
        """Return the counts as rows for `train.json`."""
        return [
            {"source": source, "reason": reason, "dropped": dropped}
            for (source, reason), dropped in sorted(self.counts.items())
        ]
