"""Named views of MLflow's list of runs, which its UI keeps in tags of the experiment and lists in the menu Views."""

from __future__ import annotations

import json
from collections.abc import Mapping

from galmorph.tracking.content import KIND, SECONDS, STATUS

TAG = "mlflow.sharedViewState."  # the key of a view follows, which is the viewStateShareKey of its address
CONDITIONS = "conditions"

# Columns with their widths in pixels: by default MLflow cuts their names. It has other columns after these.
_NAME = "attributes.`Run Name`"
_SCORES = {
    "metrics.`confirmed/accuracy`": 150,
    "metrics.`confirmed/accuracy_std`": 175,
    "metrics.`confirmed/tss`": 120,
    "metrics.`confirmed/tss_std`": 145,
    "metrics.`confirmed/baseline`": 150,
}
_DRAW = {"params.`condition.mix`": 120, "params.`condition.draw`": 125}
# By key: name, kind of the runs, columns.
_VIEWS = {
    CONDITIONS: ("Conditions", "condition", {_NAME: 190} | _SCORES | {"params.`selected_epoch`": 130} | _DRAW),
    "runs": (
        "Runs",
        "run",
        {_NAME: 260, "metrics.`accuracy`": 120, "metrics.`tss`": 120, "metrics.`baseline`": 120}
        | {"metrics.`common_natural/accuracy`": 200, f"metrics.`{SECONDS}`": 140, "params.`epochs_trained`": 130},
    ),
    "baselines": ("Baselines", "baseline", {_NAME: 280} | _SCORES | _DRAW),
}


def shared_views(created: int) -> dict[str, str]:
    """Return the tags of an experiment that keep its views.

    Parameters
    ----------
    created
        When the experiment was created, ms: MLflow lists a view with a time.
    """
    return {f"{TAG}{key}": _view(created, *view) for key, view in _VIEWS.items()}


def _view(created: int, name: str, kind: str, columns: Mapping[str, int]) -> str:
    state = {
        "searchFilter": f"tags.`{KIND}` = '{kind}' and tags.`{STATUS}` = 'current'",
        "orderByKey": "tags.`mlflow.runName`",
        "orderByAsc": True,
        "selectedColumns": [column for column in columns if column != _NAME],
        "columnOrder": list(columns),
        "columnWidths": columns,
    }
    return json.dumps({"name": name, "createdAt": created, "updatedAt": created, "state": json.dumps(state)})


def page(address: str, experiment: str) -> str:
    """Return the address of the conditions of an experiment at an MLflow server.

    Examples
    --------
    >>> page("http://127.0.0.1:5000/", "1")
    'http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=conditions'
    """
    # Without the workflow MLflow may open its pages for language models.
    query = f"workflowType=machine_learning&viewStateShareKey={CONDITIONS}"
    return f"{address.rstrip('/')}/#/experiments/{experiment}/runs?{query}"
