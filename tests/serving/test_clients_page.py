"""The snippets of docs/howto/clients.md that need a server, and its settings of agents."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from serving.command_line import assert_arguments_are_known
from serving.live import ROOT, Live

PAGE = (ROOT / "docs/howto/clients.md").read_text("utf-8")
FENCE = re.compile(r"^<!-- not run: against a server [^>]+ -->\n```python\n(.*?)^```", re.M | re.S)


@pytest.mark.parametrize("snippet", FENCE.findall(PAGE), ids=lambda text: text.split()[1])
def test_the_snippet_of_a_client_works(shared: Live, tmp_path: Path, snippet: str) -> None:
    pytest.importorskip(snippet.split()[1])
    script = snippet.replace("http://127.0.0.1:8080", shared.url)

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_settings_of_agents_name_what_there_is(shared: Live) -> None:
    stdio, http = (
        json.loads(text)["mcpServers"]["notes"]
        for text in re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)
    )

    assert stdio["command"] == "konayuki"
    assert_arguments_are_known(shlex.join(stdio["args"]))
    path = http["url"].removeprefix("http://127.0.0.1:8080")
    assert shared.call("POST", path, {}).status != 404
