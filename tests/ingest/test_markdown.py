"""Markdown into sections."""

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
