"""The second look: what stands first, what a hit says of itself, and the tokens behind it."""

import json
import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import konayuki
from konayuki.errors import CheckpointError, InputError, KonayukiError
from konayuki.search import Index
from konayuki.search.limits import MAX_QUERY_CHARACTERS
from konayuki.search.ranker import DEFAULT, FEATURES, Candidates, Ranker, ranker_of
from konayuki.search.token_ids import MAX_TOKENS, token_block
from search.corpus import records
from search.stand_in import HashEncoder

MODEL = konayuki.StaticModel.load()
KITCHEN = [
    "すし処の昼の献立。すしと味噌汁が付く。",
    "猫のえさを買う。",
    "犬のえさと、猫の寝床を選ぶ。",
    "富士山の高さは3776メートルである。",
    "京都に雪が降った。",
    "お茶を飲んで休む。",
    "コーヒーの淹れ方を覚える。",
    "緑茶と紅茶は同じ木の葉から作る。",
    "Pythonで書いたプログラムをテストする。",
    "東京の天気は晴れ、大阪は雨。",
]


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory):
    with Index.create(tmp_path_factory.mktemp("kitchen") / "i", MODEL) as index:
        index.add({"id": str(n), "text": text} for n, text in enumerate(KITCHEN))
        yield index


def texts(index: Index, query: str, k: int = 3, **options) -> list[str]:
    return [hit.text for hit in index.search(query, k, **options)]


@pytest.mark.parametrize("word", ["茶", "雪", "京", "すし", "Python", "天気"])
def test_passages_that_hold_the_only_word_stand_before_all_others(kitchen: Index, word: str):
    holds = [word in hit.text for hit in kitchen.search(word, k=len(KITCHEN))]
    assert any(holds)
    assert holds == sorted(holds, reverse=True)


def test_the_exact_phrase_stands_first(kitchen: Index):
    assert texts(kitchen, "猫のえさ")[0] == KITCHEN[1]


@pytest.mark.parametrize("text", KITCHEN)
def test_a_stored_passage_finds_itself(kitchen: Index, text: str):
    assert texts(kitchen, text)[0] == text


def test_nonsense_is_not_relevant(kitchen: Index):
    assert max(hit.relevance for hit in kitchen.search("zzzzqqqq")) < 0.1
    assert kitchen.search("zzzzqqqq", min_relevance=0.3) == []


def test_what_is_asked_for_is_more_relevant_than_the_rest(kitchen: Index):
    first, *others = kitchen.search("富士山の高さは何メートルですか", k=10)
    assert first.text == KITCHEN[3]
    assert first.relevance > 0.5 > max(hit.relevance for hit in others)


def test_a_very_long_question_still_finds_its_passage(kitchen: Index):
    question = "".join(KITCHEN[:4]) + "富士山の高さは3776メートルである。" * 200
    assert texts(kitchen, question)[0] == KITCHEN[3]


def test_scripts_may_mix(kitchen: Index):
    assert texts(kitchen, "ｐｙｔｈｏｎ の テスト")[0] == KITCHEN[8]


def test_parts_sum_up_to_the_score(kitchen: Index):
    for options in ({}, {"rerank": False}, {"mode": "dense"}, {"mode": "lexical"}):
        for query in ("茶", "猫の寝床とえさ"):
            for hit in kitchen.search(query, k=10, **options):
                assert sum(hit.parts.values()) == pytest.approx(hit.score, abs=1e-5)
    assert set(kitchen.search("寝床と猫のえさ")[0].parts) == set(FEATURES)


def test_without_a_second_look_the_score_is_the_fused_one(kitchen: Index):
    hits = kitchen.search("猫の寝床", rerank=False)
    assert all(hit.relevance is None for hit in hits)
    for hit in hits:
        assert hit.parts["dense"] == pytest.approx(hit.dense)


def test_equal_passages_are_shown_once(tmp_path):
    with Index.create(tmp_path / "i", MODEL) as index:
        index.add({"id": f"copy{n}", "text": "猫のえさを買う。"} for n in range(30))
        index.add([{"id": "other", "text": "犬のえさも買う。"}])
        assert [hit.id for hit in index.search("猫のえさ", k=2)] == ["copy0", "other"]
        assert len(index.search("猫のえさ", k=5)) == 2
        copies = index.search("猫のえさ", k=5, distinct=False)
        assert [hit.text for hit in copies] == ["猫のえさを買う。"] * 5
        assert len(index.search("猫のえさ", k=5, mode="dense")) == 5
        assert len(index.search("猫のえさ", k=5, mode="dense", distinct=True)) == 2


def test_scores_do_not_depend_on_k_and_deep_answers_are_whole(tmp_path):
    with Index.create(tmp_path / "i", MODEL) as index:
        index.add(
            {"id": str(n), "text": f"{n}番の猫は{n % 7}時に魚を{n % 11}匹食べた。"}
            for n in range(400)
        )
        query = "3番の猫は何匹食べたか"
        deep = index.search(query, k=1000)
        assert len({hit.id for hit in deep}) == 400
        assert [hit.score for hit in deep] == sorted((hit.score for hit in deep), reverse=True)
        for k in (1, 10, 150):
            shallow = index.search(query, k=k)
            assert [(hit.id, hit.score) for hit in shallow] == [
                (hit.id, hit.score) for hit in deep[:k]
            ]


@pytest.mark.parametrize("value", [-0.1, 1.5, "0.5", True, float("nan")])
def test_min_relevance_is_a_share(kitchen: Index, value):
    with pytest.raises(InputError, match="min_relevance"):
        kitchen.search("猫", min_relevance=value)


def test_min_relevance_wants_a_second_look(kitchen: Index):
    for options in ({"rerank": False}, {"mode": "dense"}, {"mode": "lexical"}):
        with pytest.raises(InputError, match="without a second look"):
            kitchen.search("猫", min_relevance=0.5, **options)


def test_a_foreign_encoder_goes_without_a_second_look(tmp_path):
    with Index.create(tmp_path / "i", HashEncoder()) as index:
        index.add({"id": str(n), "text": text} for n, text in enumerate(KITCHEN))
        hits = index.search("猫のえさ")
        assert hits[0].text == KITCHEN[1]
        assert hits[0].relevance is None
        assert hits == index.search("猫のえさ", rerank=False)
        assert not (tmp_path / "i" / "tokens").exists()


def seen(index: Index) -> list[tuple[str, float]]:
    """Ids and what the second look adds, rounded: BM25 counts what tantivy still holds."""
    hits = index.search("北海道の犬", k=20)
    return [(hit.id, round(hit.parts["late"], 3)) for hit in hits]


def test_tokens_come_back_whatever_happened_to_them(tmp_path):
    folder = tmp_path / "i"
    with Index.create(folder, MODEL) as index:
        index.add(records(200))
        before = seen(index)
    for name in sorted(path.name for path in (folder / "tokens").iterdir()):
        path = folder / "tokens" / name
        content = path.read_bytes()
        for damage in (content[:-1], content[:-1] + bytes([content[-1] ^ 1]), None):
            if damage is None:
                path.unlink()
            else:
                path.write_bytes(damage)
            with Index.open(folder, MODEL) as index:
                assert seen(index) == before
            path = (
                folder
                / "tokens"
                / next(
                    (p.name for p in (folder / "tokens").iterdir() if p.suffix == path.suffix), name
                )
            )
            content = path.read_bytes()
    shutil.rmtree(folder / "tokens")
    with Index.open(folder, MODEL) as index:
        assert seen(index) == before


def test_a_reader_goes_without_a_second_look_if_there_are_no_tokens(tmp_path):
    folder = tmp_path / "i"
    with Index.create(folder, MODEL) as index:
        index.add(records(20))
    shutil.rmtree(folder / "tokens")
    with Index.open(folder, MODEL, read_only=True) as index:
        assert index.search("北海道の犬")[0].relevance is None


def test_a_threshold_that_a_reader_cannot_apply_is_an_error_and_no_empty_answer(tmp_path):
    folder = tmp_path / "i"
    with Index.create(folder, MODEL) as index:
        copy = {name: records(1)[0][name] for name in ("text", "title")}
        index.add([*records(20), {"id": "copy", **copy}])
        shown = [hit.text for hit in index.search("北海道の犬", k=30)]
    shutil.rmtree(folder / "tokens")
    with Index.open(folder, MODEL, read_only=True) as index:
        with pytest.raises(InputError, match="tokens is missing or damaged"):
            index.search("北海道の犬", min_relevance=0.1)
        # Equal texts are shown once, with tokens or without.
        assert sorted(hit.text for hit in index.search("北海道の犬", k=30)) == sorted(shown)
    with Index.open(folder, MODEL) as index:
        assert index.search("北海道の犬", min_relevance=1e-6)[0].relevance > 0


def test_candidates_of_a_closed_index_are_an_error_of_ours(tmp_path):
    index = Index.create(tmp_path / "i", MODEL)
    index.add(records(3))
    assert index.candidates("犬")[0]
    index.close()
    with pytest.raises(KonayukiError, match="closed"):
        index.candidates("犬")


def test_a_document_may_show_only_some_of_its_passages(tmp_path):
    with Index.create(tmp_path / "i", MODEL) as index:
        index.add(
            {"id": f"{book}#{n}", "text": f"{book}の{n}章は猫の話である。", "chunk_of": book}
            for book in ("赤い本", "青い本")
            for n in range(8)
        )
        for options in ({}, {"mode": "dense"}, {"mode": "lexical"}, {"rerank": False}):
            hits = index.search("猫の話", k=5, per_document=2, **options)
            assert sorted(hit.document for hit in hits) == ["赤い本"] * 2 + ["青い本"] * 2
            alone = [hit.id for hit in index.search("猫の話", k=16, **options)]
            assert [hit.id for hit in hits] == [n for n in alone if n in {h.id for h in hits}]
        assert len(index.search("猫の話", k=5)) == 5


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "2"])
def test_a_number_of_passages_is_a_whole_one(kitchen: Index, value):
    with pytest.raises(InputError, match="per_document"):
        kitchen.search("猫", per_document=value)


@pytest.mark.parametrize("query", ["猫", "雪", "A", "あ", "々", "ー", "。", "？", "1", "😀"])
def test_one_character_is_a_question(kitchen: Index, query: str):
    hits = kitchen.search(query, k=len(KITCHEN))
    assert all(np.isfinite(hit.score) and 0 <= hit.relevance <= 1 for hit in hits)
    if query.isalpha():
        holds = [query in hit.text for hit in hits]
        assert holds == sorted(holds, reverse=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("富士山", 3), ("とうきょう", 9), ("コーヒー", 6), ("ｐｙｔｈｏｎ", 8), ("プログラム", 8)],
)
def test_one_word_finds_its_passage(kitchen: Index, query: str, expected: int):
    assert texts(kitchen, query)[0] == KITCHEN[expected]


def test_a_question_of_the_longest_length_is_answered(kitchen: Index):
    question = ("ひっこしのてつづきと、猫のえさ。" * 7000)[:MAX_QUERY_CHARACTERS]
    assert texts(kitchen, question)[0] in KITCHEN
    assert texts(kitchen, KITCHEN[3] + "。" * (MAX_QUERY_CHARACTERS - 100))[0] == KITCHEN[3]


def test_compaction_keeps_the_tokens_of_the_living(tmp_path):
    with Index.create(tmp_path / "i", MODEL) as index:
        index.add(records(3000))
        kept = index.search("北海道の犬", k=2000, distinct=False)[-300:]
        ids = {hit.id for hit in kept}
        index.delete(str(record["id"]) for record in records(3000) if record["id"] not in ids)
        answer = index.search("北海道の犬", k=50)
    with Index.create(tmp_path / "fresh", MODEL) as index:
        index.add(record for record in records(3000) if record["id"] in ids)
        fresh = index.search("北海道の犬", k=50)
    assert [hit.text for hit in answer] == [hit.text for hit in fresh]
    assert [hit.relevance for hit in answer] == pytest.approx(
        [hit.relevance for hit in fresh], abs=0.02
    )


def test_a_block_holds_the_tokens_of_each_sentence():
    texts = ["", "猫がいる。犬もいる。", "。", "茶", "あ" * 20_000]
    block = token_block(MODEL, texts)
    ends = np.concatenate([[[0, 0]], block.ends])
    assert block.n_passages == len(texts)
    for number in range(len(texts)):
        (start, first), (end, last) = ends[number : number + 2]
        sentences = block.sentences[first:last]
        assert end - start <= MAX_TOKENS
        assert (sentences[-1] if len(sentences) else 0) == end - start
        assert (np.diff(sentences.astype(int)) >= 0).all()
        if number == 1:
            split = MODEL.tokenize(["猫がいる。", "犬もいる。"])
            assert block.ids[start:end].tolist() == split.ids.tolist()
            assert sentences.tolist() == split.offsets[1:].tolist()


@pytest.mark.parametrize(
    "query", ["猫", "魚を食べた", "3番の猫は何匹食べたか", "zzz", "さかなとネコ"]
)
@pytest.mark.parametrize("where", [(), (("even", ("true",)),)])
def test_one_pass_over_the_words_finds_what_two_do(tmp_path, query, where):
    with Index.create(tmp_path / "i", MODEL) as index:
        index.add(
            {
                "id": str(n),
                "text": f"{n}番の猫は{n % 7}時に魚を{n % 11}匹食べた。" if n % 3 else f"犬{n}",
                "metadata": {"even": n % 2 == 0},
            }
            for n in range(300)
        )
        index.delete(["4", "9"])
        view = index._store.current()
        living = view.vectors.rows[view.vectors.living(view.vectors.rows)]
        others = living[::-7] if not where else living[living % 2 == 1][::-7]
        rows, scores = view.lexical.best(query, 20, view.vectors.living, where)
        known = view.lexical.scores_of(query, others.tolist())
        best, best_scores, other_scores = view.lexical.best_with(
            query, 20, view.vectors.living, where, others
        )
        assert set(best.tolist()) == set(rows.tolist())
        assert best_scores == pytest.approx(scores, rel=1e-5)
        assert other_scores == pytest.approx(
            [known.get(row, 0) for row in others.tolist()], abs=1e-4
        )


def test_weights_belong_to_the_model_that_they_were_learned_with(tmp_path):
    MODEL.save(tmp_path / "m")
    model = konayuki.StaticModel.load(tmp_path / "m")
    own = Ranker(model.fingerprint, dict.fromkeys(FEATURES, 1.0), {"bias": 0.0})
    assert ranker_of(model) == DEFAULT
    (tmp_path / "m" / "ranker.json").write_text(own.as_json(), "utf-8")
    assert ranker_of(konayuki.StaticModel.load(tmp_path / "m")) == own
    shutil.copytree(tmp_path / "m", tmp_path / "other")
    other = json.loads(own.as_json()) | {"fingerprint": "of another model"}
    (tmp_path / "other" / "ranker.json").write_text(json.dumps(other), "utf-8")
    assert ranker_of(konayuki.StaticModel.load(tmp_path / "other")) == DEFAULT
    shutil.copytree(tmp_path / "m", tmp_path / "bad")
    (tmp_path / "bad" / "ranker.json").write_text("{}", "utf-8")
    with pytest.raises(CheckpointError, match=r"ranker\.json"):
        ranker_of(konayuki.StaticModel.load(tmp_path / "bad"))


def test_the_bundled_model_has_weights_of_its_own():
    assert ranker_of(MODEL).fingerprint == MODEL.fingerprint


def test_a_feature_in_which_all_candidates_agree_adds_nothing():
    same = np.full(5, 0.3, np.float32)
    candidates = Candidates(same, 0 * same, same, np.arange(5, dtype=np.float32), same, 1.0)
    parts = DEFAULT.parts(candidates, 5)
    assert not np.any([parts[name] for name in ("dense", "lexical", "late", "length")])
    assert (np.diff(parts["sentence"]) > 0).all()


def forge(tokens: Path, change: Callable[[dict, dict], None]) -> None:
    """Change the arrays in a folder of tokens and make the checksums hold, as a sender can."""
    state = json.loads((tokens / "state.json").read_text())
    dtypes = {"ids": "<u2", "rows": "<i8", "ends": "<i8", "sentences": "<u4", "lengths": "<f4"}
    paths = {name: tokens / f"{state['epoch']}.{name}" for name in dtypes}
    arrays = {name: np.fromfile(paths[name], dtype) for name, dtype in dtypes.items()}
    change(state, arrays)
    for name, array in arrays.items():
        paths[name].write_bytes(array.tobytes())
    state["checksums"] = [zlib.crc32(array.tobytes()) for array in arrays.values()]
    (tokens / "state.json").write_text(json.dumps(state))


def ids_beyond(state: dict, arrays: dict) -> None:
    arrays["ids"][:] = 2**16 - 1


def ids_below(state: dict, arrays: dict) -> None:
    state["wide"], arrays["ids"] = True, np.full(len(arrays["ids"]), -5, "<i4")


def ends_backwards(state: dict, arrays: dict) -> None:
    arrays["ends"][::4] = arrays["ends"][::4][::-1].copy()


def ends_negative(state: dict, arrays: dict) -> None:
    arrays["ends"][4] = -(2**40)


def ends_beyond(state: dict, arrays: dict) -> None:
    arrays["ends"][-2:] = 2**62


def sentences_beyond(state: dict, arrays: dict) -> None:
    arrays["sentences"][:] = 2**32 - 1


def lengths_tiny(state: dict, arrays: dict) -> None:
    arrays["lengths"][:] = 1e-45


def lengths_nan(state: dict, arrays: dict) -> None:
    arrays["lengths"][:] = np.nan


def rows_repeated(state: dict, arrays: dict) -> None:
    arrays["rows"][:] = 1


def sizes_huge(state: dict, arrays: dict) -> None:
    state["sizes"] = [2**62] * 3


FORGERIES = (
    ids_beyond, ids_below, ends_backwards, ends_negative, ends_beyond, sentences_beyond,
    lengths_tiny, lengths_nan, rows_repeated, sizes_huge,
)  # fmt: skip


@pytest.mark.parametrize("read_only", [False, True], ids=["writing", "reading"])
@pytest.mark.parametrize("change", FORGERIES, ids=lambda change: change.__name__)
def test_forged_tokens_keep_no_search_from_answering(
    change: Callable[[dict, dict], None], kitchen: Index, tmp_path: Path, read_only: bool
):
    folder = Path(shutil.copytree(kitchen.info()["path"], tmp_path / "i"))
    forge(folder / "tokens", change)
    with Index.open(folder, MODEL, read_only=read_only) as index:
        hits = index.search("猫のえさ", 5)
    assert hits[0].text == KITCHEN[1]
    assert np.isfinite([hit.score for hit in hits]).all()


def test_a_reader_takes_no_tokens_of_another_history(tmp_path: Path):
    with Index.create(tmp_path / "i", MODEL) as index:
        index.add([{"id": "a", "text": "富士山"}])
    Path(shutil.copytree(tmp_path / "i", tmp_path / "other"))
    for name, texts in (
        ("i", ["りんごの木", "みかんの木"]),
        ("other", ["みかんの木", "りんごの木"]),
    ):
        with Index.open(tmp_path / name, MODEL) as index:
            index.add({"id": str(n), "text": text} for n, text in enumerate(texts))
    shutil.rmtree(tmp_path / "i" / "tokens")
    shutil.copytree(tmp_path / "other" / "tokens", tmp_path / "i" / "tokens")
    with Index.open(tmp_path / "i", MODEL, read_only=True) as index:
        assert index.search("りんごの木", 1)[0].relevance is None


def test_a_large_write_is_tokenized_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An upload of 8 MB of ligatures that unfold to 18 characters took a gigabyte."""
    sizes = []

    def counted(model, texts):
        sizes.append(len(texts))
        return token_block(model, texts)

    monkeypatch.setattr("konayuki.search.token_ids.token_block", counted)
    with Index.create(tmp_path / "i", MODEL) as index:
        index.replace({"id": str(n), "text": f"文書 {n}"} for n in range(600))
        assert index.search("文書 599", 1)[0].id == "599"
    assert sum(sizes) == 600
    assert max(sizes) <= 256


def test_tokens_behind_a_link_are_not_read(kitchen: Index, tmp_path: Path):
    folder = Path(shutil.copytree(kitchen.info()["path"], tmp_path / "i"))
    (folder / "tokens").rename(tmp_path / "outside")
    (folder / "tokens").symlink_to(tmp_path / "outside")
    with Index.open(folder, MODEL, read_only=True) as index:
        assert index.search("猫のえさ", 1)[0].relevance is None


@pytest.mark.parametrize(
    "name", ["tokens/state.json", "vectors/state.json", "lexical/meta.json", "index.json"]
)
def test_a_file_with_holes_takes_no_memory(name: str, kitchen: Index, tmp_path: Path):
    folder = Path(shutil.copytree(kitchen.info()["path"], tmp_path / "i"))
    os.truncate(folder / name, 1 << 40)
    with Index.open(folder, MODEL) as index:
        assert index.search("猫のえさ", 1)[0].text == KITCHEN[1]
        index.add([{"id": "new", "text": "新しい文書"}])


@pytest.mark.parametrize(
    "change",
    [
        lambda ranker: ranker["weights"].update(late=float("nan")),
        lambda ranker: ranker["weights"].update(late=1e300),
        lambda ranker: ranker["weights"].update(late=10**400),
        lambda ranker: ranker["relevance"].update(bias=float("inf")),
        lambda ranker: ranker["relevance"].pop("bias"),
    ],
)
def test_weights_that_give_no_order_are_refused(change, tmp_path: Path):
    MODEL.save(tmp_path / "m")
    model = konayuki.StaticModel.load(tmp_path / "m")
    ranker = json.loads(DEFAULT.as_json())
    change(ranker)
    (tmp_path / "m" / "ranker.json").write_text(json.dumps(ranker))
    with pytest.raises(CheckpointError, match=r"ranker\.json"):
        ranker_of(model)


@pytest.mark.parametrize("kind", ["link", "deep", "holes"])
def test_a_file_of_weights_that_is_a_trick_is_refused(kind: str, tmp_path: Path):
    MODEL.save(tmp_path / "m")
    model = konayuki.StaticModel.load(tmp_path / "m")
    path = tmp_path / "m" / "ranker.json"
    if kind == "link":
        (tmp_path / "secret").write_text(DEFAULT.as_json())
        path.symlink_to(tmp_path / "secret")
    else:
        path.write_text("[" * 100_000)
        os.truncate(path, 100_000 if kind == "deep" else 1 << 40)
    with pytest.raises(CheckpointError, match=r"ranker\.json"):
        ranker_of(model)


@pytest.mark.parametrize("query", ["🦑", "\U00029e3d", "🦑🦀"])
def test_characters_that_the_model_does_not_know_are_not_alike(tmp_path, query):
    index = konayuki.Index.create(tmp_path / "i", MODEL)
    index.add([{"id": "party", "text": "🎉"}, {"id": "tea", "text": "お茶を飲む。🎉"}])
    assert not MODEL.encode(["🎉"]).any()
    assert all(hit.relevance < 0.1 for hit in index.search(query))
