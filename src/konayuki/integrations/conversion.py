"""Records of an Index from the documents of other libraries, and back."""

import hashlib
from collections.abc import Mapping
from typing import Any

from konayuki.search import Document, Hit

_ID_BYTES = 16


def record_of(text: str, metadata: Mapping[str, Any], identity: str | None) -> dict[str, Any]:
    """Return the record that `Index.add` takes.

    A title in the metadata becomes the title of the record, which is searched too. Without an
    identity, the text and its metadata give one, so that adding them again replaces the record.
    """
    title = metadata.get("title")
    return {
        "id": identity or _digest(text, metadata),
        "text": text,
        "title": title if isinstance(title, str) else "",
        "metadata": dict(metadata),
    }


def metadata_of(hit: Hit | Document) -> dict[str, Any]:
    """Return the facts about a passage next to its text; its own metadata overrides the others."""
    facts: dict[str, Any] = {}
    if hit.title:
        facts["title"] = hit.title
    if hit.heading:
        facts["heading"] = hit.heading
    document = hit.document if isinstance(hit, Hit) else hit.chunk_of or hit.id
    if document != hit.id:
        facts |= {"document": document, "position": hit.position}
    return facts | dict(hit.metadata)


def _digest(text: str, metadata: Mapping[str, Any]) -> str:
    content = repr((text, sorted(metadata.items(), key=lambda pair: pair[0])))
    digest = hashlib.blake2b(content.encode("utf-8", "replace"), digest_size=_ID_BYTES)
    return digest.hexdigest()
