"""Write the figures of READMEs and docs from the result files: `python benchmarks/readme.py`.

`--check` only reports whether the pages agree with the files.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import speed_tables

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SEARCHES = ("search_100k", "search_1m")
PEERS = {
    "konayuki-hybrid": ("**konayuki, hybrid search**", "**konayuki、ハイブリッド検索**"),
    "konayuki": ("konayuki, vectors alone", "konayuki、ベクトルのみ"),
    "e5-small": ("multilingual-e5-small, 4 bits", "multilingual-e5-small、4 ビット"),
    "bm25-words": ("BM25 on words (MeCab, UniDic)", "単語の BM25（MeCab、UniDic）"),
    "use": ("Universal Sentence Encoder, multilingual", "多言語 Universal Sentence Encoder"),
    "chive": ("chiVe word vectors, mean", "chiVe 単語ベクトルの平均"),
}
HEADS = (
    "| mean of four Japanese question sets | nDCG@10 | ms a question, one core | MB |\n"
    "|---|---|---|---|\n",
    "| 日本語の質問 4 セットの平均 | nDCG@10 | 1 問の ms（1 コア） | MB |\n|---|---|---|---|\n",
)
NOTES = (
    "\nEncoding a question takes {question:.1f} us, {ratio:.2f} of what SentencePiece needs to "
    "tokenise it; hybrid search over 100,000 passages {search:.1f} ms (p50, two cores). Made by "
    "[benchmarks/](benchmarks/) (`quality.py`, `speed.py`, `search.py`), "
    "more in [docs/explanation/quality.md](docs/explanation/quality.md).\n",
    "\n質問 1 件の埋め込みは {question:.1f} µs"
    "（SentencePiece の分割だけにかかる時間の {ratio:.2f} 倍）、"
    "10 万件のハイブリッド検索は {search:.1f} ms（中央値、2 コア）。測り方は "
    "[benchmarks/](benchmarks/)（`quality.py`、`speed.py`、`search.py`）、詳しくは "
    "[docs/explanation/quality.md](docs/explanation/quality.md)。\n",
)


def read(name: str) -> dict[str, Any]:
    """Return a result file."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return content


def evidence(language: int) -> str:
    """Return the block of figures: 0 English, 1 Japanese."""
    narrow_first = sorted(read("quality")["rows"], key=lambda row: row["dim"] or 0)
    rows = {row["peer"]: row for row in narrow_first}  # the widest row of a peer stays
    table = [
        f"| {names[language]} | {rows[peer]['mean']['ndcg@10']:.3f} "
        f"| {rows[peer]['ms_per_question']:.2f} | {rows[peer]['megabytes']:.1f} |\n"
        for peer, names in PEERS.items()
        if peer in rows
    ]
    lines = speed_tables.lines_by(read("speed"), 1)
    ours, tokenizing = (
        lines[peer, "questions"]["best_processor_us"] for peer in (speed_tables.OURS, "tokenizing")
    )
    note = NOTES[language].format(
        question=ours,
        ratio=ours / tokenizing,
        search=read("search_100k")["hybrid"]["p50_ms"],
    )
    return HEADS[language] + "".join(table) + note


def blocks() -> dict[str, dict[str, str]]:
    """Return what stands between the marks of each page, by page and mark."""
    speed = read("speed")
    searches = [read(name) for name in SEARCHES if (RESULTS / f"{name}.json").is_file()]
    return {
        **{
            page: {
                "evidence": evidence(language),
                "speed": speed_tables.readme_speed(speed, language),
            }
            for language, page in enumerate(("README.md", "README.ja.md"))
        },
        "docs/explanation/speed.md": {
            "peers": speed_tables.peers_part(speed),
            "costs": speed_tables.costs_part(speed),
            "growth": speed_tables.growth_part(speed),
        },
        "docs/explanation/search.md": {
            "speed": speed_tables.search_part(searches),
            "scan": speed_tables.scan_part(read("scan")),
        },
    }


def renewed(page: str, parts: Mapping[str, str]) -> str:
    """Return a page with the parts between their marks.

    Raises:
        ValueError: The page has no such marks.
    """
    for name, part in parts.items():
        marks = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        if len(marks.findall(page)) != 1:
            raise ValueError(f"expected one part {name!r} between its marks")
        page = marks.sub(lambda found, part=part: f"{found[1]}{part}{found[2]}", page)
    return page


def main() -> int:
    """Renew or check the pages; return 1 if a check fails."""
    stale = []
    for name, parts in blocks().items():
        path = ROOT / name
        page = path.read_text("utf-8")
        new = renewed(page, parts)
        if "--check" not in sys.argv:
            path.write_text(new, "utf-8")
        elif new != page:
            stale.append(name)
    if stale:
        print(f"renew with python benchmarks/readme.py: {', '.join(stale)}")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
