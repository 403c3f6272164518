"""The verbs index and search."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from konayuki.cli import main
from konayuki.cli.search import read_where
from konayuki.errors import InputError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from model.samples import small_model

    folder = tmp_path_factory.mktemp("model") / "model"
    small_model().save(folder, layout="float")
    return folder


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("notes")
    folder.mkdir()
    (folder / "fuji.md").write_text("# 富士山\n## 高さ\n富士山は3776メートルである。", "utf-8")
    (folder / "lake.txt").write_bytes("琵琶湖は日本一広い。\x1b[31m".encode("cp932"))
    (folder / "rows.csv").write_text("id,text,lang\nr1,図書館で本を借りる,ja\n", "utf-8")
    return folder


def run(model: Path, *arguments: object) -> int:
    return main([*map(str, arguments), "--model", str(model)])


def test_files_are_indexed_and_found(model: Path, notes: Path, capsys: pytest.CaptureFixture[str]):
    assert run(model, "index", notes, "--out", "i.konayuki", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["documents"], report["files"], report["skipped"]) == (3, 3, [])
    assert run(model, "search", "i.konayuki", "富士山の高さ", "--json", "-k", 2) == 0
    best, _ = map(json.loads, capsys.readouterr().out.splitlines())
    assert (best["id"], best["heading"], best["rank"]) == ("notes/fuji.md#0", "高さ", 1)
    assert {"score", "lexical", "dense", "text", "title", "metadata", "query"} <= set(best)


def test_a_second_run_reads_only_what_changed(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str]
):
    run(model, "index", notes, "--out", "i")
    (notes / "lake.txt").unlink()
    (notes / "fuji.md").write_text("新しい本文。", "utf-8")
    capsys.readouterr()
    assert run(model, "index", notes, "--out", "i", "--prune") == 0
    assert capsys.readouterr().out == (
        "i: 2 passages; 1 new from 2 files (1 unchanged), 1 removed, 1 file gone\n"
    )


def test_hits_are_shown_with_heading_file_and_parts_of_the_score(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str]
):
    run(model, "index", notes, "--out", "i")
    capsys.readouterr()
    run(model, "search", "i", "富士山", "-k", "1")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == " 1. 富士山 > 高さ  notes/fuji.md:3"
    assert lines[1] == "    富士山は3776メートルである。"
    assert lines[2].startswith("    relevance ")
    assert "words" in lines[2] and "meaning" in lines[2]


def test_matches_are_coloured_on_a_terminal_unless_refused(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    run(model, "index", notes, "--out", "i")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    capsys.readouterr()
    run(model, "search", "i", "琵琶湖", "--mode", "lexical")
    shown = capsys.readouterr().out
    assert "\x1b[1;33m琵琶湖\x1b[0mは日本一広い。" in shown
    assert "\x1b[31m" not in shown  # what stands in a document does not steer the terminal
    monkeypatch.setenv("NO_COLOR", "1")
    run(model, "search", "i", "琵琶湖", "--mode", "lexical")
    assert "\x1b" not in capsys.readouterr().out


def test_wide_spaces_and_joined_emoji_are_shown_as_they_are(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str]
):
    (notes / "law.md").write_text(
        "# 第一章\u3000総則\x1b[31m\n家族👨\u200d👩\u200d👧の規則", "utf-8"
    )
    run(model, "index", notes / "law.md", "--out", "i")
    capsys.readouterr()
    run(model, "search", "i", "総則")
    title, text, _ = capsys.readouterr().out.splitlines()
    assert title == " 1. 第一章\u3000総則[31m  notes/law.md:2"
    assert text == "    家族👨\u200d👩\u200d👧の規則"


def test_what_the_encoding_of_the_output_lacks_is_escaped(model: Path, notes: Path):
    (notes / "sushi.txt").write_text("寿司🍣", "utf-8")
    run(model, "index", notes / "sushi.txt", "--out", "i")
    command = [sys.executable, "-m", "konayuki", "search", "i", "寿司", "--model", str(model)]
    environment = {**os.environ, "PYTHONIOENCODING": "cp932"}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert "寿司\\U0001f363" in done.stdout.decode("cp932")
    assert not done.stderr


def test_queries_and_records_come_from_stdin(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    lines = '{"id": "a", "text": "富士山"}\n{"id": "b", "text": "図書館"}\n'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert run(model, "index", "-", "--out", "i") == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("富士山\n\n図書館\n"))
    capsys.readouterr()
    run(model, "search", "i", "-", "--json", "-k", "1", "--mode", "lexical")
    hits = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(hit["query"], hit["id"]) for hit in hits] == [("富士山", "a"), ("図書館", "b")]


def test_a_filter_is_read_from_conditions(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str]
):
    run(model, "index", notes, "--out", "i")
    capsys.readouterr()
    run(model, "search", "i", "富士山", "--json", "--where", "lang=ja")
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["r1"]
    assert read_where(["a=x", "a=3", "b=true", "c=k=v", "d="]) == {
        "a": ["x", "3", 3], "b": ["true", True], "c": ["k=v"], "d": [""],
    }  # fmt: skip
    with pytest.raises(InputError, match="expected KEY=VALUE"):
        read_where(["a"])


def found(model: Path, capsys: pytest.CaptureFixture[str], *arguments: object) -> list[dict]:
    capsys.readouterr()
    assert run(model, "search", "i", *arguments, "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_phrases_exclusions_and_filters_are_understood(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str]
):
    run(model, "index", notes, "--out", "i")
    ids = [hit["id"] for hit in found(model, capsys, '"日本一広い"')]
    assert ids == ["notes/lake.txt#0"]
    assert {hit["id"] for hit in found(model, capsys, "本 -琵琶湖 －富士山")} == {"r1"}
    assert found(model, capsys, "kind:csv")[0]["place"].startswith("notes/rows.csv")
    assert found(model, capsys, "tag:nothing") == []
    assert len(found(model, capsys, "kind:csv", "--plain")) == 3


def test_hits_are_put_together_by_file_and_sorted_by_date(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str]
):
    for month in (1, 3, 2):
        head = f"---\ndate: 2024-0{month}-05\n---\n# 日記{month}\n"
        (notes / f"{month}.md").write_text(f"{head}## 朝\n富士山へ。\n## 夜\n富士山で。", "utf-8")
    run(model, "index", notes, "--out", "i")
    hits = found(model, capsys, "富士山 path:/1.md,/2.md,/3.md", "--by-file", "--sort", "date")
    assert [hit["metadata"]["path"] for hit in hits] == ["notes/3.md", "notes/2.md", "notes/1.md"]
    assert [hit["more"] for hit in hits] == [1, 1, 1]
    run(model, "search", "i", "富士山", "--by-file", "-k", "5")
    assert "    1 more in this file" in capsys.readouterr().out.splitlines()
    run(model, "search", "i", "kind:md after:2024-03")
    assert "    2024-03-05" in capsys.readouterr().out.splitlines()


def test_an_answer_without_anything_relevant_says_so(
    notes: Path, capsys: pytest.CaptureFixture[str]
):
    main(["index", str(notes), "--out", "i"])
    capsys.readouterr()
    main(["search", "i", "zzzzqqqq"])
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "nothing is likely to answer 'zzzzqqqq'; what is nearest:"
    assert second.startswith(" 1. ")
    main(["search", "i", "富士山の高さ"])
    assert capsys.readouterr().out.startswith(" 1. ")


def test_hits_are_shown_without_blank_lines_and_repeated_places(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str]
):
    (notes / "chat.csv").write_text("text\n公園口で集合\n", "utf-8")
    run(model, "index", notes / "chat.csv", "--out", "i")
    capsys.readouterr()
    run(model, "search", "i", "kind:csv")
    assert capsys.readouterr().out.splitlines() == [" 1. notes/chat.csv:2", "    公園口で集合"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("-k", 1, "富士山"),
        ("高さ", "-k", 1, "富士山"),
        ("-k", 1, "富士山 -琵琶湖"),
        ("-k", 1, "-琵琶湖 富士山"),
    ],
)
def test_a_query_may_stand_behind_options(
    model: Path,
    notes: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[object, ...],
):
    run(model, "index", notes, "--out", "i")
    capsys.readouterr()
    hits = found(model, capsys, *arguments)
    assert [hit["metadata"]["path"] for hit in hits] == ["notes/fuji.md"]


def test_a_query_of_an_exclusion_stands_behind_two_dashes(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str]
):
    run(model, "index", notes, "--out", "i")
    capsys.readouterr()
    assert main(["search", "i", "--model", str(model), "-k", "9", "--", "-琵琶湖"]) == 0
    assert "lake.txt" not in (out := capsys.readouterr().out)
    assert "fuji.md" in out


def test_an_unknown_option_behind_a_query_is_refused(
    notes: Path, capsys: pytest.CaptureFixture[str]
):
    for arguments in (["-k", "1", "富士山", "--sorted"], ["富士山", "-rf"]):
        with pytest.raises(SystemExit):
            main(["search", "i", *arguments])
        assert "unrecognized arguments" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["get", "i", "a", "b"])


def test_what_is_like_a_passage_is_found(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str]
):
    run(model, "index", notes, "--out", "i")
    ids = [hit["id"] for hit in found(model, capsys, "--like", "notes/lake.txt#0")]
    assert set(ids) == {"notes/fuji.md#0", "r1"}
    assert run(model, "search", "i", "--like", "nothing") == 1
    assert "there is no document 'nothing'" in capsys.readouterr().err
    assert run(model, "search", "i") == 2
    assert run(model, "search", "i", "富士山", "--like", "r1") == 2


def test_a_file_that_cannot_be_read_fails_the_run_but_not_the_others(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str]
):
    (notes / "bad.txt").write_bytes(b"\0")
    assert run(model, "index", notes, "--out", "i") == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("skipped: notes/bad.txt: holds zero bytes")
    assert captured.out.startswith("i: 3 passages")


def test_a_mistyped_path_leaves_no_index(model: Path, notes: Path):
    assert run(model, "index", notes, "nosuch", "--out", "q") == 1
    assert not Path("q").exists()


def test_what_was_left_out_is_told(model: Path, notes: Path, capsys: pytest.CaptureFixture[str]):
    (notes / "rows.csv").write_text("id,text\n1,山\n1,川\n2,\n", "utf-8")
    (notes / "a.zip").write_bytes(b"PK")
    assert run(model, "index", notes, "--out", "i") == 0
    captured = capsys.readouterr()
    assert captured.out.endswith(
        "0 removed, 1 empty row left out, 1 file of other kinds left out (.zip)\n"
    )
    assert captured.err == "warning: notes/rows.csv: id '1' more than once: the last row counts\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["index", "notes/bad.csv", "--out", "i"],
            1,
            "notes/bad.csv: no column with text: expected one called 'text'",
        ),
        (["index", "notes/bad.txt", "--out", "i"], 1, "holds zero bytes"),
        (["search", "nowhere", "富士山"], 1, "documents.db does not exist"),
        (
            ["search", "富士山", "の 高さ", "found"],
            2,
            "富士山 is not an index, but found is: expected the index first\n"
            "hint: konayuki search found '富士山' 'の 高さ'",
        ),
        (["index", "nowhere", "--out", "i"], 1, "nowhere does not exist"),
        (["index", "notes", "--out", "notes"], 2, "notes already exists"),
        (["index", "notes", "--out", "i", "--chunk-size", "0"], 2, "expected a positive size"),
    ],
)
def test_mistakes_are_told_in_a_line(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str], arguments, code, message
):
    (notes / "bad.csv").write_text("a,b\n1,2\n", "utf-8")
    (notes / "bad.txt").write_bytes(b"\0")
    if "found" in arguments:
        run(model, "index", notes / "rows.csv", "--out", "found")
    assert run(model, *arguments) == code
    assert message in capsys.readouterr().err


def test_numbers_agree_with_their_nouns(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str]
):
    run(model, "index", notes / "rows.csv", "--out", "i")
    assert capsys.readouterr().out == "i: 1 passage; 1 new from 1 file (0 unchanged), 0 removed\n"


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_search_for_no_hits_is_refused(
    model: Path, notes: Path, capsys: pytest.CaptureFixture[str], number: str
):
    with pytest.raises(SystemExit, match="2"):
        run(model, "search", "i", "山", "-k", number)
    assert f"argument -k: {number!r}: expected a whole number above 0" in capsys.readouterr().err
