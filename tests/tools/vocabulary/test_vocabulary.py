"""Runs of one script, the pieces learned from them, and the texts kept out of both."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("tokenizers")

import pyarrow as arrow
import pyarrow.parquet as parquet
from hypothesis import given
from hypothesis import strategies as st

from konayuki.errors import DatasetError, InputError, NotFoundError
from konayuki.model.tokenizer import build_tokenizer
from konayuki.text import fold
from vocabulary.__main__ import learn, read_vocabulary_recipe, weight_of
from vocabulary.pieces import (
    VocabularySettings,
    count_runs,
    learn_pieces,
    merge_counts,
    runs_of,
    tokenizer_json,
)

TOOLS = Path(__file__).resolve().parents[3] / "tools"
TEXTS = ["日本の歴史を読む", "食べると食べた", "Fuji山は3776メートル", "雪が降る日", "日本の雪"] * 3
RECIPE = 'size = {}\nsmallest_count = 1\n{}\n[weights]\n"" = 1.0\n'


def folder_with(tmp_path: Path, pairs, questions=(), passages=()):
    """Write pairs, and an evaluation set beside them."""
    (tmp_path / "pairs").mkdir()
    queries, positives = zip(*pairs, strict=True)
    table = arrow.table({"query": queries, "positive": positives})
    parquet.write_table(table, tmp_path / "pairs" / "a.parquet")
    held = tmp_path / "eval" / "one"
    held.mkdir(parents=True)
    rows = {
        "corpus": [{"_id": f"d{n}", "text": text} for n, text in enumerate(passages)],
        "queries": [{"_id": f"q{n}", "text": text} for n, text in enumerate(questions)],
        "qrels": [
            {"query-id": f"q{n}", "corpus-id": f"d{n}", "score": 1} for n in range(len(passages))
        ],
    }
    for name, values in rows.items():
        lines = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
        (held / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path / "pairs"


@given(st.text(alphabet="日本々ひらーアブ゙9３aＢé!。 \n한", max_size=30))
def test_runs_are_the_folded_text_without_white_space_cut_where_the_script_changes(text):
    assert "".join(runs_of(fold(text))) == "".join(fold(text).split())


def test_runs_hold_one_script():
    assert runs_of(fold("日本の歴史２冊ＡＢ、タワー")) == [
        *("日本", "の", "歴史", "2", "冊", "ab", "、", "タワー")
    ]


def test_counts_are_weighted_rounded_and_cut():
    counted = [(Counter({"雪": 3, "雨": 1}), 0.5), (Counter({"雪": 1}), 2.0)]
    assert merge_counts(counted, 2) == {"雪": 4}  # 3.5 rounds to even


def test_the_tokenizer_never_joins_two_scripts_and_reads_in_the_runtime():
    pieces = learn_pieces(dict(count_runs(TEXTS)), VocabularySettings(size=36, threads=1))
    content = json.dumps(tokenizer_json(pieces)).encode()
    tokenizer = build_tokenizer(content, Path("tokenizer.json"))
    ids = tokenizer.tokenize(TEXTS).ids

    assert len(pieces) == 36
    assert all(len(runs_of(pieces[number][0])) == 1 for number in set(ids.tolist()) - {0})
    assert "".join(pieces[number][0] for number in ids) == fold("".join(TEXTS))


def test_too_little_text_is_said():
    with pytest.raises(InputError, match="ask for a smaller vocabulary"):
        learn_pieces({"雪": 3}, VocabularySettings(size=500, threads=1))


@pytest.mark.parametrize("piece", ["二 語", "▁雪"])
def test_pieces_with_white_space_are_refused(piece):
    with pytest.raises(InputError, match="white space"):
        tokenizer_json([("<unk>", 0.0), (piece, -1.0)])


def test_the_longest_prefix_gives_the_weight():
    assert weight_of("law-tax.parquet", {"law": 1, "law-": 2, "md": 3}) == 2.0
    assert weight_of("x.parquet", {"law": 3}) == weight_of("x.parquet", {}) == 1.0


def test_json_lines_give_the_pieces_of_the_same_parquet_file_without_weights(tmp_path):
    pairs = list(zip(TEXTS, reversed(TEXTS), strict=True))
    data = folder_with(tmp_path, pairs)
    lines = tmp_path / "lines"
    lines.mkdir()
    rows = [json.dumps({"query": one, "positive": other}) + "\n" for one, other in pairs]
    (lines / "a.jsonl").write_text("".join(rows), encoding="utf-8")
    recipe = tmp_path / "v.toml"
    recipe.write_text("size = 30\nsmallest_count = 1\n", encoding="utf-8")
    for folder in (data, lines):
        learn(read_vocabulary_recipe(recipe), folder, tmp_path / f"{folder.name}.json")

    assert (tmp_path / "pairs.json").read_bytes() == (tmp_path / "lines.json").read_bytes()
    (lines / "a.jsonl").write_text('{"query": "雪", "answer": "冬"}\n', encoding="utf-8")
    with pytest.raises(DatasetError, match=r"a\.jsonl line 1: no column 'positive'"):
        learn(read_vocabulary_recipe(recipe), lines, tmp_path / "t.json")
    with pytest.raises(NotFoundError, match="no file of pairs in"):
        learn(read_vocabulary_recipe(recipe), tmp_path / "eval", tmp_path / "t.json")


def test_pairs_that_show_an_evaluation_text_are_not_counted(tmp_path):
    passage = "鸚鵡" * 25
    pairs = [*zip(TEXTS, reversed(TEXTS), strict=True), ("題", passage), ("玄武岩とは", "岩の名")]
    data = folder_with(tmp_path, pairs, ["玄武岩とは"], [passage])
    recipe = tmp_path / "v.toml"

    def pieces(size, line):
        recipe.write_text(RECIPE.format(size, line), encoding="utf-8")
        dropped = learn(read_vocabulary_recipe(recipe), data, tmp_path / "tokenizer.json")
        content = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
        return dropped, {character for piece, _ in content["model"]["vocab"] for character in piece}

    dropped, seen = pieces(38, "")
    assert dropped == []
    assert set("鸚鵡玄武") <= seen
    dropped, seen = pieces(30, 'decontaminate = ["../eval"]')
    assert dropped == [
        {"source": "a", "reason": "passage", "dropped": 1},
        {"source": "a", "reason": "query", "dropped": 1},
    ]
    assert not set("鸚鵡玄武岩") & seen
    assert "雪" in seen


def test_wrong_vocabulary_recipes_name_the_key(tmp_path):
    recipe = tmp_path / "v.toml"
    with pytest.raises(NotFoundError, match="no recipe"):
        read_vocabulary_recipe(recipe)
    recipe.write_text("size = 3\nsmall = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="'small' is unknown"):
        read_vocabulary_recipe(recipe)
    recipe.write_text("size = 3\n", encoding="utf-8")
    with pytest.raises(InputError, match="'smallest_count' is unknown or missing"):
        read_vocabulary_recipe(recipe)


def test_the_command_says_what_it_left_out(tmp_path):
    data = folder_with(
        tmp_path, [*zip(TEXTS, reversed(TEXTS), strict=True), ("問", "雪国")], ["問"], ["雪"]
    )
    recipe = tmp_path / "v.toml"
    recipe.write_text(RECIPE.format(30, 'decontaminate = ["../eval"]'), encoding="utf-8")
    command = [sys.executable, "-m", "vocabulary", recipe, "--data", data]
    done = subprocess.run(
        [*map(str, command), "--out", tmp_path / "t.json"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TOOLS), *sys.path])},
        capture_output=True,
        text=True,
    )

    assert done.stderr == "a: 1 pairs left out (query)\n"
    assert done.returncode == 0
    assert (tmp_path / "t.json").is_file()
