"""scikit-learn's pipelines, searches, clones and tables, over our model."""

import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from evaluation.tiny_model import save_tiny_model, tiny_model
from konayuki.errors import DimensionError, InputError
from konayuki.integrations.sklearn import KonayukiVectorizer

TEXTS = ["富士山", "高い山", "山の空", "大きい湖", "琵琶湖", "湖の空"] * 4
LABELS = [0, 0, 0, 1, 1, 1] * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_model(tmp_path_factory.mktemp("model")))


def test_it_gives_the_vectors_of_the_model(folder: str) -> None:
    wanted = tiny_model().encode(TEXTS, dim=16, normalize=False)

    for model in (folder, Path(folder), tiny_model()):
        vectorizer = KonayukiVectorizer(model, dim=16, normalize=False)
        for texts in (TEXTS, np.array(TEXTS), np.array(TEXTS, dtype=object), iter(TEXTS)):
            np.testing.assert_array_equal(vectorizer.transform(texts), wanted)
        np.testing.assert_array_equal(vectorizer.fit_transform(TEXTS, LABELS), wanted)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_grid_search_over_a_pipeline_chooses_the_dimension(folder: str) -> None:
    pipeline = make_pipeline(KonayukiVectorizer(folder), LogisticRegression(C=100))
    search = GridSearchCV(pipeline, {"konayukivectorizer__dim": [1, 32]}, cv=2)

    search.fit(TEXTS, LABELS)

    assert search.best_params_ == {"konayukivectorizer__dim": 32}
    assert search.best_estimator_[-1].coef_.shape == (1, 32)
    again = pickle.loads(pickle.dumps(search))  # noqa: S301 - of our own making
    assert list(again.predict(TEXTS)) == LABELS


def test_clones_and_pickles_carry_the_name_not_the_weights(folder: str) -> None:
    vectorizer = KonayukiVectorizer(folder, dim=16)
    wanted = vectorizer.transform(TEXTS)

    content = pickle.dumps(vectorizer)

    assert len(content) < 500
    for again in (clone(vectorizer), pickle.loads(content)):  # noqa: S301 - of our own making
        assert again.get_params() == {"model": folder, "dim": 16, "normalize": True}
        np.testing.assert_array_equal(again.transform(TEXTS), wanted)


def test_a_model_that_is_given_is_shared_by_clones_and_travels_in_pickles() -> None:
    model = tiny_model()
    vectorizer = KonayukiVectorizer(model)

    assert clone(vectorizer).model is model
    again = pickle.loads(pickle.dumps(vectorizer))  # noqa: S301 - of our own making
    np.testing.assert_array_equal(again.transform(TEXTS), model.encode(TEXTS))


def test_a_changed_parameter_takes_effect(folder: str) -> None:
    vectorizer = KonayukiVectorizer(dim=8)
    bundled = vectorizer.transform(TEXTS)

    vectorizer.set_params(model=folder)

    assert not np.array_equal(bundled, vectorizer.transform(TEXTS))
    np.testing.assert_array_equal(vectorizer.transform(TEXTS), tiny_model().encode(TEXTS, dim=8))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_tables_in_and_out(folder: str) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"text": TEXTS, "label": LABELS})
    columns = [("text", KonayukiVectorizer(folder, dim=4), "text")]
    transformer = ColumnTransformer(columns, remainder="passthrough")

    found = transformer.set_output(transform="pandas").fit_transform(table)

    assert list(found.columns) == [*(f"text__konayuki{i}" for i in range(4)), "remainder__label"]
    np.testing.assert_array_equal(
        found.to_numpy()[:, :4].astype(np.float32), tiny_model().encode(TEXTS, dim=4)
    )
    with pytest.raises(InputError, match=r'name the column "text", not \["text"\]'):
        ColumnTransformer([("text", KonayukiVectorizer(folder), ["text"])]).fit_transform(table)


def test_wrong_use_is_an_error_of_ours(folder: str) -> None:
    with pytest.raises(InputError, match="X is the string"):
        KonayukiVectorizer(folder).fit("富士山")
    with pytest.raises(InputError, match="X is the string"):
        KonayukiVectorizer(folder).transform("富士山")
    with pytest.raises(DimensionError):
        KonayukiVectorizer(folder, dim=33).fit(TEXTS)
    with pytest.raises(InputError, match="text 1 is float"):
        KonayukiVectorizer(folder).transform(["山", float("nan")])
