"""A network over sixteen characters, and texts for it."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from konayuki.model.weights import Pooling
from konayuki.training.network import TrainedSSE

PLAIN = Pooling()
PIECES = "雪雨風山川海空星月日犬猫鳥魚花木"
QUERIES = ["雪山", "雨風", "", "犬", "猫鳥", "魚海", "花", "木空星", "月日", "川"]
PASSAGES = ["山雪雪", "風", "月", "犬犬猫", "鳥空", "海魚川", "花木", "星空", "日月", "川雨"]


def network(dim: int = 8, pooling: Pooling = PLAIN) -> TrainedSSE:
    vocabulary = {piece: number for number, piece in enumerate(["?", *PIECES])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))  # noqa: S106 - no password
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    torch.manual_seed(0)
    made = TrainedSSE(tokenizer, len(vocabulary), dim, pooling.to_array())
    with torch.no_grad():
        made.dyt.bias.normal_(std=0.1)
    return made


def gradients(model: "torch.nn.Module") -> "list[torch.Tensor]":
    return [parameter.grad.clone() for parameter in model.parameters()]
