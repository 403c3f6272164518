"""Where pairs come from: files with a catalogue, and data sets of the hub in a local folder."""

import json
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("datasets")
pytest.importorskip("torch", reason="needs the extra train")

import datasets
import numpy as np
import pyarrow as arrow
from pyarrow import parquet

from konayuki.errors import DatasetError, InputError, NotFoundError
from konayuki.training.preparation import prepare
from konayuki.training.recipe import SourceSettings
from konayuki.training.recipe_file import read_recipe, recipe_from
from konayuki.training.sources import Pair, find_sources, read_catalogue, read_pairs

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
CARD = read_recipe(RECIPES / "card.toml")
CARD_SETS = [
    "hpprc_emb__auto-wiki-nli-triplet",
    "hpprc_emb__jqara",
    "hpprc_emb__jagovfaqs",
    "hpprc_emb__jsquad",
    "hpprc_emb__jaquad",
    "hpprc_emb__mkqa-triplet",
    "hpprc_llmjp-kaken",
    "hpprc_msmarco_ja",
    "hpprc_emb__auto-wiki-qa-nemotron",
    "mldr_ja",
    "mrtydi_ja",
    "miracl_ja",
    "mmarco_ja",
    "mmarco_ja_hard",
]

pytestmark = pytest.mark.filterwarnings("ignore")  # of the hub's client


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the 14 sets of the card in the layout of the hub's repository."""
    folder = tmp_path_factory.mktemp("hub")
    lines = ["---", "configs:"]
    for name in CARD_SETS:
        lines += [f"- config_name: {name}", "  data_files:", "  - split: train"]
        lines += [f"    path: {name}/train-*"]
        (folder / name).mkdir()
        rows = {
            "anchor": [f"{name} 問い{n}" for n in range(3)],
            "positive": [f"{name} 答え{n}" for n in range(3)],
            "negative": ["違う"] * 3,
        }
        for part in (0, 1):
            file = f"train-0000{part}-of-00002.parquet"
            table = arrow.table({key: values[part::2] for key, values in rows.items()})
            parquet.write_table(table, folder / name / file)
    (folder / "README.md").write_text("\n".join([*lines, "---"]), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")


def test_the_card_names_its_14_sets() -> None:
    assert [source.config for source in CARD.sources] == CARD_SETS
    assert {source.hub for source in CARD.sources} == {"hotchpotch/sentence_transformer_japanese"}


def test_every_set_of_the_card_reads_from_a_folder_in_the_hubs_layout(hub: Path) -> None:
    local = [source.model_copy(update={"hub": str(hub)}) for source in CARD.sources]
    sources = find_sources(local, hub)

    assert [source.name for source in sources] == [f"{hub}/{name}" for name in CARD_SETS]
    for source, name in zip(sources, CARD_SETS, strict=True):
        assert sorted(read_pairs(source)) == [
            Pair(f"{name} 問い{n}", f"{name} 答え{n}") for n in range(3)
        ]


def test_a_third_column_is_the_negative_and_a_run_is_prepared_from_the_hub(hub: Path) -> None:
    columns = ["anchor", "positive", "negative"]
    source = {"hub": str(hub), "config": "mmarco_ja_hard", "columns": columns}
    recipe = recipe_from({"sources": [source]})
    prepared = prepare(recipe, hub, hub / "cache", hub)

    (stretch,) = prepared.store.sources
    assert (stretch.name, len(stretch)) == (f"{hub}/mmarco_ja_hard", 3)
    texts = prepared.store.texts()
    assert {texts[number] for number in prepared.store.pairs[:, 2]} == {"違う"}


@pytest.mark.parametrize(
    "change", [{"config": "no_such_config"}, {"split": "no_such_split"}, {"hub": "/no/such/folder"}]
)
def test_what_the_hub_does_not_have_is_named(hub: Path, change, monkeypatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    settings = CARD.sources[0].model_copy(update={"hub": str(hub), **change})
    (source,) = find_sources([settings], hub)
    with pytest.raises(NotFoundError, match="cannot be loaded from the hub"):
        list(read_pairs(source))


def write(folder: Path, name: str, *pairs: tuple[str, str]) -> None:
    columns = dict(zip(("query", "positive"), map(list, zip(*pairs, strict=True)), strict=True))
    parquet.write_table(arrow.table(columns), folder / name)


def test_a_file_belongs_to_the_first_pattern_and_takes_its_licence_from_the_catalogue(tmp_path):
    for name in ("qa-a.parquet", "qa-b.parquet", "other.parquet"):
        write(tmp_path, name, ("問い", name))
    (tmp_path / "SOURCES.tsv").write_text(
        "file\trows\tsource\tlicence\nqa-a.parquet\t1\there\tCC0\n", encoding="utf-8"
    )
    settings = [SourceSettings(files="qa-*", weight=2.0), SourceSettings(files="*.parquet")]
    sources = find_sources(settings, tmp_path)

    assert [(one.name, one.settings.weight, one.origin, one.licence) for one in sources] == [
        ("qa-a", 2.0, "here", "CC0"),
        ("qa-b", 2.0, "", ""),
        ("other", 1.0, "", ""),
    ]
    (named,) = find_sources([SourceSettings(files="qa-a*", licence="MIT")], tmp_path)
    assert named.licence == "MIT"


def test_a_catalogue_without_its_columns_is_named(tmp_path):
    (tmp_path / "SOURCES.tsv").write_text("file\tlicence\na\tb\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="no column 'source'"):
        read_catalogue(tmp_path / "SOURCES.tsv")


def test_pairs_are_trimmed_and_what_teaches_nothing_is_dropped_and_counted(tmp_path):
    pairs = [
        (" 雪 ", "冬\n"),
        ("", "冬"),
        ("雪", "  "),
        ("同じ", " 同じ"),
        ("雪", "冬"),
        ("雪", "春"),
    ]
    write(tmp_path, "a.parquet", *pairs)
    (source,) = find_sources([SourceSettings(files="a.parquet")], tmp_path)
    dropped: Counter[tuple[str, str]] = Counter()

    assert list(read_pairs(source, dropped)) == [
        Pair("雪", "冬"),
        Pair("雪", "冬"),
        Pair("雪", "春"),
    ]
    assert dropped == {("a", "empty side"): 2, ("a", "equal sides"): 1}


def test_the_record_says_what_was_left_out_and_why(tmp_path):
    write(tmp_path, "a.parquet", ("雪", "冬"), ("雪", "冬"), ("雨", "雨"))
    write(tmp_path, "b.parquet", ("雪", "冬"), ("月", "夜"))
    prepared = prepare(
        recipe_from({"sources": [{"files": "*.parquet"}]}), tmp_path, tmp_path / "cache", tmp_path
    )

    assert list(prepared.store.dropped) == [
        {"source": "a", "reason": "equal sides", "dropped": 1},
        {"source": "a", "reason": "repeated", "dropped": 1},
        {"source": "b", "reason": "repeated", "dropped": 1},
    ]
    assert [len(stretch) for stretch in prepared.store.sources] == [1, 1]


def write_lines(path: Path, *rows: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_a_negative_column_is_read_where_the_recipe_names_no_columns(tmp_path):
    rows = [
        {"query": "雪", "positive": "冬", "negative": " 夏 "},
        {"query": "月", "positive": "夜", "negative": None},
        {"query": "日", "positive": "昼", "negative": ""},
        {"query": "雨", "positive": "傘"},
    ]
    write_lines(tmp_path / "a.jsonl", *rows)
    table = {name: [row.get(name) for row in rows] for name in ("query", "positive", "negative")}
    parquet.write_table(arrow.table(table), tmp_path / "b.parquet")
    expected = [Pair("雪", "冬", "夏"), Pair("月", "夜"), Pair("日", "昼"), Pair("雨", "傘")]

    for settings in recipe_from({"sources": [{"files": "a.*"}, {"files": "b.*"}]}).sources:
        (source,) = find_sources([settings], tmp_path)
        assert list(read_pairs(source)) == expected
        named = source.settings.model_copy(update={"columns": ("query", "positive")})
        (source,) = find_sources([named], tmp_path)
        assert list(read_pairs(source)) == [Pair(*pair[:2]) for pair in expected]


def test_the_shipped_recipes_train_on_no_negative():
    for name in ("konayuki-ja", "control"):
        sources = read_recipe(RECIPES / f"{name}.toml").sources
        (jsick,) = (one for one in sources if one.files.startswith("nli-"))
        assert jsick.columns == ("query", "positive")  # nli-jsick-train has a third


def test_a_negative_that_is_a_side_of_its_pair_is_dropped_and_counted(tmp_path):
    write_lines(
        tmp_path / "a.jsonl",
        {"query": "雪", "positive": "冬", "negative": "冬 "},
        {"query": "月", "positive": "夜", "negative": "月"},
    )
    (source,) = find_sources([SourceSettings(files="a.jsonl")], tmp_path)
    dropped: Counter[tuple[str, str]] = Counter()

    assert list(read_pairs(source, dropped)) == [Pair("雪", "冬"), Pair("月", "夜")]
    assert dropped == {("a", "negatives equal to a side"): 2}


def test_files_that_share_a_stem_are_all_read_and_named_by_their_paths(tmp_path):
    for path in ("x/pairs.jsonl", "y/pairs.jsonl", "y/other.jsonl"):
        write_lines(tmp_path / path, {"query": path, "positive": "冬"})
    write(tmp_path, "pairs.parquet", ("雪", "冬"))
    (tmp_path / "SOURCES.tsv").write_text(
        "file\tsource\tlicence\ny/pairs.jsonl\tthere\tMIT\nother.jsonl\there\tCC0\n",
        encoding="utf-8",
    )
    settings = [SourceSettings(files="*/*.jsonl"), SourceSettings(files="*.parquet")]
    sources = find_sources([*settings, SourceSettings(files="x/*")], tmp_path)

    assert [(one.name, one.licence) for one in sources] == [
        ("x/pairs.jsonl", ""),
        ("other", "CC0"),
        ("y/pairs.jsonl", "MIT"),
        ("pairs.parquet", ""),
    ]
    assert [pair.query for one in sources for pair in read_pairs(one)] == [
        "x/pairs.jsonl",
        "y/other.jsonl",
        "y/pairs.jsonl",
        "雪",
    ]


def test_no_name_of_a_file_leads_out_of_the_results(tmp_path):
    for path in ("x/a.jsonl", "y/a.jsonl"):
        write_lines(tmp_path / path, {"query": path, "positive": "冬"})
    settings = [SourceSettings(files="*.jsonl"), SourceSettings(files="../y/*.jsonl")]

    assert [one.name for one in find_sources(settings, tmp_path / "x")] == [
        "a.jsonl",
        "up/y/a.jsonl",
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"negative": ["夏", "春"]}, r"'negative' is \['夏', '春'\]: expected a string\nhint: "),
        ({"positive": "冬\ud800"}, r"'positive' has half a character, '\\ud800', at 1: expected"),
        ({"query": 3}, "'query' is 3: expected a string"),
        ({"query": None}, r"\[None, '冬'\]: expected strings"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_its_line(tmp_path, row, message):
    pair = {"query": "雪", "positive": "冬"}
    write_lines(tmp_path / "a.jsonl", pair, {**pair, **row})
    with (tmp_path / "a.jsonl").open("r+", encoding="utf-8") as file:
        content = file.read()
        file.seek(0)
        file.write("\n" + content)  # an empty line is no row, but counts
    (source,) = find_sources([SourceSettings(files="a.jsonl")], tmp_path)
    with pytest.raises(DatasetError, match=rf"a\.jsonl line 3: {message}"):
        list(read_pairs(source))


@pytest.mark.parametrize("pattern", ["/data/*.jsonl", "/"])
def test_a_pattern_that_leads_nowhere_is_named(tmp_path, pattern):
    with pytest.raises(InputError, match=r"sources\.files is '/.*\nhint: name the data folder"):
        find_sources([SourceSettings(files=pattern)], tmp_path)


def test_the_vectors_of_pieces_are_kept_by_tokenizer(tmp_path, monkeypatch):
    from konayuki.training import preparation
    from konayuki.training.preparation import network_of

    class Sizes:
        """A teacher that says how many pieces it was asked about."""

        load = classmethod(lambda cls: cls())

        def encode(self, pieces, prefix, *, max_tokens):
            asked.append(len(pieces))
            return np.random.default_rng(0).normal(size=(len(pieces), 8)).astype("f2")

    asked: list[int] = []
    monkeypatch.setattr(preparation, "Teacher", Sizes)
    write(tmp_path, "a.parquet", ("雪", "冬"))
    pieces = [["<unk>", 0.0], ["雪", -1.0], ["冬", -2.0]]
    for n_pieces in (3, 2, 3):
        model = {"type": "Unigram", "unk_id": 0, "vocab": pieces[:n_pieces]}
        (tmp_path / "t.json").write_text(json.dumps({"version": "1.0", "model": model}), "utf-8")
        settings = {"tokenizer": "t.json", "piece_vectors": "teacher", "dims": [4]}
        recipe = recipe_from({"sources": [{"files": "*.parquet"}], "model": settings})
        prepared = prepare(recipe, tmp_path, tmp_path / "cache", tmp_path)
        network_of(prepared, recipe, tmp_path, tmp_path / "cache")
    assert asked == [3, 2]
    assert not list((tmp_path / "cache").glob("*.partial*"))
