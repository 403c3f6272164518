import gzip
import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from konayuki.cli import main
from konayuki.errors import DimensionError, FormatError, InputError, NotFoundError
from konayuki.model import StaticModel
from konayuki.scale.embedding import EmbedSettings, embed
from konayuki.scale.json_lines import lines_between
from konayuki.scale.vector_columns import as_matrix

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

TEXTS = ["富士山は高い", "図書館で本を借りる", "", "The train leaves at 9:30", "みそ汁"]


@pytest.fixture
def model(tmp_path: Path) -> str:
    from model.samples import small_model

    small_model().save(tmp_path / "model", layout="float")
    return str(tmp_path / "model")


def write_lines(path: Path, records: list[Any]) -> str:
    path.parent.mkdir(exist_ok=True)
    lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
    return str(path)


def numbered(n: int) -> list[dict[str, Any]]:
    return [{"id": i, "text": f"{TEXTS[i % len(TEXTS)]}{i}"} for i in range(n)]


def read(folder: Path | str) -> Any:
    files = sorted(Path(folder).rglob("*.parquet"))
    return arrow.concat_tables([parquet.read_table(file) for file in files])


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "binary", "ubinary"])
def test_every_row_keeps_its_columns_and_gets_the_vector_of_encode(
    tmp_path: Path, model: str, dtype: Any
) -> None:
    records = [{"id": i, "text": text, "tags": ["a"] * i} for i, text in enumerate(TEXTS)]
    source = write_lines(tmp_path / "texts.jsonl", records)

    settings = EmbedSettings(model=model, dim=8, dtype=dtype)
    report = embed(source, str(tmp_path / "out"), settings, workers=1)

    table = read(tmp_path / "out")
    assert (report.rows, report.failed_rows, report.errors) == (5, 0, [])
    assert table.drop_columns("vector").to_pylist() == records
    wanted = StaticModel.load(model).encode(TEXTS, dim=8, dtype=dtype)
    np.testing.assert_array_equal(as_matrix(table.column("vector")), wanted)
    assert table.schema.field("vector").type.list_size == wanted.shape[1]


def test_parts_and_file_kinds_give_the_same_rows_in_the_same_order(
    tmp_path: Path, model: str
) -> None:
    records = numbered(500)
    whole = write_lines(tmp_path / "in" / "texts.jsonl", records)
    table = arrow.Table.from_pylist(records)
    parquet.write_table(table, tmp_path / "in.parquet", row_group_size=70)
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(Path(whole).read_bytes()))
    settings = EmbedSettings(model=model, part_bytes=2000)

    tables = []
    for source in ("in", "in.parquet", "in.jsonl.gz", "in/*.jsonl", "**/texts.jsonl"):
        out = tmp_path / f"out{len(tables)}"
        report = embed(str(tmp_path / source), str(out), settings, workers=1)
        tables.append(read(out))
        assert report.rows == 500
        assert (report.parts > 3) == (not source.endswith(".gz"))

    assert all(table.equals(tables[0]) for table in tables)
    assert tables[0].column("id").to_pylist() == list(range(500))


def test_rows_that_cannot_be_used_are_kept_aside_with_reasons(tmp_path: Path, model: str) -> None:
    bad = [
        "{not json",
        "[1]",
        '{"other": 1}',
        '{"text": null}',
        '{"text": "\\ud800"}',
        '{"text": "\udcff"}',
    ]
    source = write_lines(tmp_path / "texts.jsonl", [{"text": "山"}, *bad, {"text": "本"}])

    report = embed(source, str(tmp_path / "out"), EmbedSettings(model=model), workers=1)

    failed = tmp_path / "out" / "_failed" / "texts.jsonl.00000.jsonl"
    reasons = [json.loads(line) for line in failed.read_text("utf-8").splitlines()]
    assert (report.rows, report.failed_rows) == (2, 6)
    assert [record["line"] for record in reasons[:5]] == bad[:5]
    assert [record["reason"].split(":")[0] for record in reasons] == [
        "not JSON",
        "list instead of an object",
        "no 'text'",
        "'text' is NoneType instead of a string",
        "a lone surrogate, which is not Unicode text",
        "byte 10 of the line is not UTF-8",
    ]
    assert Path(source).read_bytes()[reasons[2]["byte"] :].startswith(b'{"other"')


def test_null_texts_of_parquet_are_kept_aside_by_row(tmp_path: Path, model: str) -> None:
    texts = ["山", None, "本", None, "川"]
    table = arrow.table({"text": texts, "id": list(range(5))})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=2)

    settings = EmbedSettings(model=model, part_bytes=1)
    report = embed(str(tmp_path / "t.parquet"), str(tmp_path / "out"), settings, workers=1)

    assert (report.rows, report.failed_rows, report.parts) == (3, 2, 3)
    assert read(tmp_path / "out").column("id").to_pylist() == [0, 2, 4]
    lines = [p.read_text() for p in sorted((tmp_path / "out" / "_failed").iterdir())]
    assert [json.loads(line)["row"] for line in lines] == [1, 3]


def test_columns_without_a_common_type_become_json_text(tmp_path: Path, model: str) -> None:
    values = [1, "2", None, {"a": 3}]
    records = [{"text": "山", "x": value} for value in values]

    embed(
        write_lines(tmp_path / "t.jsonl", records),
        str(tmp_path / "out"),
        EmbedSettings(model=model),
        workers=1,
    )

    assert read(tmp_path / "out").column("x").to_pylist() == ["1", "2", None, '{"a": 3}']


def test_a_second_run_makes_only_what_is_missing_or_changed(tmp_path: Path, model: str) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    for name in ("a", "b"):
        write_lines(source / f"{name}.jsonl", numbered(100))
    settings = EmbedSettings(model=model, part_bytes=2000)

    first = embed(str(source), str(out), settings, workers=1)
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
    (out / "a.jsonl.00001.parquet").unlink()
    (out / "a.jsonl.00000.parquet").write_bytes(b"PAR1 cut off")
    (out / ".a.jsonl.00001.parquet.0.partial").write_bytes(b"left by a killed writer")
    write_lines(source / "b.jsonl", numbered(10))  # shorter: fewer parts than before
    second = embed(str(source), str(out), settings, workers=1)

    assert first.unchanged == 0
    assert second.parts - second.unchanged == 3
    assert second.rows == len(read(out)) == 110
    same = [p for p in out.glob("a*.parquet") if p.stat().st_mtime_ns == kept[p.name]]
    assert len(same) == second.unchanged
    assert not list(out.glob(".*"))


def test_a_folder_takes_vectors_of_one_kind(tmp_path: Path, model: str) -> None:
    source = write_lines(tmp_path / "t.jsonl", numbered(3))
    embed(source, str(tmp_path / "out"), EmbedSettings(model=model), workers=1)

    with pytest.raises(InputError, match="dim 16: expected dim 8\nhint: choose another folder"):
        embed(source, str(tmp_path / "out"), EmbedSettings(model=model, dim=8), workers=1)


def test_outputs_inside_the_input_folder_are_no_input(tmp_path: Path, model: str) -> None:
    write_lines(tmp_path / "in" / "t.jsonl", numbered(3))
    out = str(tmp_path / "in" / "vectors")

    reports = [
        embed(str(tmp_path / "in"), out, EmbedSettings(model=model), workers=1) for _ in range(2)
    ]

    assert [(report.rows, report.unchanged) for report in reports] == [(3, 0), (3, 1)]


def test_the_command_reports_what_it_did(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_lines(tmp_path / "in" / "t.jsonl", [*numbered(3), "{"])
    options = ["--model", model, "--workers", "1", "--dtype", "ubinary", "--column", "text"]

    assert main(["embed", source, "--out", str(tmp_path / "out"), *options, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert main(["embed", source, "--out", str(tmp_path / "out"), *options]) == 1
    assert main(["embed", source, "--out", str(tmp_path / "out"), "--address", "auto"]) == 2
    (tmp_path / "in" / "bad.jsonl.gz").write_bytes(b"not gzip")
    folder, out = str(tmp_path / "in"), str(tmp_path / "out2")
    assert main(["embed", folder, "--out", out, "--model", model, "--workers", "1"]) == 1

    assert (report["rows"], report["failed_rows"], report["unchanged"]) == (3, 1, 0)
    shown = capsys.readouterr()
    assert "3 vectors in 1 files (1 unchanged), 1 rows set aside, 0 parts failed" in shown.out
    assert f"failed: 1 rows: see {tmp_path / 'out'}/_failed" in shown.err
    assert "expected 'ray'" in shown.err
    assert "bad.jsonl.gz" in shown.err


def test_an_output_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    from konayuki.scale.storage import open_store

    store = open_store(str(tmp_path))
    with pytest.raises(RuntimeError, match="in the middle"), store.writing("out.bin") as stream:
        stream.write(b"half")
        raise RuntimeError("in the middle")

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_used_does_not_stop_the_others(tmp_path: Path, model: str) -> None:
    folder = tmp_path / "in"
    write_lines(folder / "good.jsonl", numbered(3))
    parquet.write_table(arrow.table({"body": ["山"]}), folder / "a.parquet")
    parquet.write_table(arrow.table({"text": [1]}), folder / "b.parquet")
    parquet.write_table(arrow.table({"text": ["山"], "vector": [1]}), folder / "c.parquet")
    (folder / "d.jsonl.gz").write_bytes(b"not gzip")
    write_lines(folder / "e.jsonl", [{"id": 1, "body": "山"}, {"id": 2, "title": "本"}])

    report = embed(str(folder), str(tmp_path / "out"), EmbedSettings(model=model), workers=1)

    assert (report.parts, report.rows) == (1, 3)
    reasons = "\n".join(report.errors)
    assert "no column 'text': expected one of 'body'" in reasons
    assert "column 'text' holds int64" in reasons
    assert "column 'vector' exists already: expected a new name\nhint: choose it" in reasons
    assert "d.jsonl.gz" in reasons
    assert "e.jsonl: no column 'text': expected one of 'id', 'body', 'title'" in reasons
    assert not (tmp_path / "out" / "_failed").exists()


def test_a_run_that_made_nothing_does_not_keep_a_folder_from_the_next(tmp_path, model) -> None:
    source = write_lines(tmp_path / "in.jsonl", numbered(3))
    mistyped = EmbedSettings(model=model, text_column="txt")
    assert "no column 'txt'" in embed(source, str(tmp_path / "out"), mistyped, workers=1).errors[0]

    report = embed(source, str(tmp_path / "out"), EmbedSettings(model=model), workers=1)

    assert (report.rows, report.errors) == (3, [])


def test_any_fsspec_store_serves_as_input_and_output(tmp_path: Path, model: str) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    content = "".join(json.dumps(record) + "\n" for record in numbered(50)).encode()
    memory.pipe("/corpus/year/texts.jsonl", content)
    settings = EmbedSettings(model=model, part_bytes=500)
    try:
        first = embed("memory://corpus", "memory://vectors", settings, workers=1)
        memory.rm("/vectors/year/texts.jsonl.00000.parquet")
        again = embed("memory://corpus/**/*.jsonl", "memory://vectors", settings, workers=1)

        assert first.rows == again.rows == 50
        assert again.parts - again.unchanged == 1
        names = [name for name in memory.find("/vectors") if name.endswith(".parquet")]
        found = [parquet.read_table(io.BytesIO(memory.cat(name))) for name in sorted(names)]
        assert arrow.concat_tables(found).column("id").to_pylist() == list(range(50))
        assert not [name for name in memory.find("/vectors") if name.endswith(".partial")]
    finally:
        memory.rm("/", recursive=True)


def test_file_addresses_are_paths(tmp_path: Path, model: str) -> None:
    source = Path(write_lines(tmp_path / "t.jsonl", numbered(3)))
    out = (tmp_path / "out").as_uri()

    assert embed(source.as_uri(), out, EmbedSettings(model=model), workers=1).rows == 3
    assert len(read(tmp_path / "out")) == 3


def test_files_without_rows_give_files_without_rows(tmp_path: Path, model: str) -> None:
    write_lines(tmp_path / "in" / "a.jsonl", [])
    parquet.write_table(
        arrow.table({"text": arrow.array([], arrow.string())}), tmp_path / "in" / "b.parquet"
    )

    report = embed(
        str(tmp_path / "in"), str(tmp_path / "out"), EmbedSettings(model=model), workers=1
    )

    assert (report.parts, report.rows, report.errors) == (2, 0, [])


@pytest.mark.parametrize(
    ("settings", "options", "error"),
    [
        ({"dtype": "int4"}, {}, InputError),
        ({"dim": 17}, {}, DimensionError),
        ({"part_bytes": 0}, {}, InputError),
        ({}, {"engine": "spark"}, InputError),
        ({}, {"workers": 0}, InputError),
        ({}, {"address": "auto"}, InputError),
        ({"model": "no/such/model/folder"}, {}, NotFoundError),
    ],
)
def test_what_cannot_be_done_is_refused_first(
    tmp_path: Path, model: str, settings: Any, options: Any, error: type[Exception]
) -> None:
    source = write_lines(tmp_path / "t.jsonl", numbered(3))

    with pytest.raises(error):
        embed(
            source, str(tmp_path / "out"), EmbedSettings(**{"model": model, **settings}), **options
        )

    assert not (tmp_path / "out").exists()


def test_input_that_is_not_there_or_no_parquet_is_an_error(tmp_path: Path, model: str) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"no")
    settings = EmbedSettings(model=model)

    with pytest.raises(NotFoundError, match=r"nothing.*expected \.parquet"):
        embed(str(tmp_path / "nothing"), str(tmp_path / "out"), settings)
    with pytest.raises(FormatError, match=r"bad\.parquet"):
        embed(str(tmp_path / "bad.parquet"), str(tmp_path / "out"), settings)
    with pytest.raises(InputError, match="nosuch"):
        embed("nosuch://folder", str(tmp_path / "out"), settings)


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_ranges_share_lines_without_loss_or_repetition(content: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})

    def lines(start: int, stop: int | None) -> list[tuple[int, bytes]]:
        return list(lines_between(io.BytesIO(content), start, stop))

    shared = [line for ends in pairwise(edges) for line in lines(*ends)]

    assert shared == lines(0, None)
    assert all(content[place:].startswith(line) for place, line in shared)
