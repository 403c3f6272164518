from typing import Any

from konayuki.cli.train import score_tables


def record(tasks: tuple[str, ...]) -> dict[str, Any]:
    means = ("mean",) if tasks else ()
    scores = {
        model: {
            f"{task}{at}_ndcg@10": value + gain
            for task in (*tasks, *means)
            for at, value in (("", 0.5), ("@64", 0.25))
        }
        for model, gain in (("start", 0.0), ("float", 0.125), ("q4", 0.0625))
    }
    return {
        "settings": {"model": {"dims": [512, 64]}},
        "held_out": {task: {"queries": 200, "passages": 3000} for task in tasks},
        "development": scores,
    }


def test_a_table_says_what_each_score_of_a_run_is() -> None:
    (table,) = score_tables(record(("faq",)))

    title, header, _, *rows = table.splitlines()
    assert title == "faq: 200 held-out queries, 3000 passages"
    assert header.split()[-2:] == ["512", "64"]
    assert [row.rsplit(maxsplit=2) for row in rows] == [
        ["before training", "0.5000", "0.2500"],
        ["after it, float rows (float/)", "0.6250", "0.3750"],
        ["after it, 4-bit rows (q4/)", "0.5625", "0.3125"],
    ]


def test_several_tasks_have_a_mean() -> None:
    tables = list(score_tables(record(("faq", "manual"))))

    assert [table.partition("\n")[0] for table in tables] == [
        "faq: 200 held-out queries, 3000 passages",
        "manual: 200 held-out queries, 3000 passages",
        "mean of 2 held-out tasks",
    ]


def test_a_run_without_held_out_tasks_has_no_table() -> None:
    assert list(score_tables(record(()))) == []
