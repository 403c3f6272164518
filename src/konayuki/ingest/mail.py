"""Mail into documents: one of a saved mail, one for each mail of a mailbox."""

import codecs
import email
import email.policy
from collections.abc import Iterator
from contextlib import suppress
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from typing import Any, cast

from konayuki.errors import FormatError
from konayuki.ingest.html import html_outline
from konayuki.ingest.outline import Item, Outline, Section, shortened
from konayuki.text import decode

_MAX_MAIL_BYTES = 8 << 20  # of headers and text that are looked at; the rest is attachments
_NOT_LINEAR = ("punycode", "idna")  # charsets of names of hosts, not of texts
_MAX_HEADER = 4_000
_MAX_DEPTH = 20  # of parts inside parts: every line is compared with the ends of all open ones


class _Part(EmailMessage):
    """A mail, or a part of one, that knows how deep it lies."""

    depth = 0

    def attach(self, payload: Any) -> None:  # noqa: ANN401 - as the class above has it
        payload.depth = self.depth + 1
        if payload.depth > _MAX_DEPTH:
            raise FormatError(f"parts inside parts: expected at most {_MAX_DEPTH}")
        super().attach(payload)


class _Policy(email.policy.EmailPolicy):
    """Reads the start of a header only: the parser of the standard library is not linear."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_MAX_HEADER]

    def header_fetch_parse(self, name: str, value: str) -> Any:  # noqa: ANN401
        try:
            return super().header_fetch_parse(name, value)
        except Exception:  # its parser stumbles over many kinds of broken headers
            return " ".join(value.split())


_POLICY = _Policy(raise_on_defect=False, message_factory=_Part)


def read_eml(content: bytes, name: str) -> list[Item]:
    """Return a saved mail: its subject is the title; sender, recipient and date are metadata."""
    return [_mail(content)]


def read_mbox(content: bytes, name: str) -> Iterator[Item]:
    """Yield the mails of a mailbox."""
    parts = (b"\n" + content.replace(b"\r\n", b"\n")).split(b"\nFrom ")
    for number, part in enumerate(parts[1:] if len(parts) > 1 else parts, start=1):
        envelope, _, mail = part.partition(b"\n")
        yield _mail(mail if len(parts) > 1 else envelope + b"\n" + mail, key=str(number))


def _mail(content: bytes, key: str = "") -> Outline:
    content = content[:_MAX_MAIL_BYTES]
    try:
        message = cast("EmailMessage", email.message_from_bytes(content, policy=_POLICY))
    except FormatError:  # its headers are read; one mail must not cost a mailbox the others
        message = cast("EmailMessage", BytesHeaderParser(policy=_POLICY).parsebytes(content))
    metadata = {}
    for field in ("from", "to", "date"):
        if value := _header(message, field):
            metadata[field] = value
    people = [metadata[field] for field in ("from", "to") if field in metadata]
    if people:
        metadata["keywords"] = " ".join(people)
    with suppress(Exception):  # dates of the kind that only spam has
        metadata["date"] = message["date"].datetime.isoformat()
    return Outline(
        shortened(_header(message, "subject")),
        (Section((), _text(message).replace("\r\n", "\n")),),
        metadata,
        key,
    )


def _header(message: EmailMessage, field: str) -> str:
    try:
        value = str(message[field] or "")
    except Exception:
        return ""
    return " ".join(value.encode("utf-8", "replace").decode().split())[:1000]


def _text(message: EmailMessage) -> str:
    """Return the text of a mail and the names of what is attached to it."""
    texts, names = [], []
    for part in message.walk():
        file = None
        with suppress(LookupError, ValueError):  # a charset with a zero byte in its name
            file = part.get_filename()
        if file:
            names.append(str(file))
        elif part.get_content_maintype() == "text":
            texts.append((part.get_content_subtype(), _part(part)))
    plain = [text for kind, text in texts if kind == "plain" and text.strip()]
    pages = [text for kind, text in texts if kind == "html"]
    shown = plain or [s.text for page in pages for s in html_outline(page).sections]
    text = "\n\n".join([*shown, *names])
    return text.encode("utf-8", "replace").decode()


def _part(part: EmailMessage) -> str:
    content = part.get_payload(decode=True)
    content = content if isinstance(content, bytes) else b""
    try:
        charset = codecs.lookup(part.get_content_charset("utf-8")).name
        if charset not in _NOT_LINEAR:
            return content.decode(charset)
    except (LookupError, UnicodeDecodeError, ValueError):
        pass
    try:
        return decode(content, "mail")
    except ValueError:
        return content.decode("utf-8", "replace")
