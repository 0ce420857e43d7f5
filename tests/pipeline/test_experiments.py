"""DVC's experiments on a tiny survey, and what DVC and MLflow show of them."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from galmorph.baselines import BASELINES
from tests.support.dask_scheduler import running_scheduler
from tests.support.dvc_project import CONDITIONS, Project
from tests.support.parameters import ROOT

pytestmark = pytest.mark.slow
RATE = "training.learning_rate"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A finished study, committed, and three experiments: in the checkout, in a temporary copy, from the queue."""
    with running_scheduler(tmp_path_factory.mktemp("cluster") / "dask", 1) as scheduler:
        made = Project(tmp_path_factory.mktemp("experiments"), GALMORPH_SCHEDULER=scheduler.address)
        made.write_params({"resolution.levels": {}})
        for name, value in (("user.name", "t"), ("user.email", "t@example.org")):
            made.run("git", "config", name, value)
        made.repro()
        made.run("git", "add", ".")
        made.run("git", "commit", "--quiet", "-m", "study")
        made.run("dvc", "exp", "run", "--name", "here", "-S", f"{RATE}=0.002")
        made.run("git", "checkout", "--quiet", "--", "params.yaml", "dvc.lock")
        made.run("dvc", "checkout")
        made.run("dvc", "exp", "run", "--temp", "--name", "aside", "-S", f"{RATE}=0.003")
        made.run("dvc", "exp", "run", "--queue", "--name", "waiting", "-S", f"{RATE}=0.004")
        made.run("dvc", "queue", "start")
        made.run("dvc", "queue", "logs", "--follow", "waiting")
        yield made


def runs(project: Project, kind: str) -> list[Run]:
    client = MlflowClient(f"sqlite:///{project.folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("simulated")
    return list(client.search_runs([experiment.experiment_id], f"tags.`galmorph.kind` = '{kind}'", max_results=1000))


def test_exp_show_has_the_parameter_and_the_metrics_of_each(project: Project) -> None:
    rows = list(csv.DictReader(io.StringIO(project.run("dvc", "exp", "show", "--csv"))))
    rates = {row["Experiment"]: float(row[RATE]) for row in rows if row["Experiment"]}
    assert rates == {"here": 0.002, "aside": 0.003, "waiting": 0.004}
    for row in rows:
        for name in CONDITIONS:
            assert 0 <= float(row[f"reports/metrics/{name}.json:accuracy"]) <= 1


def test_the_documented_tables_fit_a_terminal_of_140_columns(project: Project) -> None:
    page = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^    dvc (exp show --only-changed --drop .*)$", page, flags=re.MULTILINE)
    experiments = project.run("env", "COLUMNS=140", "dvc", *shlex.split(line), "--no-pager")
    assert "…" not in experiments  # a column that found no place
    for name in ("here", "reports/metrics/three_class.json:accuracy", RATE):
        assert name in experiments
    metrics = project.run("dvc", "metrics", "show")
    assert [row.split()[0] for row in metrics.splitlines()[1:]] == sorted(
        f"reports/metrics/{n}.json" for n in CONDITIONS
    )
    assert max(len(row) for row in [*experiments.splitlines(), *metrics.splitlines()]) <= 140


def test_the_store_of_the_checkout_holds_the_runs_of_all(project: Project) -> None:
    found: dict[str | None, dict[str, int]] = {}
    for run in runs(project, "run"):
        experiment = run.data.tags.get("galmorph.dvc_experiment")
        rate = run.data.params[RATE]
        found.setdefault(experiment, {}).setdefault(rate, 0)
        found[experiment][rate] += 1
        assert run.info.status == "FINISHED"
    each = 2 * 2 * len(CONDITIONS)
    study = str(project.params["training"]["learning_rate"])
    assert found == {None: {study: each}, "here": {"0.002": each}, "aside": {"0.003": each}, "waiting": {"0.004": each}}
    # The checkout's own study is the current one again, without a run trained anew.
    shown = each + len(CONDITIONS) * (1 + len(BASELINES))
    assert f"{shown} runs stood as recorded, 0 added, 0 replaced" in project.galmorph("sync")
    assert len([run for run in runs(project, "condition") if "earlier" not in str(run.info.run_name)]) == len(
        CONDITIONS
    )


def test_metrics_diff_names_condition_and_score(project: Project) -> None:
    difference = json.loads(project.run("dvc", "metrics", "diff", "HEAD", "here", "--json"))
    assert {Path(path).stem for path in difference} <= set(CONDITIONS)
    scores = next(iter(difference.values()))
    assert set(scores) <= {"epoch", "accuracy", "accuracy_std", "tss", "tss_std", "selected_accuracy"}
    assert {"old", "new", "diff"} == set(next(iter(scores.values())))


def test_plots_diff_has_curves_with_bands_and_confusion_matrices_of_both(project: Project) -> None:
    printed = json.loads(project.run("dvc", "plots", "diff", "HEAD", "here", "--json"))
    plots: dict[str, Any] = printed["data"]
    for kind in ("accuracy", "loss", "confusion"):
        for name in CONDITIONS:
            (plot,) = plots[f"reports/plots/{kind}/{name}.csv"]
            assert set(plot["revisions"]) == {"HEAD", "here"}
    (curve,) = plots["reports/plots/accuracy/balanced.csv"]
    content = curve["content"] if isinstance(curve["content"], str) else json.dumps(curve["content"])
    assert "_std" in content
    assert '"lower"' in content
    assert "DVC_METRIC_Y>" not in content
    shutil.copy(
        project.run("dvc", "plots", "diff", "HEAD", "here").strip().splitlines()[-1].removeprefix("file://"),
        project.folder / "plots.html",
    )
    page = (project.folder / "plots.html").read_text(encoding="utf-8")
    assert page.count("vegaEmbed(") == 3 * len(CONDITIONS)
