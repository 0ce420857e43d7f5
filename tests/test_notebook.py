"""docs/explore.ipynb, run in a study."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from galmorph.tracking.store import Store
from galmorph.training.records import load_record
from tests.support.parameters import ROOT
from tests.support.trained_study import write_yaml

NOTEBOOK = ROOT / "docs/explore.ipynb"


@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    found: list[dict[str, Any]] = notebook["cells"]
    return found


def test_it_is_committed_without_outputs(cells: list[dict[str, Any]]) -> None:
    for cell in cells:
        assert set(cell) >= {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    assert len({cell["id"] for cell in cells}) == len(cells)


def test_it_runs_from_top_to_bottom(own_study: Path) -> None:
    params = YAML(typ="safe").load((own_study / "params.yaml").read_text())
    params["conditions"] = {"three_class": params["conditions"]["three_class"]}
    write_yaml(own_study / "params.yaml", params | {"comparisons": {}})
    store = Store(f"sqlite:///{own_study / 'mlflow.db'}", params["survey"]["name"], own_study / "mlartifacts")
    for path in sorted((own_study / "models/three_class/confirmed").glob("run-*.npz")):
        store.add(load_record(path), path)
    (own_study / "docs").mkdir()
    shutil.copy(NOTEBOOK, own_study / "docs")
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [sys.executable, "-m", "jupyter", "execute", "--inplace", "docs/explore.ipynb"],
        cwd=own_study,
        env=environment | {"PYTHONPATH": str(ROOT / "src"), "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    shown = (own_study / "docs/explore.ipynb").read_text(encoding="utf-8")
    assert "too near the edge" in shown
    # Of one run every epoch, from MLflow.
    assert re.search(r"Name: three_class confirmed \w+, dtype: float64", shown)
    assert not (own_study / "docs/mlflow.db").exists()
