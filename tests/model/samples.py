"""Small tokenizers and models, made from text of our own."""

import base64
import json
import math
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from konayuki.model.packed import FloatTable
from konayuki.model.static import StaticModel
from konayuki.model.weights import Weights

TEXT = """
富士山は日本でいちばん高い山です。朝の空気は冷たく、山道には小さな花が咲いていました。
図書館で本を借りるには、カードを見せてください。返す日は二週間後です。
コンピューターの電源を入れると、画面に文字が出ます。パスワードを忘れたときは再設定します。
みそ汁はだしを取り、とうふとわかめを入れてから、みそをとかして作ります。
The train leaves at 9:30 and arrives at 12:05. Please check the timetable.
スーパーマーケットで卵と牛乳を買いました。合計は1,280円でした。
法律は国会で作られ、裁判所がその意味を決めます。サッカーの試合は引き分けでした。
""".strip()
BENCHMARKS = str(Path(__file__).resolve().parents[2] / "benchmarks")
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")


def counted_pieces(longest: int = 4) -> list[tuple[str, float]]:
    """Every stretch of a word of TEXT with a score: the more frequent and the longer the better.

    The scores are multiples of 1/256, and many are equal: ties are everywhere.
    """
    counts: Counter[str] = Counter()
    for word in TEXT.lower().split():
        for start in range(len(word)):
            for end in range(start + 1, min(start + longest, len(word)) + 1):
                counts[word[start:end]] += 1
    total = sum(counts.values())
    scores = {piece: math.log(count * len(piece) / total) for piece, count in counts.items()}
    return [(piece, round(score * 256) / 256) for piece, score in sorted(scores.items())]


def off_grid(parts: dict[str, Any]) -> dict[str, Any]:
    """The same with scores that single precision has to round, and no two of them equal."""
    random = np.random.default_rng(7)
    model = parts["model"]
    pieces = [
        (piece, score and score + float(random.normal(0, 0.3))) for piece, score in model["vocab"]
    ]
    return {**parts, "model": {**model, "vocab": pieces}}


def added(content: str, token_id: int, **flags: bool) -> dict[str, Any]:
    names = ("single_word", "lstrip", "rstrip", "normalized")
    return {
        "id": token_id,
        "content": content,
        "special": not flags.get("normalized"),
        **dict.fromkeys(names, False),
        **flags,
    }


def definition(vocabulary: list[tuple[str, float]], unk_id: int, **parts: Any) -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": {
            "direction": "Right",
            "max_length": 4,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": unk_id, "vocab": vocabulary, "byte_fallback": False},
        **parts,
    }


def ours() -> dict[str, Any]:
    """A tokenizer of the kind that we ship."""
    return definition(
        [("<unk>", 0.0), *counted_pieces()],
        0,
        added_tokens=[added("<unk>", 0)],
        normalizer={"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]},
        pre_tokenizer={"type": "WhitespaceSplit"},
    )


@cache
def character_map() -> str:
    """The character map of SentencePiece's rule nmt_nfkc, in base 64."""
    sys.path.insert(0, BENCHMARKS)
    try:
        import published_tokenizer
    finally:
        sys.path.remove(BENCHMARKS)
    return base64.b64encode(published_tokenizer.character_map()).decode()


def metaspace(scheme: str = "always", *, split: bool = True) -> dict[str, Any]:
    return {
        "type": "Metaspace",
        "replacement": "▁",
        "prepend_scheme": scheme,
        "split": split,
    }


def roberta_pieces() -> list[tuple[str, float]]:
    words = [("▁" + piece, score - 0.5) for piece, score in counted_pieces(3)]
    specials = [(token, 0.0) for token in SPECIAL]
    return [*specials, ("▁", -3.75), *counted_pieces(), *words, ("<mask>", 0.0)]


def roberta(**parts: Any) -> dict[str, Any]:
    """A tokenizer of the kind that the published Japanese models use."""
    pieces = roberta_pieces()
    tokens = [added(token, token_id) for token_id, token in enumerate(SPECIAL)]
    return definition(
        pieces,
        3,
        **{
            "added_tokens": [*tokens, added("<mask>", len(pieces) - 1, lstrip=True)],
            "normalizer": {"type": "Precompiled", "precompiled_charsmap": character_map()},
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace()],
            },
            **parts,
        },
    )


def modern_roberta() -> dict[str, Any]:
    """The same without a splitter: blanks are folded by the normaliser."""
    return roberta(
        normalizer={
            "type": "Sequence",
            "normalizers": [
                {"type": "Precompiled", "precompiled_charsmap": character_map()},
                {"type": "Strip", "strip_left": False, "strip_right": True},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"},
            ],
        },
        pre_tokenizer=metaspace("first"),
    )


def unsplit() -> dict[str, Any]:
    """One word a text: pieces may hold marks anywhere."""
    return roberta(
        normalizer={
            "type": "Sequence",
            "normalizers": [
                {"type": "NFC"},
                {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
                {"type": "Strip", "strip_left": True, "strip_right": False},
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ],
        },
        pre_tokenizer=None,
    )


def sequence(*normalizers: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": list(normalizers)}


def map_step() -> dict[str, Any]:
    return {"type": "Precompiled", "precompiled_charsmap": character_map()}


def falling_back_to_bytes(**parts: Any) -> dict[str, Any]:
    """One with a piece for each byte, and few others: most characters become bytes."""
    pieces = [(f"<0x{byte:02X}>", -12.0) for byte in range(256)]
    whole = [("<unk>", 0.0), *pieces, ("▁", -3.0), ("山", -4.0), ("▁the", -4.5), ("日本", -5.0)]
    result = roberta(added_tokens=[added("</s>", len(whole))], **parts)
    result["model"] = {"type": "Unigram", "unk_id": 0, "vocab": whole, "byte_fallback": True}
    return result


def every_added_token(**parts: Any) -> dict[str, Any]:
    """Added tokens with every flag, some of them found in normalised text."""
    result = roberta(**parts)
    n_pieces = len(result["model"]["vocab"])
    contents = {
        "<s>": {},
        "<mask>": {"lstrip": True},
        "<sep>": {"rstrip": True},
        "[both]": {"lstrip": True, "rstrip": True},
        "word": {"single_word": True},
        "<norm>": {"normalized": True},
        "山の日": {"normalized": True, "single_word": True},
        "ＷＥＢ": {"normalized": True, "lstrip": True},
    }
    ids = {"<s>": 0, "<mask>": n_pieces - 1}
    new = (content for content in contents if content not in ids)
    ids |= {content: n_pieces + place for place, content in enumerate(new)}
    result["added_tokens"] = [added(c, ids[c], **flags) for c, flags in contents.items()]
    return result


DEFINITIONS = {
    "spaces joined": lambda: roberta(
        normalizer=sequence(
            map_step(), {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
        ),
        pre_tokenizer=metaspace(),
    ),
    "character map, lower case": lambda: roberta(
        normalizer=sequence({"type": "NFKC"}, map_step(), {"type": "Lowercase"}),
    ),
    "characters replaced": lambda: roberta(
        normalizer=sequence(
            {"type": "Replace", "pattern": {"String": "ー"}, "content": "山"},
            {"type": "Replace", "pattern": {"String": "!"}, "content": ""},
            {"type": "NFKC"},
            {"type": "Replace", "pattern": {"String": "w"}, "content": "ww"},
        ),
    ),
    "words without marks": lambda: roberta(
        pre_tokenizer={
            "type": "Sequence",
            "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace("never")],
        },
    ),
    "bytes": falling_back_to_bytes,
    "bytes, one word": lambda: falling_back_to_bytes(
        normalizer={"type": "NFKC"}, pre_tokenizer=metaspace("first", split=False)
    ),
    "every added token": every_added_token,
    "every added token, marks first": lambda: every_added_token(pre_tokenizer=metaspace("first")),
    "every added token, NFKC": lambda: every_added_token(
        normalizer=sequence({"type": "NFKC"}, {"type": "Lowercase"})
    ),
    "ours": ours,
    "ours, scores off the grid": lambda: off_grid(ours()),
    "roberta": roberta,
    "roberta, scores off the grid": lambda: off_grid(roberta()),
    "roberta, folded blanks": modern_roberta,
    "never prepended": lambda: roberta(pre_tokenizer=metaspace("never")),
    "unsplit metaspace": lambda: roberta(
        normalizer={"type": "NFKD"}, pre_tokenizer=metaspace(split=False)
    ),
    "no pre-tokeniser": unsplit,
}


def word_piece() -> dict[str, Any]:
    """A tokenizer of the kind that the English siblings use."""
    words = ["[UNK]", "fuji", "##yama", "is", "high", "the", "##s"]
    return definition(
        [],
        0,
        model={
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: token_id for token_id, word in enumerate(words)},
        },
        normalizer={
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        pre_tokenizer={"type": "BertPreTokenizer"},
    )


def as_bytes(parts: dict[str, Any]) -> bytes:
    return json.dumps(parts, ensure_ascii=False).encode()


def random_weights(vocab_size: int, dim: int, seed: int = 0) -> Weights:
    random = np.random.default_rng(seed)
    return Weights(
        FloatTable(random.normal(0, 1, (vocab_size, dim)).astype(np.float32)),
        random.normal(0.6, 0.2, dim).astype(np.float32),
        random.normal(1, 0.2, dim).astype(np.float32),
        random.normal(0, 0.2, dim).astype(np.float32),
    )


def small_model(dim: int = 16, seed: int = 0) -> StaticModel:
    parts = ours()
    weights = random_weights(len(parts["model"]["vocab"]), dim, seed)
    return StaticModel(weights, as_bytes(parts), Path("sample"))
