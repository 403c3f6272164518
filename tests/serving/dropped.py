"""One small file of each kind, with a phrase that no other has, as people drop them on the page."""

import io
import json
import zipfile
from email.message import EmailMessage

from ingest.folder_files import pdf

_MAIN = "http://schemas.openxmlformats.org"
W = f'xmlns:w="{_MAIN}/wordprocessingml/2006/main"'
A = f'xmlns:a="{_MAIN}/drawingml/2006/main"'
R = f'xmlns:r="{_MAIN}/officeDocument/2006/relationships"'


def files() -> dict[str, tuple[bytes, str]]:
    """Return content and a phrase of it by name."""
    texts = {
        "メモ.txt": "富士山の写真を撮る。",
        "料理.md": "---\ntags: [料理]\n---\n# 鍋\n白菜を切る。",
        "手順.rst": "手順\n====\n電源を入れる。",
        "案内.html": "<html><body><main><h1>案内</h1><p>入口は北側です。</p></main></body></html>",
        "住所.csv": "id,text\n1,山田さんの電話\n",
        "記録.tsv": "id\ttext\n2\t雨の記録\n",
        "会話.jsonl": '{"id": "3", "text": "駅で会う約束"}\n',
        "解析.ipynb": json.dumps(
            {"cells": [{"cell_type": "markdown", "source": ["平均を求める"]}]}
        ),
        "予定.org": "* 予定\n歯医者へ行く。",
        "設計.adoc": "= 設計\n橋を架ける。",
        "字幕.srt": "1\n00:00:01,000 --> 00:00:02,000\n雪が降り始めた\n",
        "設定.json": '[{"id": "4", "text": "音量の設定"}]',
        "計算.py": '"""消費税を計算する。"""\n',
    }
    phrases = (
        "写真を撮る 白菜 電源を 北側 山田さん 雨の記録 約束 平均を 歯医者 橋を 降り始 音量 消費税"
    )
    pairs = zip(texts.items(), phrases.split(), strict=True)
    made = {name: (text.encode(), phrase) for (name, text), phrase in pairs}
    made["履歴.log"] = ("再起動しました。".encode("cp932"), "再起動")
    return made | {
        "規則.docx": (_docx("休暇は二十日とする。"), "二十日"),
        "発表.pptx": (_pptx("売上は増えた。"), "売上"),
        "家計.xlsx": (_xlsx("電気代", "五千円"), "五千円"),
        "報告.pdf": (pdf("年度末に橋の工事を終えた。"), "橋の工事"),
        "返事.eml": (_mail("返事", "会議は木曜です。"), "木曜"),
        "受信.mbox": (b"From a\n" + _mail("宿", "部屋を取りました。") + b"\n", "部屋を"),
        "物語.epub": (_epub("狐が山を越える。"), "狐が"),
    }


def _archive(parts: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()


def _docx(text: str) -> bytes:
    body = f"<w:body><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:body>"
    return _archive({"word/document.xml": f"<w:document {W}>{body}</w:document>"})


def _relations(target: str) -> str:
    return f'<Relationships><Relationship Id="r0" Target="{target}"/></Relationships>'


def _pptx(text: str) -> bytes:
    p = f'xmlns:p="{_MAIN}/presentationml/2006/main"'
    slides = '<p:sldIdLst><p:sldId id="256" r:id="r0"/></p:sldIdLst>'
    shape = f"<p:sp><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
    tree = f"<p:cSld><p:spTree>{shape}</p:spTree></p:cSld>"
    return _archive(
        {
            "ppt/presentation.xml": f"<p:presentation {p} {R}>{slides}</p:presentation>",
            "ppt/_rels/presentation.xml.rels": _relations("slides/slide1.xml"),
            "ppt/slides/slide1.xml": f"<p:sld {p} {A}>{tree}</p:sld>",
        }
    )


def _xlsx(*cells: str) -> bytes:
    s = f'xmlns="{_MAIN}/spreadsheetml/2006/main"'
    row = "".join(
        f'<c r="{"AB"[n]}1" t="inlineStr"><is><t>{c}</t></is></c>' for n, c in enumerate(cells)
    )
    sheets = '<sheets><sheet name="四月" sheetId="1" r:id="r0"/></sheets>'
    return _archive(
        {
            "xl/workbook.xml": f"<workbook {s} {R}>{sheets}</workbook>",
            "xl/_rels/workbook.xml.rels": _relations("worksheets/sheet1.xml"),
            "xl/worksheets/sheet1.xml": (
                f'<worksheet {s}><sheetData><row r="1">{row}</row></sheetData></worksheet>'
            ),
        }
    )


def _mail(subject: str, text: str) -> bytes:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "a@example.com"
    message["Date"] = "Mon, 01 Apr 2024 09:00:00 +0900"
    message.set_content(text)
    return message.as_bytes()


def _epub(text: str) -> bytes:
    container = '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'
    manifest = (
        '<manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>'
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf">'
        f'{manifest}<spine><itemref idref="a"/></spine></package>'
    )
    page = f'<html xmlns="http://www.w3.org/1999/xhtml"><body><p>{text}</p></body></html>'
    return _archive(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "b.opf": package,
            "a.xhtml": page,
        }
    )
