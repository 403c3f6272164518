"""The words of the search page, as page/i18n.js puts them together."""

import shutil
import subprocess
from pathlib import Path

import pytest

MODULE = Path(__file__).resolve().parents[2] / "src/konayuki/serving/page/i18n.js"
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="needs node")
@pytest.mark.parametrize(
    ("call", "text"),
    [
        ('say("added", { n: 1 })', "Added 1 passage"),
        ('say("added", { n: 2 })', "Added 2 passages"),
        ('say("found", { n: 1, ms: 3 })', "1 hit · 3 ms"),
        ('say("about", { n: "1,234", dim: 512 })', "512 dimensions · 1,234 passages"),
        ('say("failed", { n: 1, why: "[a|b] {n}" })', "That did not work: [a|b] {n}"),
    ],
)
def test_numbers_agree_with_their_nouns(call: str, text: str) -> None:
    code = f"""
    globalThis.document = {{ documentElement: {{ lang: "en" }} }};
    const {{ say }} = await import({MODULE.as_uri()!r});
    process.stdout.write({call});
    """
    command = [str(NODE), "--no-warnings", "--input-type=module", "-e", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == text
