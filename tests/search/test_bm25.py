import pytest

from konayuki.search.bm25 import idf, idf_of


@pytest.mark.parametrize("n_holding", [0, 1, 7, 499, 1000])
def test_the_weight_of_one_term_is_that_of_the_array(n_holding: int) -> None:
    assert idf_of(1000, n_holding) == pytest.approx(float(idf(1000, n_holding)), rel=1e-12)
