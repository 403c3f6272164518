"""Answers that a client has already are not sent again."""

from serving.live import Live
from serving.records import FUJI


def tag_of(live: Live) -> str:
    return live.call("GET", "/documents/fuji").headers["ETag"]


def test_a_client_that_knows_a_document_is_told_so_without_it(shared: Live) -> None:
    tag = tag_of(shared)

    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        reply = shared.call("GET", "/documents/fuji", headers={"If-None-Match": known})
        assert (reply.status, reply.body) == (304, b"")
        assert reply.headers["ETag"] == tag
    reply = shared.call("GET", "/documents/fuji", headers={"If-None-Match": '"other"'})
    assert reply.status == 200
    assert reply.headers["Cache-Control"] == "private, no-cache"


def test_the_tag_changes_with_the_document_and_comes_back_with_it(live: Live) -> None:
    before = tag_of(live)
    live.add({**FUJI, "text": "電車"})
    changed = tag_of(live)
    live.add(FUJI)

    assert changed != before == tag_of(live)


def test_other_answers_have_none_and_are_not_kept(shared: Live) -> None:
    reply = shared.call("GET", "/info")

    assert "ETag" not in reply.headers
    assert reply.headers["Cache-Control"] == "no-store"
