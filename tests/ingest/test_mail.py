"""Mail into documents."""

from email.message import EmailMessage

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
