"""The precision of matrix products follows the processor."""

import pytest

torch = pytest.importorskip("torch")

from konayuki.training import precision  # noqa: E402


@pytest.fixture(autouse=True)
def _forget() -> None:
    precision.bf16_pays.cache_clear()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [((1.0, 0.3), "bfloat16"), ((1.0, 0.9), "float32"), ((1.0, 8.0), "float32")],
)
def test_bfloat16_is_taken_where_it_pays(
    seconds: tuple[float, float], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = dict(zip((torch.float32, torch.bfloat16), seconds, strict=True))
    monkeypatch.setattr(precision, "_seconds", taken.__getitem__)
    assert precision.product_dtype() is getattr(torch, expected)
    precision.bf16_pays.cache_clear()


def test_it_is_not_taken_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_seconds", {torch.float32: 1.0, torch.bfloat16: 0.1}.get)
    assert precision.product_dtype(False) is torch.float32


def test_the_real_clock_decides_once() -> None:
    assert precision.bf16_pays() == precision.bf16_pays()
    assert precision.bf16_pays.cache_info().misses == 1
