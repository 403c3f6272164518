"""Ordinary and hostile content for every reader, of any size."""

import json
from collections.abc import Callable

Make = Callable[[int], str]


def repeated(piece: str, before: str = "", after: str = "") -> Make:
    """Return a function that repeats a piece until the content has a number of characters."""
    return lambda size: before + piece * (size // len(piece)) + after


def rows(row: Callable[[int], str], header: str = "") -> Make:
    """Return a function that writes numbered rows until the content has a number of characters."""

    def content(size: int) -> str:
        n_rows = size // len(row(10_000))
        return header + "".join(map(row, range(n_rows)))

    return content


PROSE = "東京の天気は晴れで、気温は高い。「明日も行く」と彼は言った。\n"
LOG = rows(
    lambda n: f"2024-04-01 12:{n % 60:02d}:00 INFO server.py request {n} took {n % 977} ms\n"
)

# By suffix and what it is. Each hostile one stopped a server, or took quadratic time, once.
INPUTS: dict[tuple[str, str], Make] = {
    (".txt", "prose"): repeated(PROSE),
    (".txt", "log"): LOG,
    (".txt", "one word"): repeated("あ"),
    (".txt", "spaces"): repeated(" ", "あ", "い"),
    (".txt", "empty lines"): repeated("\n"),
    (".txt", "closing brackets"): repeated(")"),
    (".txt", "quotes"): repeated("「猫」"),
    (".md", "notes"): repeated(f"## 見出し\n{PROSE * 5}\n"),
    (".md", "heading of spaces"): repeated(" ", "# a", "x"),
    (".md", "heading of number signs"): repeated(" #", "# a", "x"),
    (".md", "long heading"): lambda size: "# " + "あ" * (size // 2) + "\n" + PROSE * (size // 64),
    (".md", "front matter of spaces"): repeated(" ", "---\ntitle: a", "x\n---\n本文"),
    (".md", "open front matter"): repeated("---x\n", "---\n"),
    (".md", "fences"): repeated("```\n~~~\n"),
    (".html", "page"): repeated(f"<h2>見出し</h2><p class='a'>{PROSE}</p>\n"),
    (".html", "open tags"): repeated("<a "),
    (".html", "open tags, one end"): repeated("<a ", "", ">"),
    (".html", "quotes around ends"): repeated('<p a=">" '),
    (".html", "open comments"): repeated("<!--"),
    (".html", "open declarations"): repeated("<![", "", "x"),
    (".html", "open titles"): repeated("<title>"),
    (".html", "open scripts"): repeated("<script>"),
    (".html", "nested hidden elements"): repeated("<nav><b></b>"),
    (".html", "end tags"): repeated("</b>"),
    (".html", "references"): repeated("&#1111111111111111111;&amp"),
    (".html", "attribute of spaces"): repeated(" ", "<a b", "c>"),
    (".rst", "manual"): repeated(f"見出し\n------\n\n{PROSE * 5}\n"),
    (".rst", "lines"): repeated("----\n"),
    (".org", "notes"): repeated(f"* 見出し\n{PROSE * 5}\n"),
    (".org", "stars and colons"): repeated("* :a", "", "\n"),
    (".adoc", "manual"): repeated(f"== 見出し\n\n{PROSE * 5}\n"),
    (".srt", "subtitles"): rows(
        lambda n: f"{n}\n00:{n // 60 % 60:02}:{n % 60:02},000 --> 00:00:00,000\n{PROSE}\n"
    ),
    (".vtt", "open tags"): repeated("<a", "00:00.000 --> \n"),
    (".json", "list"): lambda size: json.dumps([{"名前": PROSE}] * (size // 80)),
    (".json", "nested"): repeated("[", "", ""),
    (".ipynb", "cells"): lambda size: json.dumps(
        {"cells": [{"cell_type": "code", "source": [PROSE]}] * (size // 80)}
    ),
    (".eml", "mail"): repeated(PROSE, "Subject: a\nContent-Type: text/plain; charset=utf-8\n\n"),
    (".eml", "header"): repeated("=?utf-8?b?", "Subject: ", "\n\na"),
    (".eml", "parts"): repeated("--a\n\nb\n", "Content-Type: multipart/mixed; boundary=a\n\n"),
    (".mbox", "mails"): repeated(f"From a\nSubject: b\n\n{PROSE}\n"),
    (".py", "code"): repeated(f"def f():\n    # {PROSE}"),
    (".csv", "table"): rows(lambda n: f'{n},"{PROSE.strip()}"\n', "id,text\n"),
    (".csv", "open quote"): repeated("a\n", 'id,text\n1,"'),
    (".csv", "bad rows"): repeated('"a"b\n', "id,text\n1,a\n"),
    (".csv", "one id"): repeated("1,a\n", "id,text\n"),
    (".tsv", "table"): rows(lambda n: f"{n}\t{PROSE.strip()}\n", "id\ttext\n"),
    (".jsonl", "rows"): rows(lambda n: json.dumps({"id": n, "text": PROSE}) + "\n"),
    (".jsonl", "bad rows"): repeated("{\n", '{"text": "a"}\n'),
    (".jsonl", "nested"): repeated('{"a":', '{"text": "a"}\n'),
}
