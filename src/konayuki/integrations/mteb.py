"""konayuki for mteb: an encoder, searchers (BM25 too) and tasks over our own evaluation sets.

import mteb
from konayuki import StaticModel
from konayuki.evaluation import read_sets
from konayuki.integrations.mteb import MtebEncoder, MtebSearch, retrieval_task

model = StaticModel.load()
mteb.evaluate(MtebEncoder(model), mteb.get_tasks(tasks=["JaqketRetrieval"]))
mteb.evaluate(MtebSearch(model), [retrieval_task(dataset) for dataset in read_sets("eval")])
"""

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from konayuki.arrays import FloatMatrix
from konayuki.choices import MODES
from konayuki.errors import InputError
from konayuki.evaluation import RetrievalSet
from konayuki.extras import require

if TYPE_CHECKING:
    from konayuki.model import StaticModel
    from konayuki.search import Index

NESTED_DIMS = (512, 256, 128, 64, 32)


def model_meta(
    model: "StaticModel", *, name: str = "konayuki/konayuki", revision: str | None = None
) -> Any:  # noqa: ANN401 - a class of an optional package
    """Return mteb's `ModelMeta` of a model; `mteb.evaluate` also takes the record itself.

    Args:
        model: The model.
        name: Name under which results are kept, `owner/model`.
        revision: Version under which results are kept; default: the model's fingerprint.
    """
    meta = require("mteb.models.model_meta", "mteb")
    n_parameters = model.vocab_size * model.dim + 3 * model.dim
    return meta.ModelMeta(
        loader=lambda *_arguments, **_options: MtebEncoder(model, name=name, revision=revision),
        name=name,
        revision=revision or model.fingerprint,
        release_date=None,
        languages=["jpn-Jpan"],
        n_parameters=n_parameters,
        n_embedding_parameters=model.vocab_size * model.dim,
        memory_usage_mb=model.nbytes / 2**20,
        max_tokens=float("inf"),
        embed_dim=[model.dim, *(dim for dim in NESTED_DIMS if dim < model.dim)],
        license="apache-2.0",
        open_weights=True,
        public_training_code=None,
        public_training_data=None,
        framework=["NumPy", "safetensors"],
        similarity_fn_name="cosine",
        use_instructions=False,
        training_datasets=None,
    )


class MtebEncoder:
    """A model as mteb's encoder protocol.

    Args:
        model: The model.
        dim: Use only the first `dim` dimensions.
        name: Name under which mteb keeps results, `owner/model`.
        revision: Version under which mteb keeps results; default: the model's fingerprint.
    """

    def __init__(
        self,
        model: "StaticModel",
        *,
        dim: int | None = None,
        name: str = "konayuki/konayuki",
        revision: str | None = None,
    ) -> None:
        self._model = model
        self._dim = model.dim if dim is None else dim
        cut = "" if self._dim == model.dim else f"-{self._dim}"
        self.mteb_model_meta = model_meta(model, name=f"{name}{cut}", revision=revision)

    def encode(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any,  # noqa: ANN401 - part of mteb's protocol, like the four below
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,  # noqa: ANN401
        **_options: Any,  # noqa: ANN401
    ) -> FloatMatrix:
        """Return one unit vector per text of the batches: float32 (n_texts, dim)."""
        texts = (text for batch in inputs for text in batch["text"])
        return self._model.encode(texts, dim=self._dim)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:  # noqa: ANN401 - tensors
        """Return the cosine of each pair: a tensor (n_1, n_2)."""
        cosines = self._model.similarity(_array(embeddings1), _array(embeddings2))
        return require("torch", "train").from_numpy(cosines)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:  # noqa: ANN401
        """Return the cosine of the first with the first, and so on: a tensor (n,)."""
        from konayuki.arrays import unit_rows

        products = unit_rows(_array(embeddings1)) * unit_rows(_array(embeddings2))
        return require("torch", "train").from_numpy(products.sum(axis=1))


class MtebSearch:
    """An Index as mteb's search protocol: for retrieval tasks only.

    Args:
        model: The dense half.
        mode: "hybrid", "dense" or "lexical".
        name: Name under which mteb keeps results; the mode is appended.
        revision: Version under which mteb keeps results; default: the model's fingerprint.
    """

    def __init__(
        self,
        model: "StaticModel",
        *,
        mode: str = "hybrid",
        name: str = "konayuki/konayuki",
        revision: str | None = None,
    ) -> None:
        if mode not in MODES:
            raise InputError(f"mode is {mode!r}: expected one of {', '.join(MODES)}")
        self._model = model
        self._mode: Any = mode
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._index: Index | None = None
        self.mteb_model_meta = model_meta(model, name=f"{name}-{mode}", revision=revision)

    def index(
        self,
        corpus: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any,  # noqa: ANN401 - part of mteb's protocol, like those below
        hf_split: str,
        hf_subset: str,
        encode_kwargs: Mapping[str, Any],
        num_proc: int | None = None,
        **_options: Any,  # noqa: ANN401
    ) -> None:
        """Build an index of a corpus with the columns id, text and optionally title."""
        from konayuki.search import Index

        self.close()
        self._folder = tempfile.TemporaryDirectory(prefix="konayuki-mteb-")
        self._index = Index.create(Path(self._folder.name) / "index", self._model)
        self._index.add(
            {"id": row["id"], "text": row["text"], "title": row.get("title") or ""}
            for row in corpus
        )

    def search(
        self,
        queries: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any,  # noqa: ANN401 - part of mteb's protocol, like those below
        hf_split: str,
        hf_subset: str,
        top_k: int,
        encode_kwargs: Mapping[str, Any],
        top_ranked: Mapping[str, list[str]] | None = None,
        num_proc: int | None = None,
        **_options: Any,  # noqa: ANN401
    ) -> dict[str, dict[str, float]]:
        """Return the scores of the best `top_k` documents of each query.

        Of `top_ranked`, documents that each query is asked about, all have a score: the order is
        that of `konayuki.rerank` in mode "hybrid", else that of a search of the whole corpus.
        """
        if self._index is None:
            raise InputError("there is nothing to search: expected a call of `index` first")
        if top_ranked is not None:
            return {
                query["id"]: self._scores_of(self._index, query["text"], top_ranked[query["id"]])
                for query in queries
            }
        return {
            query["id"]: {
                hit.id: float(hit.score)
                for hit in self._index.search(query["text"], k=top_k, mode=self._mode)
            }
            for query in queries
        }

    def _scores_of(self, index: "Index", query: str, ids: Sequence[str]) -> dict[str, float]:
        """Return the scores of the documents that were asked about."""
        if self._mode == "hybrid":
            from konayuki.search import rerank

            passages = [passage for key in ids if (passage := index.get(key)) is not None]
            texts = [passage.searched_text for passage in passages]
            ranked = rerank(query, texts, model=self._model)
            return {passages[line.position].id: line.score for line in ranked}
        wanted = dict.fromkeys(ids, 0.0 if self._mode == "lexical" else -1.0)
        for hit in index.search(query, k=len(index), mode=self._mode):
            if hit.id in wanted:
                wanted[hit.id] = float(hit.score)
        return wanted

    def close(self) -> None:
        """Close the index and delete it."""
        if self._index is not None:
            self._index.close()
        if self._folder is not None:
            self._folder.cleanup()
        self._index = self._folder = None


class MtebBm25(MtebSearch):
    """BM25 over pairs of Japanese characters as mteb's search protocol, a baseline without a model.

    mteb's own BM25 splits at spaces, and a Japanese sentence has none.

    Args:
        name: Name under which mteb keeps results.
        revision: Version under which mteb keeps results; default: that of the analyser.
    """

    def __init__(
        self, *, name: str = "konayuki/bm25-japanese", revision: str | None = None
    ) -> None:
        from konayuki.model import StaticModel
        from konayuki.search.terms import ANALYZER_VERSION

        # The index keeps vectors, too, but no search by words looks at them.
        super().__init__(StaticModel.load(dim=32), mode="lexical")
        meta = require("mteb.models.model_meta", "mteb")
        self.mteb_model_meta = meta.ModelMeta(
            loader=lambda *_arguments, **_options: MtebBm25(name=name, revision=revision),
            name=name,
            revision=revision or f"analyzer-{ANALYZER_VERSION}",
            release_date=None,
            languages=["jpn-Jpan", "eng-Latn"],
            n_parameters=None,
            memory_usage_mb=None,
            max_tokens=float("inf"),
            embed_dim=None,
            license="apache-2.0",
            open_weights=True,
            public_training_code=None,
            public_training_data=None,
            framework=[],
            similarity_fn_name=None,
            use_instructions=False,
            training_datasets=None,
        )


def retrieval_task(dataset: RetrievalSet) -> Any:  # noqa: ANN401 - a class of an optional package
    """Return an mteb task over a set in memory; nothing is downloaded."""
    base = require("mteb.abstasks.retrieval", "mteb").AbsTaskRetrieval
    task: Any = type(_task_name(dataset.name), (base,), {"metadata": _task_metadata(dataset)})()
    table = require("datasets", "mteb").Dataset
    passages = [{"id": key, **passage._asdict()} for key, passage in dataset.corpus.items()]
    questions = [{"id": key, "text": text} for key, text in dataset.queries.items()]
    split = {
        "corpus": table.from_list(passages),
        "queries": table.from_list(questions),
        "relevant_docs": {key: dict(gains) for key, gains in dataset.qrels.items()},
        "top_ranked": None,
    }
    task.dataset = {"default": {"test": split}}
    task.data_loaded = True
    return task


def _task_metadata(dataset: RetrievalSet) -> Any:  # noqa: ANN401 - a class of an optional package
    metadata = require("mteb.abstasks.task_metadata", "mteb").TaskMetadata
    return metadata(
        name=_task_name(dataset.name),
        description=f"The evaluation set {dataset.name}, read from local files.",
        dataset={"path": f"local/{_task_name(dataset.name)}", "revision": "local"},
        type="Retrieval",
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["jpn-Jpan"],
        main_score="ndcg_at_10",
    )


def _task_name(name: str) -> str:
    """Return a name that mteb accepts: ASCII letters and digits, a capital letter first."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    return "Local" + "".join(word[0].upper() + word[1:] for word in words)


def _array(values: Any) -> FloatMatrix:  # noqa: ANN401 - an array or a tensor
    return np.asarray(values, dtype=np.float32)
