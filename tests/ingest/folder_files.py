"""A folder as people have it: the text files of tests/ingest/folder, and files of the other kinds.

Everything in it was written for this project; the people, places and numbers do not exist.
"""

import io
import json
import shutil
import sys
import zipfile
from email.message import EmailMessage
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).parent
TEXTS = HERE / "folder"
QUESTIONS = HERE / "folder_questions.json"

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
_TIME = (2024, 4, 1, 9, 0, 0)


def write_folder(folder: Path, *, with_pdf: bool = True) -> None:
    """Write all files into a folder that does not exist yet.

    Args:
        folder: The folder.
        with_pdf: Also write the PDFs, which need the extra "documents" to be read.
    """
    shutil.copytree(TEXTS, folder)
    for name, content in binaries().items():
        if with_pdf or not name.endswith(".pdf"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


def questions() -> list[dict[str, str]]:
    """Return the questions, each with the path of the file that answers it."""
    asked: list[dict[str, str]] = json.loads(QUESTIONS.read_text("utf-8"))
    return asked


def archive(parts: dict[str, str]) -> bytes:
    """Return an archive of texts, the same bytes every time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in parts.items():
            file.writestr(zipfile.ZipInfo(name, _TIME), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def docx(title: str, *parts: tuple[str, str]) -> bytes:
    """Return a Word file of headings with texts."""

    def paragraph(text: str, style: str = "") -> str:
        style = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f"<w:p>{style}<w:r><w:t>{escape(text)}</w:t></w:r></w:p>"

    body = paragraph(title, "Title")
    for heading, text in parts:
        body += paragraph(heading, "1") + "".join(map(paragraph, text.split("\n")))
    style = '<w:style w:styleId="1"><w:name w:val="heading 1"/></w:style>'
    return archive(
        {
            "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
            "word/styles.xml": f"<w:styles {W}>{style}</w:styles>",
        }
    )


def relations(*targets: str) -> str:
    """Return the XML that names other parts of an office file r0, r1, …"""
    lines = [f'<Relationship Id="r{n}" Target="{target}"/>' for n, target in enumerate(targets)]
    return f"<Relationships>{''.join(lines)}</Relationships>"


def pptx(*slides: tuple[str, str]) -> bytes:
    """Return a PowerPoint file of slides with a title and a text."""
    parts = {}
    ids = "".join(f'<sldId r:id="r{n}"/>' for n in range(len(slides)))
    for number, (title, text) in enumerate(slides):
        lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
        head = f'<sp><nvPr><ph type="title"/></nvPr><a:p><a:r><a:t>{title}</a:t></a:r></a:p></sp>'
        parts[f"ppt/slides/slide{number}.xml"] = f"<sld {A}>{head}<sp>{lines}</sp></sld>"
    names = [f"slides/slide{number}.xml" for number in range(len(slides))]
    return archive(
        {
            "ppt/presentation.xml": f"<presentation {R}>{ids}</presentation>",
            "ppt/_rels/presentation.xml.rels": relations(*names),
            **parts,
        }
    )


def xlsx(**sheets: list[list[str | int]]) -> bytes:
    """Return an Excel file of sheets, each with rows."""
    parts = {}
    for number, rows in enumerate(sheets.values()):
        lines = []
        for place, row in enumerate(rows, start=1):
            cells = "".join(
                f'<c r="{chr(65 + column)}{place}"><v>{cell}</v></c>'
                if isinstance(cell, int)
                else f'<c r="{chr(65 + column)}{place}" t="inlineStr"><is><t>{cell}</t></is></c>'
                for column, cell in enumerate(row)
            )
            lines.append(f'<row r="{place}">{cells}</row>')
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f"<worksheet><sheetData>{''.join(lines)}</sheetData></worksheet>"
        )
    names = "".join(f'<sheet name="{name}" r:id="r{n}"/>' for n, name in enumerate(sheets))
    targets = [f"worksheets/sheet{number}.xml" for number in range(len(sheets))]
    return archive(
        {
            "xl/workbook.xml": f"<workbook {R}><sheets>{names}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(*targets),
            **parts,
        }
    )


def epub(title: str, author: str, *pages: tuple[str, str]) -> bytes:
    """Return an e-book of pages with a heading and a text, which may have ruby."""
    ids = range(len(pages))
    items = "".join(
        f'<item id="p{n}" href="{n}.xhtml" media-type="application/xhtml+xml"/>' for n in ids
    )
    order = "".join(f'<itemref idref="p{n}"/>' for n in ids)
    facts = f"<dc:title>{title}</dc:title><dc:creator>{author}</dc:creator>"
    space = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
    return archive(
        {
            "META-INF/container.xml": '<container><rootfile full-path="book.opf"/></container>',
            "book.opf": f"<package><metadata {space}>{facts}</metadata>"
            f"<manifest>{items}</manifest><spine>{order}</spine></package>",
            **{
                f"{n}.xhtml": f"<html><body><h2>{heading}</h2><p>{text}</p></body></html>"
                for n, (heading, text) in enumerate(pages)
            },
        }
    )


def eml(subject: str, sender: str, text: str, charset: str = "utf-8") -> bytes:
    """Return a mail."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, sender, "私 <me@example.jp>"
    message["Date"] = "Mon, 01 Apr 2024 09:00:00 +0900"
    message.set_content(text, charset=charset)
    return message.as_bytes()


def mbox(*mails: bytes) -> bytes:
    """Return a mailbox."""
    return b"".join(b"From a Mon Apr  1 09:00:00 2024\n" + mail + b"\n" for mail in mails)


def pdf(*pages: str) -> bytes:
    """Return a PDF as Japanese programs wrote it: 90ms-RKSJ-H, no map to Unicode."""
    benchmarks = str(HERE.parents[1] / "benchmarks")
    sys.path.insert(0, benchmarks)
    try:
        from japanese_pdf import pdf_of_lines
    finally:
        sys.path.remove(benchmarks)
    return pdf_of_lines([page.split("\n") for page in pages])


def binaries() -> dict[str, bytes]:
    """Return the files that are not plain UTF-8, by path."""
    return {
        "仕事/就業規則.docx": docx(
            "就業規則",
            (
                "休暇",
                "年次有給休暇は、入社の日から六箇月後に十日を与える。\n慶弔休暇は、本人の結婚の"
                "ときは五日とする。",
            ),
            ("服務", "副業を行おうとする者は、あらかじめ会社に届け出なければならない。"),
            ("退職", "退職を願い出る者は、三十日前までに所属長に申し出るものとする。"),
        ),
        "仕事/出張報告.docx": docx(
            "名古屋出張報告",
            ("目的", "新しい包装機の検査に立ち会うため、製造元の工場を訪れた。"),
            (
                "結果",
                "毎分六十袋の速さで三時間続けて動かし、破れは一袋だけだった。納入は九月の予定。",
            ),
        ),
        "家/管理組合.docx": docx(
            "管理組合からのお知らせ",
            (
                "大規模修繕",
                "十月から翌年の二月まで、外壁の塗り直しを行います。足場が組まれる間は"
                "洗濯物を外に干せません。",
            ),
            ("駐輪場", "登録の札が付いていない自転車は、八月末に撤去します。"),
        ),
        "仕事/新人研修.pptx": pptx(
            ("新人研修のしおり", "四月一日から五日まで"),
            (
                "電話の取り次ぎ",
                "三回鳴る前に取る\n相手の名前を復唱する\n不在なら折り返しの番号を聞く",
            ),
            ("名刺の渡し方", "相手より低い位置で、両手で差し出す"),
        ),
        "仕事/新商品.pptx": pptx(
            ("秋の新商品", "栗と抹茶の焼き菓子"),
            ("価格", "六個入りで千二百円。送料は別"),
            ("課題", "賞味期限が十日と短い\n脱酸素剤を入れる案を試作中"),
        ),
        "家/家計簿.xlsx": xlsx(
            四月=[
                ["日付", "費目", "金額", "店"],
                ["4/3", "食費", 4820, "丸吉商店"],
                ["4/9", "医療費", 3000, "歯科医院"],
                ["4/20", "交通費", 13200, "新幹線の切符"],
            ],
            五月=[
                ["日付", "費目", "金額", "店"],
                ["5/2", "修理代", 15000, "駅前の写真店"],
                ["5/18", "教養", 2200, "美術館の入場券"],
            ],
        ),
        "仕事/取引先.xlsx": xlsx(
            取引先=[
                ["会社", "担当", "締め日", "電話"],
                ["藤ヶ谷製菓", "荒垣", "月末", "052-555-0110"],
                ["北辰運輸", "能登", "二十日", "011-555-0199"],
            ],
        ),
        "家/給湯器の説明書.pdf": pdf(
            "給湯器 取扱説明書\nお湯の温度は台所の操作盤で設定します。\n追いだきは浴槽の湯が循環口"
            "より\n五センチ以上あるときに使えます。",
            "故障かなと思ったら\n表示に百十一と出たときは点火の不良です。\nガスの元栓が開いているか"
            "\n確かめてください。",
            "冬の凍結を防ぐ\n外の気温が零下になる夜は\n電源を抜かないでください。",
        ),
        "家/保険証券.pdf": pdf(
            "火災保険証券\n保険の目的 建物及び家財\n保険期間 五年\n地震による損害は\n特約により半額"
            "まで補償します。",
            "事故の連絡先\n夜間及び休日も受け付けます。\n電話 0120-555-019",
        ),
        "仕事/見積書.pdf": pdf(
            "御見積書\n間仕切りの設置工事 一式\n金額 三十八万五千円\n有効期限 発行の日から三十日",
        ),
        "本棚/灯台守.epub": epub(
            "灯台守の娘",
            "波多野 汐",
            ("一", "岬の<ruby>灯台<rt>とうだい</rt></ruby>に、父と娘が二人で暮らしていた。"),
            (
                "二",
                "嵐の夜、娘は<ruby>螺旋<rt>らせん</rt></ruby>の階段を駆け上がり、消えた灯をともした。",
            ),
        ),
        "本棚/発酵入門.epub": epub(
            "発酵入門",
            "糀谷 実",
            ("味噌", "大豆は指で潰れるまで煮て、麹と塩を混ぜ、樽に空気が入らないように詰める。"),
            ("甘酒", "六十度を八時間保つ。温度が高過ぎると酵素が働かなくなる。"),
        ),
        "メール/配達.eml": eml(
            "お荷物の再配達について",
            "東西宅配 <noreply@example.jp>",
            "不在のためお荷物を持ち帰りました。\n保管期限は七日間です。再配達は自動音声で"
            "お申し込みください。\n",
            "iso-2022-jp",
        ),
        "メール/同窓会.eml": eml(
            "同窓会のご案内",
            "幹事 小田切 <odagiri@example.jp>",
            "卒業から二十年になります。十一月二十三日の夕方六時から、駅前の中華料理店に"
            "集まりませんか。\n会費は七千円です。返事は十月末までに。\n",
        ),
        "メール/町内会.mbox": mbox(
            eml(
                "資源回収の変更",
                "町内会 <chonai@example.jp>",
                "古紙の回収は、来月から第二と第四の水曜日に変わります。\n雨の日も行います。\n",
            ),
            eml(
                "夏祭りの当番",
                "町内会 <chonai@example.jp>",
                "焼きそばの屋台は三班が受け持ちます。エプロンを持って午後二時に公園へ来てください。\n",
            ),
        ),
        "家/水道.csv": "\ufeff検針日,使用量,請求額,お知らせ\n"
        "2024-05-10,18,5230,漏水の疑いはありません\n"
        "2024-07-09,31,8940,使用量が前回より多くなっています。水漏れがないか確かめてください\n".encode(
            "cp932", "ignore"
        ),
        "家/ゴミの日.txt": "ごみの出し方\n燃えるごみは火曜日と金曜日の朝八時まで。\n"
        "割れた皿は新聞紙に包み、危険と書いて、月に一度の不燃ごみに出す。\n".encode("cp932"),
        "学校/卒業文集.txt": "将来の夢\n私は獣医になりたいです。飼っていた兎が病気になったとき、"
        "先生が夜中まで看てくれたからです。\n".encode("euc_jp"),
    }
