"""reStructuredText into sections."""

from konayuki.ingest.outline import Outline
from konayuki.ingest.rst import read_rst

TEXT = """\
======
手引き
======

前書き。

導入
----
本文一。
- 箇条書き
----

細部
~~~~
本文二::

    コード
    ------

終わり
------

===== =====
甲    乙
===== =====
"""


def test_headings_take_their_level_from_the_order_of_their_styles():
    (outline,) = read_rst(TEXT.encode(), "a.rst")
    assert isinstance(outline, Outline)
    assert outline.title == "手引き"
    assert [section.headings for section in outline.sections] == [
        (), ("導入",), ("導入", "細部"), ("終わり",),
    ]  # fmt: skip
    assert outline.sections[1].text == "本文一。\n- 箇条書き\n----"
    assert outline.sections[2].text.endswith("    コード\n    ------\n".rstrip())
    assert outline.sections[3].text.startswith("===== =====")
