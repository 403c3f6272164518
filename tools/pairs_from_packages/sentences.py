"""Short texts: Tatoeba's sentences, JMdict's words, translated messages, package descriptions."""

import gettext
import io
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from konayuki.errors import DatasetError
from konayuki.training.sources import Pair
from pairs_from_packages.archives import Member
from pairs_from_packages.text import decode, is_japanese, shortened, tidy

ABSENT = "-"
FIRST_LANGUAGE, LAST_LANGUAGE = 2, 8  # columns: en, nl, de, fr, es, sv; then audio, which is NC
COMMON = ("news1", "ichi1", "spec1", "gai1")
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DOCTYPE = re.compile(r"<!DOCTYPE.*?\]>", re.DOTALL)
_ENTITY = re.compile(r"&[\w-]+;")
_HOTKEY = re.compile(r"\(?[_&]([A-Z])\)?")


def read_paraphrases(members: Iterable[Member]) -> Iterator[Pair]:
    """Yield Japanese sentences that share a translation, each with the next, the longer last."""
    by_translation: dict[str, list[str]] = defaultdict(list)
    for row in _sentences(members):
        for text in row[FIRST_LANGUAGE:LAST_LANGUAGE]:
            if text != ABSENT:
                by_translation[text].append(row[1])
    for group in by_translation.values():
        distinct = list(dict.fromkeys(group))
        yield from (Pair(*sorted(two, key=len)) for two in pairwise(distinct))


def read_translations(members: Iterable[Member]) -> Iterator[Pair]:
    """Yield English sentence -> Japanese sentence."""
    for row in _sentences(members):
        if row[2] != ABSENT:
            yield Pair(row[2], row[1])


def _sentences(members: Iterable[Member]) -> Iterator[list[str]]:
    for member in members:
        for number, line in enumerate(member.content.decode("utf-8").splitlines(), start=1):
            if not line.strip():
                continue
            row = line.split("\t")
            if len(row) < LAST_LANGUAGE:
                raise DatasetError(
                    f"{member.name} line {number}: {len(row)} columns: expected id, ja, en, nl, "
                    "de, fr, es, sv, audio"
                )
            yield [text.strip() for text in row]


def read_words(members: Iterable[Member]) -> Iterator[Pair]:
    """Yield common Japanese word with its reading -> English glosses."""
    for member in members:
        # Its own entities are word classes, which nobody asks for here.
        text = _ENTITY.sub("", _DOCTYPE.sub("", member.content.decode("utf-8")))
        for _, entry in ElementTree.iterparse(io.BytesIO(text.encode())):  # noqa: S314 - no DTD left
            if entry.tag == "entry":
                yield from _word(entry)
                entry.clear()


def _word(entry: ElementTree.Element) -> Iterator[Pair]:
    marks = [mark.text or "" for mark in (*entry.iter("ke_pri"), *entry.iter("re_pri"))]
    if not any(mark in COMMON or mark.startswith("nf") for mark in marks):
        return
    written, read = entry.findtext("k_ele/keb"), entry.findtext("r_ele/reb")
    senses = [", ".join(_english(sense)) for sense in entry.findall("sense")]
    if read:
        yield Pair(f"{written}（{read}）" if written else read, "; ".join(filter(None, senses)))


def _english(sense: ElementTree.Element) -> Iterator[str]:
    for gloss in sense.findall("gloss"):
        if gloss.get(LANGUAGE, "eng") == "eng" and gloss.text:
            yield gloss.text


def read_messages(members: Iterable[Member]) -> Iterator[Pair]:
    """Yield English message -> Japanese message of compiled catalogues."""
    for member in members:
        catalogue = gettext.GNUTranslations(io.BytesIO(member.content))
        messages: dict[object, str] = catalogue._catalog  # type: ignore[attr-defined]
        for source, translation in messages.items():
            if isinstance(source, str) and source:
                for pair in zip(source.split("\n\n"), translation.split("\n\n"), strict=False):
                    yield Pair(*(tidy(_HOTKEY.sub(r"\1", text)) for text in pair))


def read_descriptions(members: Iterable[Member]) -> Iterator[Pair]:
    """Yield short -> long description of Debian packages; every fourth names the package too."""
    number = 0
    for member in members:
        for stanza in decode(member.content).split("\n\n"):
            fields = re.split(r"\n(?=\S)", stanza)
            values = {key: value for key, _, value in (field.partition(": ") for field in fields)}
            first, _, rest = values.get("Description-ja", "").partition("\n")
            body = tidy(re.sub(r"^ \.?$", "", rest, flags=re.MULTILINE))
            if first and is_japanese(body):
                number += 1
                name = f"{values['Package']} " if number % 4 == 0 else ""
                yield Pair(f"{name}{first.strip()}", shortened(body))
