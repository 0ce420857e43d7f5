"""Whatever a user does in whatever order: a report that stands has the numbers of the records that params.yaml makes.

Each sequence is drawn at random, from its number. Wherever `galmorph summary` or a `dvc repro` of the report succeeds,
the numbers are computed again from the records: by numpy, not by the project.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from galmorph.training.plan import code_hash
from tests.support.sequences import Origin, User, finished_study, report_alone, repro

STEPS = 6
FEW, ALL = 2, 150  # sequences
# The accuracy of each run at the selected epoch, by phase; the epoch.
Numbers = tuple[int, dict[str, list[float]]]
# By parameters and data, both as JSON: what records gave that were made from them.
Known = dict[str, dict[str, Numbers]]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    with finished_study(tmp_path_factory.mktemp("sequences")) as made:
        yield made


@pytest.fixture(scope="module")
def known() -> Known:
    """What was found so far, in all sequences: the same parameters and data give the same numbers."""
    return {}


@pytest.mark.parametrize(
    "number", [pytest.param(number, marks=[] if number < FEW else pytest.mark.slow) for number in range(ALL)]
)
def test_a_report_that_stands_has_the_numbers_of_its_parameters(
    origin: Origin, known: Known, number: int, tmp_path: Path, record_property: Any
) -> None:
    user = User(origin, tmp_path / "study", random.Random(number))
    counts = {"steps": 0, "checked": 0, "refused": 0}
    try:
        for _ in range(STEPS):
            step = user.step()
            counts["steps"] += 1
            assert "Traceback" not in user.printed, user.printed
            whole, made = (user.code == 0 and step in steps for steps in ([repro], [repro, report_alone]))
            if made:
                check(user, known, made=True)
            # With dvc commit a user vouches for what DVC would make again.
            if whole and not any("dvc commit" in done for done in user.done):
                of_the_data(user)
            user.run("python", "-m", "galmorph.cli", "summary")
            assert "Traceback" not in user.printed, user.printed
            if user.code == 0:
                check(user, known)
            assert user.code == 0 or not whole, user.printed
            counts["refused" if user.code else "checked"] += 1
    finally:
        # pytest shows it where the test fails.
        sys.stdout.write("\n".join([f"sequence {number}", *user.done, ""]))
        record_property("sequence", counts)
        shutil.rmtree(user.folder)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def flat(block: dict[str, Any], above: str) -> dict[str, Any]:
    """Return the values of nested mappings by dotted name."""
    found: dict[str, Any] = {}
    for key, value in block.items():
        name = f"{above}.{key}"
        found |= flat(value, name) if isinstance(value, dict) else {name: value}
    return found


def check(user: User, known: Known, made: bool = False) -> None:
    """Hold a report against the records that params.yaml and data make.

    A report that was not made just now may stand though its records or data have been deleted, or replaced where
    nothing reads them. Its numbers are then those that such records gave before.
    """
    folder, conditions = user.folder, user.params["conditions"]
    table = pd.read_csv(folder / "reports/summary.csv")
    metrics = {path.stem: json.loads(path.read_text()) for path in (folder / "reports/metrics").iterdir()}
    assert set(table["condition"]) == set(conditions) == set(metrics)
    for name in conditions:
        paths = {"images": folder / "data/cutouts/images.npy", "split": folder / f"data/splits/{name}.parquet"}
        data = {key: md5(path) for key, path in paths.items() if path.exists()}
        settings = json.dumps(expected := parameters(user, name), sort_keys=True)
        found, text = recomputed(folder, name, expected, data), json.dumps(data)
        before = known.setdefault(settings, {})
        if found is not None:
            assert before.setdefault(text, found) == found
            assert agrees(table, metrics[name], name, found), (found, metrics)
        else:
            assert not made, f"records of {name} are missing or not those of params.yaml"
            of_the_same = [numbers for other, numbers in before.items() if data.items() <= json.loads(other).items()]
            assert any(agrees(table, metrics[name], name, numbers) for numbers in of_the_same), (before, metrics)


def parameters(user: User, name: str) -> dict[str, Any]:
    """Return the parameters that decide the runs of a condition, by dotted name."""
    params = user.params
    block = params["conditions"][name]
    found = flat({key: block[key] for key in ("classes", "drawn_among", "mix", "draw")}, "condition")
    return (
        found
        | flat(params["network"], "network")
        | flat(params["training"], "training")
        | flat(params["protocol"], "protocol")
    )


def recomputed(folder: Path, name: str, expected: dict[str, Any], data: dict[str, str]) -> Numbers | None:
    """Return the numbers of a condition; None if a record is missing or not of these parameters and data."""
    curves: dict[str, list[Any]] = {"selected": [], "confirmed": []}
    for phase, of_runs in curves.items():
        for run in range(1, expected["protocol.runs"] + 1):
            path = folder / f"models/{name}/{phase}/run-{run:03d}.npz"
            if not path.exists():
                return None
            with np.load(path) as record:
                head = json.loads(str(record["head"]))
                right = record["predicted"] == record["sets/test/truth"]
            decisive = {"condition": name, "phase": phase, "data": data, "code": code_hash()}
            decisive["parameters"] = expected | {"epochs_trained": len(right)}
            text = json.dumps(decisive, sort_keys=True)
            if head["run"] != run or head["fingerprint"] != hashlib.sha256(text.encode()).hexdigest()[:32]:
                return None
            of_runs.append(right.mean(axis=1))
    epoch = int(np.mean(curves["selected"], axis=0).argmax()) + 1
    assert {len(curve) for curve in curves["confirmed"]} == {epoch}
    return epoch, {phase: [float(curve[epoch - 1]) for curve in of_runs] for phase, of_runs in curves.items()}


def agrees(table: pd.DataFrame, metrics: dict[str, Any], name: str, numbers: Numbers) -> bool:
    """Return whether the report's table and metrics have these numbers."""
    epoch, phases = numbers
    for phase, values in phases.items():
        (row,) = table[(table[["condition", "metric", "phase"]] == [name, "accuracy", phase]).all(axis=1)].to_dict(
            "records"
        )
        exact = np.mean(values), np.std(values, ddof=1)
        printed = metrics["selected_accuracy" if phase == "selected" else "accuracy"]
        if (
            (row["epoch"], metrics["epoch"], row["runs"]) != (epoch, epoch, len(values))
            or (row["mean"], row["std"]) != pytest.approx(exact)
            or printed != pytest.approx(exact[0], abs=1e-6)
        ):
            return False
    return True


def of_the_data(user: User) -> None:
    """Hold stamps and classes against data/external, as after a whole `dvc repro`."""
    folder, params = user.folder, user.params
    labels = pd.read_csv(folder / "data/external/labels.csv")[: params["survey"]["sample"]["galaxies"]]
    galaxies = pd.read_parquet(folder / "data/cutouts/galaxies.parquet")
    assert list(galaxies["class"]) == list(labels["class"])
    images = np.load(folder / "data/cutouts/images.npy")
    if params["stamps"]["field"] == "whole":
        stamps = np.stack([np.load(folder / "data/external/stamps" / name) for name in labels["stamp"]])
        sky = galaxies["sky"].to_numpy()[:, None, None]
        np.testing.assert_allclose(images + sky, stamps, atol=1e-3)
