"""Sites that MkDocs and Sphinx build with the plug-ins, searched by a real browser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from browsing import Handler, Opened, servers
from chromium import CHROMIUM, launched

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
CONF = 'project = "粉雪"\nlanguage = "ja"\nextensions = ["konayuki.site.sphinx"]\n'
MKDOCS = (
    "site_name: 粉雪の手引き\n"
    "theme: {{name: {theme}, {more}}}\n"
    "plugins:\n  - konayuki: {{exclude: [drafts/]}}\n"
)
PAGES = {
    "index": ("はじめに", "粉雪は日本語の検索です。", "導入", "コマンドひとつで入ります。"),
    "guide/trouble": ("困ったとき", "慌てないでください。", "認証", "合言葉を確かめます。"),
    "drafts/plan": ("下書き", "まだ公開しない計画です。", "認証", "ログインの計画です。"),
}


def run(*command: str, cwd: Path) -> None:
    """Run a generator that finds our plug-in as an installed package would offer it."""
    points = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, target = next(iter(points["entry-points"]["mkdocs.plugins"].items()))
    info = cwd / "installed" / "konayuki_test-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: konayuki-test\nVersion: 0\n")
    (info / "entry_points.txt").write_text(f"[mkdocs.plugins]\n{name} = {target}\n")
    paths = [str(ROOT / "src"), str(info.parent), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def mkdocs_site(folder: Path, theme: str) -> Path:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed")
    more = "font: false, language: ja" if theme == "material" else "locale: ja"
    if theme == "material":
        pytest.importorskip("material", reason="mkdocs-material is not installed")
    (folder / "mkdocs.yml").write_text(MKDOCS.format(theme=theme, more=more), encoding="utf-8")
    for name, (title, first, heading, second) in PAGES.items():
        path = folder / "docs" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = f"# {title}\n\n{first}\n\n## {heading}\n\n{second}\n"
        path.write_text(text, encoding="utf-8")
    run("mkdocs", "build", "--quiet", cwd=folder)
    return folder / "site"


def sphinx_site(folder: Path, theme: str) -> Path:
    pytest.importorskip("sphinx", reason="sphinx is not installed")
    source = folder / "source"
    exclude = 'konayuki_exclude = ["drafts/"]\n'
    source.mkdir()
    (source / "conf.py").write_text(f'{CONF}{exclude}html_theme = "{theme}"\n', encoding="utf-8")
    for name, (title, first, heading, second) in PAGES.items():
        path = source / f"{name}.rst"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            title,
            "=" * 2 * len(title),
            "",
            first,
            "",
            heading,
            "-" * 2 * len(heading),
            "",
            second,
        ]
        if name == "index":
            lines[4:4] = [
                "",
                ".. toctree::",
                "",
                *(f"   {other}" for other in PAGES if other != name),
                "",
            ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run("sphinx", "-q", "-b", "html", "source", "out", cwd=folder)
    return folder / "out"


@pytest.mark.parametrize(
    ("build", "theme"),
    [
        (mkdocs_site, "material"),
        (mkdocs_site, "mkdocs"),
        (mkdocs_site, "readthedocs"),
        (sphinx_site, "alabaster"),
        (sphinx_site, "classic"),
    ],
)
def test_a_built_site_is_searched_and_leads_to_the_heading(tmp_path, build, theme):
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    folder = build(tmp_path, theme)
    with launched() as browser, servers(Handler) as serve:
        url = serve(folder)
        for start, width in ((url, 1280), (url, 390)):
            opened = Opened(browser, start)
            opened.page.set_viewport_size({"width": width, "height": 800})
            opened.page.wait_for_timeout(200)
            box = opened.inside(
                "(({x, y}) => [x, y])(shadowRoot.querySelector('.open').getBoundingClientRect())"
            )
            assert 0 <= box[0] < width
            opened.ask("合言葉の認証")
            texts = " ".join(opened.hits)
            opened.page.keyboard.press("Enter")
            opened.page.wait_for_url(
                "**/trouble*/**" if build is mkdocs_site else "**/trouble.html*"
            )

            assert "計画" not in texts
            assert not any(
                noise in texts for noise in ("¶", "Powered by", "Next", "ソースコードを表示")
            )
            target = opened.page.url.partition("#")[2]
            assert target
            assert opened.page.evaluate(
                f"document.getElementById(decodeURIComponent('{target}')) !== null"
            )
            # Some themes load scripts from elsewhere, which a test has not.
            assert not [wrong for wrong in opened.wrongs if "konayuki" in wrong]
            ours = [address for address in opened.requested if "konayuki" in address]
            assert all(address.startswith(url) for address in ours)
