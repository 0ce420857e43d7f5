"""docs/explore.ipynb, run in a study."""

from __future__ import annotations

import ast
import json
import os
import re
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

# The value of the last line of a cell is what a notebook shows.
RUN = """
import ast, json, sys
import matplotlib
matplotlib.use("Agg")
names = {}
for source in json.load(open(sys.argv[1])):
    *body, last = ast.parse(source).body
    if isinstance(last, ast.Expr):
        exec(compile(ast.Module(body, []), "cell", "exec"), names)
        print(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
    else:
        exec(compile(ast.Module([*body, last], []), "cell", "exec"), names)
"""


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
            ast.parse("".join(cell["source"]))
    assert len({cell["id"] for cell in cells}) == len(cells)


def test_it_runs_from_top_to_bottom(cells: list[dict[str, Any]], own_study: Path, tmp_path: Path) -> None:
    params = YAML(typ="safe").load((own_study / "params.yaml").read_text())
    params["conditions"] = {"three_class": params["conditions"]["three_class"]}
    write_yaml(own_study / "params.yaml", params | {"comparisons": {}})
    store = Store(f"sqlite:///{own_study / 'mlflow.db'}", params["survey"]["name"], own_study / "mlartifacts")
    for path in sorted((own_study / "models/three_class/confirmed").glob("run-*.npz")):
        store.add(load_record(path), path)
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    (tmp_path / "cells.json").write_text(json.dumps(sources))
    (own_study / "docs").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, tmp_path / "cells.json"],
        cwd=own_study / "docs",
        env=environment | {"PYTHONPATH": str(ROOT / "src"), "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "too near the edge" in done.stdout
    # Of one run every epoch, from MLflow.
    assert re.search(r"Name: three_class confirmed \w+, dtype: float64", done.stdout)
    assert not (own_study / "docs/mlflow.db").exists()
