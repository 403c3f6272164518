"""Markdown into sections."""

import json
from pathlib import Path

from konayuki.ingest import read_records
from konayuki.ingest.markdown import markdown_outline

MARKDOWN = """---
title: "手引き"
---
前書き。

# 導入
## 準備 ##
本文一。
```python
# これは見出しではない
## これも
```
~~~~
```
# 囲みの中
~~~~
### 細部
本文二。

下線の見出し
------------
本文三。

- 箇条書き
---
"""


def test_headings_of_markdown_make_the_path():
    outline = markdown_outline(MARKDOWN)
    assert outline.title == "手引き"
    assert [section.headings for section in outline.sections] == [
        (),
        ("導入", "準備"),
        ("導入", "準備", "細部"),
        ("導入", "下線の見出し"),
    ]
    assert "# 囲みの中" in outline.sections[1].text
    assert outline.sections[3].text.endswith("- 箇条書き\n---")


def test_the_first_heading_is_the_title_and_not_repeated():
    outline = markdown_outline("# 題\r\n本文。\r\n## 節\r\n続き。")
    assert (outline.title, [s.headings for s in outline.sections]) == ("題", [(), ("節",)])


def test_a_fence_that_is_never_closed_holds_the_rest():
    (section,) = markdown_outline("本文\n```\n# 見出しではない\n").sections
    assert "# 見出しではない" in section.text


NOTE = """---
title: 親子丼の作り方
tags: [料理, "夕食", 親子]
aliases:
  - おやこどん
  - 鶏の丼
date: 2024-04-01
year: 2024
rating: 4.5
draft: false
作者: '夏目 ''漱石'''  # 筆名
note: |
  一行目
  二行目
empty:
---
> [!tip]- こつ
> 卵は #半熟 にする。 #12 は番号、a#b は語。

[[だしの取り方|だし]]を使う。[[鶏肉#もも]]も見る。![[写真.png]]
"""


def test_front_matter_becomes_metadata_and_tags_and_aliases_are_text():
    outline = markdown_outline(NOTE)
    assert outline.title == "親子丼の作り方"
    assert outline.metadata == {
        "aliases": ["おやこどん", "鶏の丼"],
        "date": "2024-04-01",
        "year": 2024,
        "rating": 4.5,
        "draft": False,
        "作者": "夏目 '漱石'",
        "note": "一行目\n二行目",
        "empty": None,
        "tags": ["料理", "夕食", "親子", "半熟"],
    }
    (section,) = outline.sections
    assert section.text.startswith(
        "#料理 #夕食 #親子\n\nおやこどん 鶏の丼 夏目 '漱石'\n\n> こつ\n> 卵は #半熟"
    )
    assert section.text.endswith("だしを使う。鶏肉 ももも見る。写真.png")


def test_a_number_sign_in_a_heading_or_code_is_not_a_tag():
    outline = markdown_outline("## 節\n`a#b` [x](y#z)\n### C#\n本文\n```\n#include\n```")
    assert "tags" not in outline.metadata
    assert outline.sections[1].headings == ("節", "C#")


def test_front_matter_that_is_too_long_or_open_is_text():
    for text in ("---\ntitle: a\n", "---\n" + "a: b\n" * 5_000 + "---\n本文"):
        outline = markdown_outline(text)
        assert (outline.title, outline.metadata) == ("", {})
        assert outline.sections


def test_long_properties_are_stored_once(tmp_path: Path):
    tags = [f"札{n}" for n in range(90)]
    note = "長い覚え書き。" * 600
    head = f"---\ntags: [{', '.join(tags)}]\nplace: 京都\nyear: 2024\nnote: {note}\n---\n"
    (tmp_path / "a.md").write_text(
        head + "# 題\n\n" + "雪が降った日の記録である。\n\n" * 200, "utf-8"
    )
    records = list(read_records(tmp_path / "a.md"))
    assert len(records) > 5
    for record in records:
        assert {"tags", "place", "year", "path"} <= record["metadata"].keys()
    assert ["note" in record["metadata"] for record in records] == [True] + [False] * (
        len(records) - 1
    )
    assert sum(len(json.dumps(record["metadata"])) for record in records[1:]) < 2000 * len(records)
