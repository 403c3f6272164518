"""Whether the kernel is built and used, and with which instructions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from konayuki.errors import InputError
from konayuki.model import native

from .levels import LEVELS

ROOT = Path(__file__).parents[3]


def test_the_environment_turns_the_kernel_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONAYUKI_KERNEL", "numpy")

    assert native.kernel() is None
    assert native.describe().startswith("numpy: ")


@pytest.mark.skipif(not LEVELS, reason="the extension is not built")
def test_the_environment_picks_an_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for level in LEVELS:
        monkeypatch.setenv("KONAYUKI_KERNEL", level)
        chosen = native.kernel()

        assert chosen is not None
        assert chosen.level == level
        assert native.describe().startswith(f"{level}, ")


@pytest.mark.skipif(not LEVELS, reason="the extension is not built")
def test_an_unknown_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONAYUKI_KERNEL", "mmx")

    with pytest.raises(InputError, match="KONAYUKI_KERNEL is 'mmx'"):
        native.kernel()


def test_without_a_compiler_the_build_succeeds_and_numpy_remains(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    folders = [f"--build-lib={tmp_path / 'lib'}", f"--build-temp={tmp_path / 'temp'}"]
    build = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", *folders],
        cwd=ROOT,
        env={**os.environ, "CC": "false"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert build.returncode == 0, build.stderr
    assert "_kernel" in build.stderr  # the warning names what was left out
    assert not list(tmp_path.rglob("_kernel*.so"))


def test_without_the_extension_the_kernel_is_none() -> None:
    program = (
        "import sys; sys.modules['konayuki.model.native._kernel'] = None\n"
        "from konayuki.model import native\n"
        "assert native.kernel() is None\n"
        "print(native.describe())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "KONAYUKI_KERNEL": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout == "numpy: not compiled\n"
