"""Where pairs come from: files with a catalogue, and data sets of the hub in a local folder."""

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("datasets")
pytest.importorskip("torch", reason="needs the extra train")

import datasets
import pyarrow as arrow
from pyarrow import parquet

from konayuki.errors import DatasetError, NotFoundError
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
    local = [dataclasses.replace(source, hub=str(hub)) for source in CARD.sources]
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

    (stretch,) = prepared.store.stretches
    assert (stretch.name, len(stretch)) == (f"{hub}/mmarco_ja_hard", 3)
    texts = prepared.store.texts()
    assert {texts[number] for number in prepared.store.pairs[:, 2]} == {"違う"}


@pytest.mark.parametrize(
    "change", [{"config": "no_such_config"}, {"split": "no_such_split"}, {"hub": "/no/such/folder"}]
)
def test_what_the_hub_does_not_have_is_named(hub: Path, change, monkeypatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    settings = dataclasses.replace(CARD.sources[0], **{"hub": str(hub), **change})
    (source,) = find_sources([settings], hub)
    with pytest.raises(NotFoundError, match="cannot be had from the hub"):
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
    assert [len(stretch) for stretch in prepared.store.stretches] == [1, 1]
