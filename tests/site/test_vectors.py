"""The test vectors for ports, and the npm package that carries them."""

import json
import re
import subprocess

import numpy as np
import pytest

import konayuki
import site_vectors
from konayuki.site.model_file import site_model

RUNTIME = site_vectors.FILE.parent


def test_javascript_gives_the_vectors(ask, built):
    cases = site_vectors.vectors()["cases"]
    texts = [case["text"] for case in cases]
    answer = ask(built, texts=texts, vectors=True, terms=texts)

    for number, case in enumerate(cases):
        shown = answer["vectors"][number][: site_vectors.SHOWN]
        np.testing.assert_allclose(shown, case["vector"], rtol=0, atol=1e-5)
        assert answer["ids"][number] == case["ids"]
        terms = answer["terms"][number]
        others = {gram: list(spellings) for gram, spellings in case["other_spellings"].items()}
        expected = (case["grams"], case["lone"], others)
        assert (terms["grams"], terms["lone"], terms["others"]) == expected


def test_the_file_is_that_of_the_bundled_model():
    written = json.loads(site_vectors.FILE.read_text(encoding="utf-8"))
    model = site_model(konayuki.StaticModel.load(), site_vectors.DIM)
    if written["fingerprint"] != model.fingerprint:
        pytest.skip("the bundled model is another one: python tools/site_vectors.py")
    assert written == json.loads(json.dumps(site_vectors.vectors()))


def test_the_npm_package_has_our_version_and_every_file():
    package = json.loads((RUNTIME / "package.json").read_text(encoding="utf-8"))

    assert package["version"] == konayuki.__version__
    assert all((RUNTIME / name).is_file() for name in package["files"])


def test_the_types_name_what_the_module_exports(node):
    script = "import(process.argv[1]).then((module) => console.log(Object.keys(module).join(' ')))"
    module = (RUNTIME / "konayuki.js").as_uri()
    done = subprocess.run([node, "-e", script, module], capture_output=True, text=True, check=True)
    types = (RUNTIME / "konayuki.d.ts").read_text(encoding="utf-8")

    assert set(done.stdout.split()) == set(
        re.findall(r"export (?:class|function|const) (\w+)", types)
    )
