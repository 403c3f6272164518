import json
from pathlib import Path

import numpy as np
import pytest

from konayuki.cli import main
from konayuki.errors import InputError
from konayuki.scale import clusters
from konayuki.scale.clusters import assign, find_clusters, fit, name_clusters

MOUNTAINS = [f"富士山や北岳のような高い山に登った日は{n}日です。" for n in range(12)]
LIBRARY = [f"図書館で本を{n}冊借りて、カードを見せました。" for n in range(8)]
TEXTS = [text for pair in zip(MOUNTAINS, LIBRARY, strict=False) for text in pair] + MOUNTAINS[8:]


def test_texts_of_a_kind_share_a_group_and_the_largest_is_the_first() -> None:
    found = find_clusters(TEXTS, 2)

    of = dict(zip(TEXTS, found.labels.tolist(), strict=True))
    assert [of[text] for text in MOUNTAINS] == [0] * 12
    assert [of[text] for text in LIBRARY] == [1] * 8
    assert found.sizes.tolist() == [12, 8]
    assert set(found.nearest(1, 3)) <= {TEXTS.index(text) for text in LIBRARY}


def test_every_text_is_at_its_nearest_centre_and_centres_are_means() -> None:
    generator = np.random.default_rng(3)
    rows = generator.standard_normal((400, 12)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clusters, "_BLOCK", 33)
        centres = fit(rows, 9, np.random.default_rng(0))
        labels, cosines = assign(rows, centres)

    products = rows @ centres.T
    # float32 sums of blocks and of the whole differ in the last bits, and how is the BLAS's affair.
    nearest = products.max(axis=1)
    np.testing.assert_allclose(products[np.arange(400), labels], nearest, rtol=0, atol=1e-6)
    np.testing.assert_allclose(cosines, nearest, rtol=0, atol=1e-6)
    for cluster, centre in enumerate(centres):
        mean = rows[labels == cluster].mean(axis=0)
        np.testing.assert_allclose(mean / np.linalg.norm(mean), centre, atol=1e-4)


def test_the_same_seed_gives_the_same_groups() -> None:
    first, second = find_clusters(TEXTS, 4, seed=5), find_clusters(iter(TEXTS), 4, seed=5)

    np.testing.assert_array_equal(first.labels, second.labels)
    assert (np.diff(first.sizes) <= 0).all()


def test_equal_texts_leave_no_group_without_a_number() -> None:
    found = find_clusters(["山"] * 5 + [""], 3)

    assert found.sizes.sum() == 6
    assert np.isfinite(found.cosines).all()


def test_a_sample_decides_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "SAMPLE_ROWS", 10)

    assert sorted(find_clusters(TEXTS, 2).sizes.tolist()) == [8, 12]


def test_more_groups_than_texts_are_refused() -> None:
    with pytest.raises(InputError, match="cannot make 3 groups of 2 texts"):
        find_clusters(["山", "本"], 3)
    with pytest.raises(InputError, match="cannot make 0 groups"):
        find_clusters(["山", "本"], 0)


def test_names_are_the_words_that_tell_a_group_from_the_others() -> None:
    texts = {0: "山の天気と山小屋", 1: "山小屋の朝", 2: "図書館の朝", 3: "図書館とカード"}

    names = name_clusters(texts, np.array([0, 0, 1, 1]), 2, n_words=1)

    assert names == [["山小屋"], ["図書館"]]


def test_the_command_prints_groups_and_labels_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.jsonl"
    lines = [json.dumps({"id": n, "text": text}) for n, text in enumerate(TEXTS)]
    path.write_text("\n".join(lines), "utf-8")
    out = tmp_path / "out.jsonl"

    assert main(["cluster", str(path), "-k", "2", "--json", "--out", str(out)]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["cluster", str(path), "-k", "2", "--examples", "1"]) == 0

    assert [group["size"] for group in printed] == [12, 8]
    assert "図書館" in printed[1]["words"]
    assert [len(group["examples"]) for group in printed] == [3, 3]
    labelled = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["cluster"] for row in labelled[:4]] == [0, 1, 0, 1]
    assert capsys.readouterr().out.count("\n") == 4
