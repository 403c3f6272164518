"""The SSE module inside what trainers wrap it in: cached losses, compilers, data parallelism."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

from sentence_transformers import SentenceTransformer  # noqa: E402 - torch is optional

from konayuki.model.pooling import Pooler  # noqa: E402
from konayuki.model.tokens import TokenBatch  # noqa: E402
from konayuki.model.weights import Pooling  # noqa: E402
from konayuki.training.network import TrainedSSE  # noqa: E402
from training.tiny_network import PASSAGES, QUERIES, gradients, network  # noqa: E402

SOURCE = Path(__file__).resolve().parents[2] / "src"
# The libraries below us warn of their own affairs.
pytestmark = pytest.mark.filterwarnings("ignore")


def batches(model: SentenceTransformer) -> list[dict[str, "torch.Tensor"]]:
    return [model[0].preprocess(QUERIES), model[0].preprocess(PASSAGES)]


@pytest.mark.parametrize("mini_batch_size", [1, 3, 10])
@pytest.mark.parametrize("nested", [False, True])
def test_cached_losses_give_the_same_gradients(mini_batch_size: int, nested: bool) -> None:
    try:
        from sentence_transformers.sentence_transformer import losses
    except ImportError:  # sentence-transformers 5
        from sentence_transformers import losses
    model = SentenceTransformer(modules=[network()], device="cpu")
    plain: torch.nn.Module = losses.MultipleNegativesRankingLoss(model)
    cached: torch.nn.Module = losses.CachedMultipleNegativesRankingLoss(
        model, mini_batch_size=mini_batch_size
    )
    if nested:
        plain = losses.MatryoshkaLoss(model, plain, [8, 4])
        cached = losses.MatryoshkaLoss(model, cached, [8, 4])
    found = []
    for loss in (plain, cached):
        model.zero_grad()
        value = loss(batches(model), None)
        value.backward()
        found.append([value.detach(), *gradients(model)])

    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", [Pooling(), Pooling(0.5, 2.0), Pooling(0.5)], ids=str)
def test_flat_bags_and_padded_rows_give_the_same_vectors_and_gradients(pooling: Pooling) -> None:
    module = network(pooling=pooling)
    features = module.preprocess(PASSAGES + QUERIES)
    mask = features["attention_mask"].bool()
    counts = mask.sum(dim=1).numpy()
    offsets = np.concatenate([[0], np.cumsum(counts)])
    bags = TokenBatch(features["input_ids"][mask].numpy().astype(np.int32), offsets)
    weights = torch.randn(len(counts), 8, generator=torch.Generator().manual_seed(1))
    found = []
    for outputs in (
        lambda: module(dict(features))["sentence_embedding"],
        lambda: module.outputs(bags),
    ):
        module.zero_grad()
        vectors = outputs()
        (vectors * weights).sum().backward()
        found.append([vectors.detach(), *gradients(module)])

    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    pooled = Pooler(module.weights()).pool(bags, dim=8, normalize=False)
    np.testing.assert_allclose(found[0][0].numpy(), pooled, rtol=1e-5, atol=1e-6)


def compiled_agrees(backend: str) -> None:
    plain = network()
    compiled = copy.deepcopy(plain)
    run = torch.compile(compiled, backend=backend, dynamic=True)
    for texts in (QUERIES, PASSAGES[:4], [*PASSAGES, "雪" * 40]):  # lengths and counts change
        results = []
        for module, forward in ((plain, plain), (compiled, run)):
            module.zero_grad()
            vectors = forward(module.preprocess(texts))["sentence_embedding"]
            vectors.square().sum().backward()
            results.append([vectors.detach(), *gradients(module)])
        for one, other in zip(*results, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_compiled_module_gives_the_same_vectors_and_gradients() -> None:
    torch._dynamo.reset()
    compiled_agrees("aot_eager")


@pytest.mark.slow
def test_a_module_compiled_to_machine_code_gives_the_same_vectors_and_gradients() -> None:
    torch._dynamo.reset()
    try:
        compiled_agrees("inductor")
    except torch._inductor.exc.InductorError as error:
        pytest.skip(f"this machine has no compiler that inductor can use: {error}")


SHARE = """
import sys
from pathlib import Path
import torch
import torch.distributed as distributed
from torch.nn.parallel import DistributedDataParallel
sys.path.insert(0, sys.argv[1])
import tiny_network
rank, folder = int(sys.argv[2]), Path(sys.argv[3])
distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
module = tiny_network.network()
wrapped = DistributedDataParallel(module)
texts = [tiny_network.QUERIES, tiny_network.PASSAGES][rank]
wrapped(module.preprocess(texts))["sentence_embedding"].square().sum(dim=1).mean().backward()
torch.save(tiny_network.gradients(module), folder / f"{rank}.pt")
distributed.barrier()
distributed.destroy_process_group()  # its threads must not outlive the interpreter
"""


@pytest.mark.slow
def test_two_processes_average_the_gradients_of_their_halves(tmp_path: Path) -> None:
    path = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", SHARE, str(Path(__file__).parent)]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path)], env={**os.environ, "PYTHONPATH": path}
        )
        for rank in (0, 1)
    ]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    whole = network()
    vectors = whole(whole.preprocess(QUERIES + PASSAGES))["sentence_embedding"]
    vectors.square().sum(dim=1).mean().backward()

    for rank in (0, 1):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for one, other in zip(found, gradients(whole), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_the_trainer_saves_and_loads_the_module(tmp_path: Path) -> None:
    model = SentenceTransformer(modules=[network()], device="cpu", trust_remote_code=True)
    model.save_pretrained(str(tmp_path), create_model_card=False)
    again = SentenceTransformer(str(tmp_path), trust_remote_code=True, device="cpu")

    assert isinstance(again[0], TrainedSSE)
    torch.testing.assert_close(
        again.encode(PASSAGES, convert_to_tensor=True),
        model.encode(PASSAGES, convert_to_tensor=True),
    )


def test_rounded_rows_are_those_of_the_layout_and_let_gradients_through() -> None:
    model = network(dim=32)
    bags = TokenBatch(np.array([1, 2, 2, 5, 3], np.int32), np.array([0, 3, 3, 5], np.int64))
    target = torch.randn(3, 32)

    model.see_quantized_rows(True)
    outputs = model.outputs(bags)
    (outputs * target).sum().backward()
    through = model.embedding.weight.grad.clone()

    packed = model.weights().packed()
    unpacked = copy.deepcopy(model)
    unpacked.see_quantized_rows(False)
    with torch.no_grad():
        unpacked.embedding.weight.copy_(torch.from_numpy(packed.float_table().values))
    unpacked.zero_grad()
    expected = unpacked.outputs(bags)
    (expected * target).sum().backward()

    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(through, unpacked.embedding.weight.grad)
    assert not torch.equal(outputs, model_without_rounding(model).outputs(bags))


def model_without_rounding(model: TrainedSSE) -> TrainedSSE:
    plain = copy.deepcopy(model)
    plain.see_quantized_rows(False)
    return plain
