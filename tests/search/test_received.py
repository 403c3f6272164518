"""An index that somebody sent: nothing outside of its folder is read, written or removed."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from konayuki.choices import MODES
from konayuki.errors import IndexFormatError, InputError, KonayukiError, ReadOnlyError
from konayuki.model import StaticModel
from konayuki.search import Index, Query
from search.corpus import records
from search.stand_in import HashEncoder

MODEL = HashEncoder()
SECRET = b"what the user had written\n"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "i"
    with Index.create(folder, MODEL) as index:
        index.add(records(30))
    return folder


@pytest.fixture
def received(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "received"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of the user with files under names that an index could call its own."""
    folder = tmp_path / "home"
    folder.mkdir()
    names = ("a.idx", "data.store", "7.codes", "7.rows", f"{'a' * 32}.pos", ".tmpAbCdEf", ".bashrc")
    for name in names:
        (folder / name).write_bytes(SECRET)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def use(folder: Path) -> None:
    """Do all that an index can: answers must be right, or an error is one of ours."""
    try:
        with Index.open(folder, MODEL) as index:
            for mode in MODES:
                assert len(index.search("日本の富士山", 50, mode)) > 0
            index.add([{"id": "new", "text": "新しい文書"}])
            assert index.search("新しい文書", 1)[0].id == "new"
            index.delete(["new"])
    except KonayukiError:
        pass


def test_vectors_that_are_links_overwrite_nothing(received: Path, home: Path):
    """The sender's bytes must not reach a file of the user, even if only a search is asked for."""
    vectors = received / "vectors"
    (vectors / "1.codes").unlink()
    (vectors / "1.codes").symlink_to(home / ".bashrc")
    state = json.loads((vectors / "state.json").read_text())
    (vectors / "state.json").write_text(json.dumps({**state, "count": 0, "checksums": [0, 0]}))
    before = contents(home)
    with Index.open(received, MODEL) as index:
        assert len(index.search("日本の富士山", 50, "dense")) == 30
    use(received)
    assert contents(home) == before


@pytest.mark.parametrize("name", ["lexical", "vectors"])
def test_folders_that_are_links_are_not_touched(received: Path, home: Path, name: str):
    shutil.rmtree(received / name)
    (received / name).symlink_to(home)
    before = contents(home)
    use(received)
    assert contents(home) == before


@pytest.mark.parametrize(
    "name", ["writer.lock", "index.json", "documents.db-wal", "documents.db-shm", "documents.db"]
)
@pytest.mark.parametrize("hard", [False, True])
def test_files_that_are_links_are_not_written_through(
    received: Path, home: Path, name: str, hard: bool
):
    if name == "documents.db" and hard:
        pytest.skip("a hard link to a database is a database")
    (received / name).unlink(missing_ok=True)
    if hard:
        (received / name).hardlink_to(home / ".bashrc")
    else:
        (received / name).symlink_to(home / ".bashrc")
    before = contents(home)
    use(received)
    if not (
        hard and name.startswith("documents.db-")
    ):  # SQLite's log is whatever file has its name
        assert contents(home) == before


@pytest.mark.parametrize("part", ["vectors/1.codes", "lexical/meta.json", "writer.lock"])
def test_a_pipe_is_not_waited_for(received: Path, part: str):
    (received / part).unlink()
    os.mkfifo(received / part)
    use(received)


def test_what_tantivy_is_told_to_remove_is_ours(received: Path, home: Path):
    managed = received / "lexical" / ".managed.json"
    listed = json.loads(managed.read_text())
    managed.write_text(json.dumps([*listed, str(home / ".bashrc"), "../../home/a.idx"]))
    before = contents(home)
    for n in range(3):
        use(received)
        with Index.open(received, MODEL) as index:
            index.add([{"id": str(n), "text": "文書"}])
    assert contents(home) == before


def test_foreign_files_in_the_folders_stay(received: Path):
    for folder in ("lexical", "vectors"):
        for name in ("thesis.odt", "notes.idx", "photo.rows", "old.del"):
            (received / folder / name).write_bytes(SECRET)
    (received / "vectors" / "state.json").write_text("{}")
    (received / "lexical" / "meta.json").write_text("{}")
    use(received)
    for folder in ("lexical", "vectors"):
        for name in ("thesis.odt", "notes.idx", "photo.rows", "old.del"):
            assert (received / folder / name).read_bytes() == SECRET


def change(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / "documents.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE documents SET vector = zeroblob(5)",
        "UPDATE documents SET vector = 'text'",
        "UPDATE documents SET text = x'00'",
        "UPDATE documents SET metadata = '{'",
        "UPDATE documents SET metadata = '[1]'",
        "DELETE FROM clock",
        "UPDATE clock SET generation = 'x'",
        "UPDATE clock SET generation = 9223372036854775807",
        "UPDATE clock SET purged = 9223372036854775807",
        "UPDATE sqlite_sequence SET seq = 9223372036854775807",
        "UPDATE sqlite_sequence SET seq = -9",
        "DELETE FROM sqlite_sequence",
        "UPDATE documents SET row = 9223372036854775807 WHERE id = 'd5'",
        "UPDATE documents SET row = -7 WHERE id = 'd5'",
        "UPDATE documents SET died = 9223372036854775807 WHERE id = 'd5'",
        "UPDATE documents SET died = 'x' WHERE id = 'd5'",
        "REPLACE INTO settings VALUES ('erased', '9999')",
        "UPDATE settings SET value = x'00' WHERE name = 'dim'",
        "UPDATE settings SET value = 'zz' WHERE name = 'index_id'",
        "DROP TABLE facts",
        "CREATE TRIGGER t AFTER INSERT ON documents BEGIN DELETE FROM documents; END",
        "CREATE VIEW v AS SELECT * FROM documents",
    ],
)
def test_a_database_of_odd_contents_is_refused_by_name(received: Path, statement: str):
    change(received, statement)
    shutil.rmtree(received / "vectors")
    shutil.rmtree(received / "lexical")
    with pytest.raises(IndexFormatError, match=r"documents\.db|vectors"):
        Index.open(received, MODEL)


def test_names_of_tables_that_are_not_utf_8_are_named(received: Path):
    """The message of SQLite cites them, and cannot be decoded either."""
    content = (received / "documents.db").read_bytes()
    damaged = content.replace(b"tablefactsfacts", b"table\xbcactsfacts")
    damaged = damaged.replace(b"CREATE TABLE facts", b"CREATE TABLE (acts")
    assert damaged.count(b"\xbcacts") == damaged.count(b"(acts") == 1
    (received / "documents.db").write_bytes(damaged)
    with pytest.raises(IndexFormatError, match=r"documents\.db"):
        Index.open(received, MODEL)


def test_facts_that_are_not_json_are_named(received: Path):
    for value in ("'{'", "x'ff'", f"'{'[' * 100_000}'"):
        change(received, f"UPDATE facts SET value = {value} WHERE key = 'lang' AND row = 1")
        with (
            Index.open(received, MODEL) as index,
            pytest.raises(IndexFormatError, match=r"documents\.db.*expected"),
        ):
            index.values("lang")


def test_facts_and_texts_that_are_not_what_they_should_be_are_named_by_queries(received: Path):
    change(received, "INSERT INTO facts VALUES ('tags', x'ff', 1)")
    change(received, "UPDATE documents SET title = x'ff', heading = x'ff' WHERE row = 1")
    with Index.open(received, MODEL) as index:
        for ask in (lambda: index.search(Query.parse("tag:x")), lambda: index.suggest("x")):
            with pytest.raises(IndexFormatError, match=r"documents\.db.*expected"):
                ask()


@pytest.mark.parametrize("part", ["vectors", "tokens"])
@pytest.mark.parametrize("in_state", [True, False])
@pytest.mark.parametrize("epoch", [10**18 - 1, 10**18, 10**19])
def test_file_numbers_at_the_end_of_their_range_are_left(
    tmp_path: Path, part: str, in_state: bool, epoch: int, monkeypatch: pytest.MonkeyPatch
):
    """The next number would have one digit more than we take for ours, and would stay for ever."""
    model = StaticModel.load()  # with rows of tokens
    folder = tmp_path / "i"
    with Index.create(folder, model) as index:
        index.add(records(20))
    state = json.loads((folder / part / "state.json").read_text())
    for path in (folder / part).glob("1.*"):
        path.rename(path.with_name(f"{epoch}{path.suffix}"))
    (folder / part / "state.json").write_text(
        json.dumps(state | ({"epoch": epoch} if in_state else {}))
    )
    monkeypatch.setattr("konayuki.search.derived._DEAD_AT_LEAST", 0)
    for number in range(3):
        with Index.open(folder, model) as index:
            index.delete([f"d{number}"])
            assert len(index.search("日本の富士山", 50)) == len(index) == 19 - number
    names = {path.name.partition(".")[0] for path in (folder / part).iterdir()}
    assert names - {"state", str(epoch)} <= {"1", "2", "3", "4", "5"}


def rights_mean_something() -> bool:
    """Whether a file without rights is closed to us: to root it is not."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0)
        return not os.access(file.name, os.R_OK)


UNREADABLE = """
import sys
sys.path[:0] = sys.argv[2:]
from search.stand_in import HashEncoder
from konayuki.errors import KonayukiError
from konayuki.search import Index
try:
    with Index.open(sys.argv[1], HashEncoder()) as index:
        print("right", [hit.id for hit in index.search("富士山", 3)])
except KonayukiError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("rights", [0, 0o200, 0o300])
@pytest.mark.parametrize("part", ["lexical", "vectors", "documents.db", ""])
def test_what_must_not_be_read_is_named(received: Path, part: str, rights: int):
    """A derived part is made again if possible; never is it the right to write that is missing."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    if rights_mean_something():
        drop = []
    elif shutil.which("setpriv") is None:
        pytest.skip("root may read everything")
    (received / part).chmod(rights)
    try:
        done = subprocess.run(
            [*drop, sys.executable, "-c", UNREADABLE, str(received), *sys.path],
            capture_output=True,
            text=True,
        )
    finally:
        (received / part).chmod(0o700)
    messages = done.stdout + done.stderr
    assert done.returncode == 0, messages
    assert "to write" not in messages
    if part == "" and rights == 0o300:  # files can be reached by name
        assert messages.startswith("right")
    elif part in {"documents.db", ""}:
        assert "expected the right to" in messages and "right [" not in messages
        assert f"\nhint: chmod -R u+rX {received}" in messages
    else:
        assert "right [" in messages or rights > 0
        assert "Permission denied" in messages or (part, rights) == ("vectors", 0o300)


def test_files_in_a_folder_without_the_right_to_read_stay_ours(received: Path):
    (received / "vectors").chmod(0o300)
    with Index.open(received, MODEL) as index:
        index.add([{"id": "new", "text": "新しい文書"}])
    assert (received / "vectors" / "state.json").stat().st_mode & 0o600 == 0o600


def test_a_rollback_journal_is_refused(received: Path):
    """It may name a super-journal, which SQLite would remove."""
    (received / "documents.db-journal").write_bytes(b"x")
    with pytest.raises(IndexFormatError, match=r"documents\.db-journal"):
        Index.open(received, MODEL)


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in paths
    }


@pytest.mark.parametrize("hurt", [None, "vectors/state.json", "lexical/meta.json"])
def test_read_only_changes_nothing_and_answers_all_the_same(received: Path, hurt: str | None):
    with Index.open(received, MODEL) as index:
        expected = [hit.id for hit in index.search("日本の富士山は高い", 10)]
    if hurt:
        (received / hurt).write_bytes(b"")
    before = tree(received)
    with Index.open(received, MODEL, read_only=True) as index:
        assert index.read_only and index.info()["read_only"]
        assert [hit.id for hit in index.search("日本の富士山は高い", 10)] == expected
        assert len(index) == 30
        for write in (
            lambda: index.add([{"id": "a", "text": "b"}]),
            lambda: index.replace([]),
            lambda: index.delete(["d1"]),
            lambda: index.remember_sources({}),
            index.lock,
        ):
            with pytest.raises(ReadOnlyError, match="reading only"):
                write()
    assert tree(received) == before


def test_read_only_follows_a_writer(received: Path):
    with (
        Index.open(received, MODEL) as writer,
        Index.open(received, MODEL, read_only=True) as reader,
    ):
        for number in range(3):
            writer.add([{"id": f"n{number}", "text": f"新着{number}の記事"}])
            assert reader.search(f"新着{number}の記事", 1)[0].id == f"n{number}"


def test_what_was_rebuilt_in_private_follows_a_writer(received: Path):
    (received / "vectors" / "state.json").write_bytes(b"")
    with Index.open(received, MODEL, read_only=True) as reader:
        with Index.open(received, MODEL) as writer:
            writer.add([{"id": "new", "text": "新着の記事"}])
        assert reader.search("新着の記事", 1)[0].id == "new"
        assert len(reader) == 31


# Everything is imported and used once before the rights go: Python itself may lie where the other
# user cannot read.
OTHER_USER = """
import os, sys, shutil, tempfile
sys.path[:0] = sys.argv[2:]
from konayuki.errors import ReadOnlyError
from konayuki.search import Index
from search.stand_in import HashEncoder
warm = tempfile.mkdtemp()
shutil.copytree(sys.argv[1], warm + "/i")
for read_only in (True, False):
    with Index.open(warm + "/i", HashEncoder(), read_only=read_only) as index:
        index.search("富士山"), len(index)
shutil.rmtree(warm)
os.setgroups([]), os.setgid(65534), os.setuid(65534)
with Index.open(sys.argv[1], HashEncoder()) as index:
    print(index.read_only, flush=True)
    for line in sys.stdin:
        print(*[hit.id for hit in index.search(line.strip(), 3)], flush=True)
    try:
        index.add([{"id": "x", "text": "y"}])
    except ReadOnlyError:
        print("refused")
"""
as_root = pytest.mark.skipif(getattr(os, "getuid", lambda: 1)() != 0, reason="asks for root")


def let_others_read(folder: Path) -> None:
    for path in (folder.parent, folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def shared(whole: Path):
    """A copy that other users may read but not change."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(whole, Path(folder) / "i"))
        let_others_read(copy)
        yield copy


@pytest.fixture
def other_user(shared: Path):
    """A process of another user that has the shared index open and answers its input."""
    command = [sys.executable, "-c", OTHER_USER, str(shared), *sys.path]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process


def ask(process: subprocess.Popen, query: str) -> list[str]:
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(f"{query}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    assert answer, process.stderr.read()
    return answer.split()


@as_root
def test_the_right_to_read_is_enough(shared: Path, other_user: subprocess.Popen):
    assert other_user.stdout and other_user.stdin
    first = other_user.stdout.readline()
    assert first == "True\n", other_user.stderr and other_user.stderr.read()
    with Index.open(shared, MODEL) as index:
        expected = [hit.id for hit in index.search("日本の富士山", 3)]
    assert ask(other_user, "日本の富士山") == expected
    with Index.open(shared, MODEL) as index:
        for number in range(3):
            index.add([{"id": f"late{number}", "text": f"まったく別の話題{number}"}])
            let_others_read(shared)
            assert ask(other_user, f"まったく別の話題{number}")[0] == f"late{number}"
    assert ask(other_user, "まったく別の話題")[0].startswith("late")
    other_user.stdin.close()
    assert other_user.stdout.readline() == "refused\n"


@as_root
def test_a_log_that_nobody_has_open_is_read_by_other_users(shared: Path):
    """As after a copy of an index that is being written, onto read-only media."""
    with Index.open(shared, MODEL) as index, tempfile.TemporaryDirectory() as folder:
        index.add([{"id": "late", "text": "まったく別の話題"}])
        copy = Path(shutil.copytree(shared, Path(folder) / "i"))
        (copy / "documents.db-shm").unlink()
        let_others_read(copy)
        command = [sys.executable, "-c", OTHER_USER, str(copy), *sys.path]
        done = subprocess.run(command, input="別の話題\n", capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "True" and lines[1].split()[0] == "late" and lines[2] == "refused", done


def test_a_folder_is_private_and_its_files_follow_it(tmp_path: Path):
    with Index.create(tmp_path / "new", MODEL) as index:
        index.add(records(5))
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "new").glob("*"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "new/vectors").glob("*"))
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    with Index.create(tmp_path / "open", MODEL) as index:
        index.add(records(5))
    assert (tmp_path / "open" / "documents.db").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "open" / "vectors" / "1.codes").stat().st_mode & 0o777 == 0o644


def test_a_creation_that_was_killed_does_not_lock_its_folder_out(tmp_path: Path):
    folder = tmp_path / "i"
    folder.mkdir()
    for name in (
        "documents.new",
        "documents.new-journal",
        ".documents.0123456789ab.partial.db",
        ".documents.0123456789ab.partial.db-wal",
        "writer.lock",
    ):
        (folder / name).write_bytes(b"half")
    with Index.create(folder, MODEL) as index:
        index.add(records(3))
    assert not list(folder.glob("*new*")) and not list(folder.glob(".doc*"))
    with pytest.raises(InputError, match="already exists"):
        Index.create(folder, MODEL)


def test_an_opening_that_fails_leaves_nothing_behind(
    received: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (received / "vectors" / "state.json").unlink()  # a reader makes the vectors in private
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    def fail(*_: object) -> None:
        raise IndexFormatError("no")

    monkeypatch.setattr("konayuki.search.derived.Derived.repair", fail)
    with pytest.raises(IndexFormatError):
        Index.open(received, MODEL, read_only=True)
    assert not list((tmp_path / "temporary").iterdir())
