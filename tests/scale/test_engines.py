"""Engines with workers that die. Slow: they start processes, and Ray."""

import json
import os
import signal
from pathlib import Path

import pytest

from konayuki.scale.embedding import EmbedPlan, EmbedSettings, Engine, plan_embedding, run_plan

pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
N_ROWS = 3000


@pytest.fixture
def plan(tmp_path: Path) -> EmbedPlan:
    source = tmp_path / "texts.jsonl"
    with source.open("w", encoding="utf-8") as file:
        for number in range(N_ROWS):
            file.write(json.dumps({"id": number, "text": f"{number}番目の文"}) + "\n")
    settings = EmbedSettings(dim=32, dtype="int8", part_bytes=5000)
    return plan_embedding(str(source), str(tmp_path / "out"), settings)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "ray"])
@pytest.mark.filterwarnings("ignore")  # Ray's own, about its next version
def test_a_killed_worker_loses_nothing_and_repeats_nothing(
    engine: Engine, plan: EmbedPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
        monkeypatch.setenv("RAY_worker_niceness", "0")  # or it waits long on a busy machine
    reports = []
    workers = set()
    for report in run_plan(plan, engine=engine, workers=2):
        reports.append(report)
        workers.add(report.worker)
        if len(reports) == len(plan.parts) // 3:
            os.kill(int(report.worker.rpartition(":")[2]), signal.SIGKILL)

    assert sorted(report.name for report in reports) == [part.name for part in plan.parts]
    assert [report.error for report in reports if report.error] == []
    assert len(workers) > 2  # the dead one was replaced
    folder = Path(plan.target.root)
    tables = [parquet.read_table(folder / part.name) for part in plan.parts]
    ids = [number for table in tables for number in table.column("id").to_pylist()]
    assert ids == list(range(N_ROWS))


@pytest.mark.slow
def test_a_part_that_kills_its_workers_is_given_up(
    plan: EmbedPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scale import deadly

    monkeypatch.setattr("konayuki.scale.local._start", deadly.start)
    part = plan.parts[7].name
    (Path(plan.target.root) / "deadly").write_text(part)

    reports = list(run_plan(plan, engine="local", workers=2))

    assert {report.name for report in reports} == {p.name for p in plan.parts}
    errors = [(report.name, report.error) for report in reports if report.error]
    assert errors == [(part, f"{plan.parts[7].source.path}: its worker died twice")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own, about its next version
def test_a_cluster_that_loses_a_machine_finishes(
    plan: EmbedPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_worker_niceness", "0")
    memory = {"object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **memory})
    try:
        lost = cluster.add_node(num_cpus=1, **memory)
        cluster.wait_for_nodes()
        reports = []
        for report in run_plan(plan, engine="ray", workers=2, address=cluster.address):
            reports.append(report)
            if len(reports) == len(plan.parts) // 3:
                cluster.remove_node(lost, allow_graceful=False)
    finally:
        cluster.shutdown()

    assert sorted(report.name for report in reports) == [part.name for part in plan.parts]
    assert [report.error for report in reports if report.error] == []
    assert sum(report.rows for report in reports) == N_ROWS
