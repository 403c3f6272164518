"""Each example of docs/howto/serving.md, run or checked by the program that it is for."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serving.command_line import assert_arguments_are_known
from serving.live import ROOT, Live

PAGE = (ROOT / "docs/howto/serving.md").read_text("utf-8")


def examples(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.M | re.S)


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_curl_examples_work(live: Live, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (tmp_path / "README.md").write_text("# 雪\n雪が降る。\n", "utf-8")
    [example] = examples("bash")
    script = example.replace("http://127.0.0.1:8080", live.url)

    answers = json.loads(f"[{run(['bash', '-euc', script], tmp_path).replace('}{', '},{')}]")

    assert answers[0]["stored"] == 1
    assert answers[1]["hits"][0]["id"] == "fuji"
    assert answers[2]["stored"] == 1
    assert answers[3]["deleted"] == 1


@pytest.mark.parametrize(
    ("module", "expected"),
    [("openai", r"^32 \d+$"), pytest.param("langchain_openai", "^32$", marks=pytest.mark.slow)],
)
def test_the_python_examples_work(shared: Live, tmp_path: Path, module: str, expected: str) -> None:
    pytest.importorskip(module)
    [example] = [text for text in examples("python") if f"from {module} " in text]
    script = example.replace("http://127.0.0.1:8080", shared.url)
    # The model of the tests has 32 dimensions.
    script = script.replace("dimensions=256", "dimensions=32")

    assert re.match(expected, run([sys.executable, "-c", script], tmp_path))


def test_nginx_takes_the_configuration(tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is not installed")
    [example] = examples("nginx")
    name = str(tmp_path / "search.example.com")
    certificate = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=x",
    ]
    run([*certificate, "-keyout", f"{name}.key", "-out", f"{name}.pem"], tmp_path)
    server = example.replace("/etc/ssl/search.example.com", name).replace(
        "listen 443", "listen 8443"
    )
    conf = tmp_path / "nginx.conf"
    paths = f"pid {tmp_path}/pid; error_log stderr;"
    conf.write_text(f"{paths}\nevents {{}}\nhttp {{ access_log off;\n{server}\n}}\n", "utf-8")

    run([nginx, "-t", "-c", str(conf), "-p", str(tmp_path)], tmp_path)


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd is not installed")
    [example] = examples("ini")
    program = tmp_path / "konayuki"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "konayuki.service"
    unit.write_text(example.replace("/opt/konayuki/bin/konayuki", str(program)), "utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)],
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "konayuki.service" not in done.stderr, done.stderr
    assert_arguments_are_known(re.search(r"^ExecStart=\S+ (.*)$", example, re.M)[1])  # type: ignore[index]


def test_the_container_file_starts_what_there_is() -> None:
    [example] = examples("dockerfile")
    lines = dict(line.split(" ", 1) for line in example.splitlines())
    entry, command = json.loads(lines["ENTRYPOINT"]), json.loads(lines["CMD"])

    assert entry[0] == "konayuki"
    assert_arguments_are_known(shlex.join([*entry[1:], *command]))
    assert lines["USER"] in lines["RUN"]
    health = json.loads(lines["HEALTHCHECK"].removeprefix("CMD "))
    compile(health[2], "HEALTHCHECK", "exec")


def test_the_agent_example_starts_what_there_is() -> None:
    [example] = examples("json")
    server = json.loads(example)["mcpServers"]["notes"]

    assert server["command"] == "konayuki"
    assert_arguments_are_known(shlex.join(server["args"]))
