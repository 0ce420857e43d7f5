"""The named views of MLflow's list of runs."""

from __future__ import annotations

import json
from pathlib import Path

from galmorph.scores.evaluation import ConditionRecords
from galmorph.tracking.store import Store
from galmorph.tracking.views import TAG
from tests.support.records import open_store


def states(store: Store) -> dict[str, dict[str, object]]:
    """What the UI reads: by the name of a view, its state."""
    tags = store.client.get_experiment(store.experiment.experiment_id).tags
    kept = {name.removeprefix(TAG): json.loads(value) for name, value in tags.items() if name.startswith(TAG)}
    assert set(kept) == {"conditions", "runs", "baselines"}
    return {key: json.loads(view["state"]) for key, view in kept.items()}


def test_each_view_lists_its_runs_with_columns_that_they_have(store: Store) -> None:
    for key, number in (("conditions", 2), ("runs", 12)):
        state = states(store)[key]
        found = store.client.search_runs(
            [store.experiment.experiment_id], str(state["searchFilter"]), order_by=[f"{state['orderByKey']} ASC"]
        )
        assert len(found) == number
        names = [run.info.run_name for run in found]
        assert names == sorted(names)
        confirmed = [run for run in found if run.data.tags.get("galmorph.phase") in (None, "confirmed")]
        for run in confirmed:
            shown = {f"metrics.`{name}`" for name in run.data.metrics} | {f"params.`{n}`" for n in run.data.params}
            # The made records have no draw, and nobody measured them.
            absent = {"params.`condition.mix`", "params.`condition.draw`", "metrics.`training_seconds`"}
            assert set(state["selectedColumns"]) - absent <= shown  # type: ignore[call-overload]


def test_a_view_that_was_deleted_or_edited_is_there_again(store: Store, place: Path) -> None:
    before = states(store)
    store.client.set_experiment_tag(store.experiment.experiment_id, f"{TAG}runs", "edited")
    assert states(open_store(place)) == before


def test_earlier_conditions_are_not_listed(store: Store, declared: list[ConditionRecords]) -> None:
    store.sync(declared[:1])
    state = states(store)["conditions"]
    found = store.client.search_runs([store.experiment.experiment_id], str(state["searchFilter"]))
    assert [run.info.run_name for run in found] == ["two_class"]
