"""Who may call the service: keys, and what needs none."""

from pathlib import Path

import pytest

from konayuki.errors import InputError, NotFoundError
from konayuki.serving.settings import read_keys
from serving.live import Live, Reply
from serving.records import FUJI, KEY

REQUESTS = [
    ("GET", "/", None),
    ("GET", "/page/app.js", None),
    ("GET", "/health", None),
    ("GET", "/ready", None),
    ("GET", "/info", None),
    ("GET", "/metrics", None),
    ("GET", "/openapi.json", None),
    ("GET", "/v1/models", None),
    ("POST", "/v1/embeddings", {"model": "konayuki", "input": "雪"}),
    ("POST", "/search", {"query": "富士山"}),
    ("GET", "/search?q=a", None),
    ("POST", "/documents", {"documents": [{"id": "evil", "text": "雪"}]}),
    ("GET", "/documents/fuji", None),
    ("DELETE", "/documents/fuji", None),
    ("PUT", "/files/a.txt", b"abc"),
    ("POST", "/similarity", {"sentences": ["雪"]}),
    ("GET", "/nowhere", None),
    ("PATCH", "/search", None),
]
PUBLIC = {"/", "/page/app.js", "/health", "/ready"}


WRONG = [
    {"Authorization": f"Bearer {KEY}x"},
    {"Authorization": f"Bearer {KEY[:-1]}"},
    {"Authorization": "Bearer "},
    {"Authorization": f"Basic {KEY}"},
    {"Authorization": KEY},
    {"Authorization": "Bearer \xff\xfe"},
    {"X-API-Key": "wrong"},
    {"Authorization": "Bearer wrong", "X-API-Key": KEY},
]


def check_refused(reply: Reply) -> None:
    assert reply.status == 401
    assert list(reply.json) == ["error"]
    assert reply.code == "invalid_api_key"
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert KEY.encode() not in reply.body


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_a_wrong_key_gets_401_and_nothing_else(
    keyed: Live, method: str, path: str, body: object
) -> None:
    check_refused(keyed.call(method, path, body, headers=WRONG[0]))


@pytest.mark.parametrize("headers", WRONG, ids=str)
def test_a_key_is_wrong_in_many_ways(keyed: Live, headers: dict[str, str]) -> None:
    for method, path, body in REQUESTS[8:11]:
        check_refused(keyed.call(method, path, body, headers=headers))


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_without_a_key_only_the_page_and_the_probes_answer(
    keyed: Live, method: str, path: str, body: object
) -> None:
    assert keyed.call(method, path, body).status == (200 if path in PUBLIC else 401)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": f"bearer  {KEY}"},
        {"Authorization": "Bearer another-key-of-the-tests"},
        {"X-API-Key": KEY},
    ],
)
def test_every_key_of_the_file_opens(keyed: Live, headers: dict[str, str]) -> None:
    assert keyed.call("GET", "/documents/fuji", headers=headers).json["text"] == FUJI["text"]


def test_a_refused_request_changes_nothing(keyed: Live) -> None:
    right = {"Authorization": f"Bearer {KEY}"}
    keyed.call("DELETE", "/documents/fuji", headers={"Authorization": "Bearer wrong"})

    assert keyed.call("GET", "/info", headers=right).json["documents"] == 1


def test_no_key_reaches_the_log(keyed: Live) -> None:
    keyed.call("GET", "/info", headers={"Authorization": f"Bearer {KEY}"})

    assert KEY not in "".join(keyed.lines)


@pytest.mark.parametrize("content", ["", "# only a comment\n", "\n\n", "short\n"])
def test_a_key_file_without_a_usable_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys").write_text(content)

    with pytest.raises(InputError, match="keys"):
        read_keys(str(tmp_path / "keys"))


def test_a_key_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_keys(str(tmp_path / "keys"))
