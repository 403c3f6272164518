"""Mail into documents."""

import time
from email.message import EmailMessage

import pytest

from konayuki.ingest.mail import read_eml, read_mbox
from konayuki.ingest.records import records_of


def mail(subject: str, text: str, charset: str = "utf-8") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "総務 <soumu@example.jp>"
    message["Date"] = "Mon, 01 Apr 2024 09:00:00 +0900"
    message.set_content(text, charset=charset)
    return message


def test_a_mail_has_subject_sender_date_and_the_names_of_its_attachments():
    message = mail("健康診断のお知らせ", "五月十日です。", "iso-2022-jp")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="案内.pdf")
    (outline,) = read_eml(message.as_bytes(), "a.eml")
    assert outline.title == "健康診断のお知らせ"
    assert outline.metadata == {
        "from": "総務 <soumu@example.jp>", "date": "2024-04-01T09:00:00+09:00",
        "keywords": "総務 <soumu@example.jp>",
    }  # fmt: skip
    assert outline.sections[0].text.split() == ["五月十日です。", "案内.pdf"]


def test_a_mail_of_html_alone_is_read_as_a_page():
    message = mail("a", "b")
    message.set_content("<p>本文<script>x</script>", subtype="html")
    (outline,) = read_eml(message.as_bytes(), "a.eml")
    assert outline.sections[0].text == "本文"


def test_every_mail_of_a_mailbox_is_a_document():
    box = b"".join(
        b"From a Mon Apr  1 09:00:00 2024\n" + mail(f"件{n}", f"本文{n}").as_bytes() + b"\n"
        for n in (1, 2)
    )
    assert [outline.title for outline in read_mbox(box, "a.mbox")] == ["件1", "件2"]
    records = list(records_of(box, "a.mbox"))
    assert [record["id"] for record in records] == ["a.mbox:1#0", "a.mbox:2#0"]


def test_no_bytes_stop_the_reading():
    for content in (
        b"",
        b"\xff" * 100,
        b"Subject: =?x?q?=?=\nDate: x\nContent-Type: a; b=\xff\n\n\xff",
    ):
        assert len(list(read_eml(content, "a.eml"))) == 1
        assert len(list(read_mbox(content, "a.mbox"))) == 1


def nested(depth: int) -> bytes:
    heads = "".join(
        f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth)
    )
    return f"Subject: deep\n{heads}Content-Type: text/plain\n\nbody\n".encode()


def test_parts_inside_parts_are_read_up_to_a_depth():
    (outline,) = read_eml(nested(10), "a.eml")
    assert outline.sections[0].text.strip() == "body"
    for content in (nested(3000), b"Subject: deep\n" + b"Content-Type: message/rfc822\n\n" * 3000):
        (outline,) = read_eml(content, "a.eml")
        assert (outline.title, outline.sections[0].text) == ("deep", "")
    assert [mail.title for mail in read_mbox(b"From a\n" + nested(3000) + b"\nFrom b\n"
            b"Subject: next\n\nx", "a.mbox")] == ["deep", "next"]  # fmt: skip


@pytest.mark.parametrize(
    "header",
    [
        "To: " + "a@b.c, " * 150_000,
        "Content-Type: text/plain" + "; a=b" * 100_000,
        "Content-Type: text/plain" + "".join(f"; filename*{n}=b" for n in range(50_000)),
    ],
)
def test_endless_headers_cost_no_more_than_their_start(header: str):
    start = time.process_time()
    (outline,) = read_eml(f"Subject: a\n{header}\n\nbody".encode(), "a.eml")
    assert outline.title == "a"
    assert time.process_time() - start < 3  # whole, they take minutes


def test_charsets_of_host_names_are_not_used():
    content = b"Content-Type: text/plain; charset=punycode\n\n" + b"a-" + b"a" * 40
    (outline,) = read_eml(content, "a.eml")
    assert outline.sections[0].text == "a-" + "a" * 40


@pytest.mark.parametrize(
    "broken", ["; filename*=utf-8''%E3\0", "; a*", "; *=", '; a="\0', ";;*0*=b"]
)
def test_broken_parameters_of_headers_do_not_stop_a_mail(broken: str):
    content = f"Subject: a\nContent-Type: text/plain{broken}\n\nbody".encode()
    (outline,) = read_eml(content, "a.eml")
    assert outline.title == "a"


def test_a_broken_charset_of_the_name_of_an_attachment_does_not_stop_a_mail():
    head = b"Subject: a\nContent-Disposition: attachment; filename*=\"ut\0f'x'b\"\n\nbody"
    (outline,) = read_eml(head, "a.eml")
    assert outline.title == "a"
