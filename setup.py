"""The compiled part, and the README as a package registry shows it.

Everything else is in pyproject.toml. The extension is optional: if it cannot be built, NumPy does
its work, correctly and more slowly.
"""

import re
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

NATIVE = Path("src/konayuki/model/native")
# A free-threaded interpreter has no stable ABI yet: there the extension is built for that version.
STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")
GNU_FLAGS = ["-std=gnu11", "-O3", "-g0", "-fno-math-errno", "-fvisibility=hidden", "-pthread"]

REPOSITORY = "https://github.com/konayuki-search/konayuki"


def description() -> str:
    """Return the README with absolute links: a registry shows it outside the repository."""
    readme = Path("README.md").read_text(encoding="utf-8")
    readme = re.sub(
        r'(\]\(|src=")(?!https?:|#)([^)"]+\.(?:png|svg|jpg))',
        rf"\1{REPOSITORY}/raw/main/\2",
        readme,
    )
    return re.sub(r"(\]\()(?!https?:|#)", rf"\1{REPOSITORY}/blob/main/", readme)


extension = Extension(
    "konayuki.model.native._kernel",
    sources=sorted(path.as_posix() for path in NATIVE.glob("*.c")),
    depends=sorted(path.as_posix() for path in NATIVE.glob("*.h")),
    define_macros=[("Py_LIMITED_API", "0x030A0000")] if STABLE_ABI else [],
    py_limited_api=STABLE_ABI,
    extra_compile_args=["/O2"] if sys.platform == "win32" else GNU_FLAGS,
    extra_link_args=[] if sys.platform == "win32" else ["-pthread"],
    optional=True,
)

if __name__ == "__main__":
    setup(
        ext_modules=[extension],
        exclude_package_data={"konayuki.model.native": ["*.c", "*.h"]},
        options={"bdist_wheel": {"py_limited_api": "cp310"}} if STABLE_ABI else {},
        long_description=description(),
        long_description_content_type="text/markdown",
    )
