"""A tiny survey through `dvc repro`, in a project of its own."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from galmorph.cli import main
from tests.support.dask_scheduler import running_scheduler
from tests.support.dvc_project import CONDITIONS, TINY, Project
from tests.support.parameters import changed, committed

LEVELS = ("native", "coarse")
RATE = "learning_rate"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    # One worker that has imported TensorFlow serves all stages.
    with running_scheduler(tmp_path_factory.mktemp("cluster") / "dask", 1) as scheduler:
        project = Project(tmp_path_factory.mktemp("galmorph project"), GALMORPH_SCHEDULER=scheduler.address)
        stages = project.repro()
        per_condition = {f"{kind}@{name}" for kind in ("splits", "train", "confirm", "baseline") for name in CONDITIONS}
        per_level = {f"{kind}@{name}" for kind in ("degrade", "parts", "transfer", "tested") for name in LEVELS}
        assert set(stages) == {"acquire", "cutouts", "resolution", "report"} | per_condition | per_level
        yield project


def test_any_run_of_a_published_study_is_trained_again_to_the_same_bytes(project):
    assert project.run("galmorph", "publish", "tiny").strip() == "published/tiny"
    published = project.folder / "published/tiny"
    runs = pd.read_csv(published / "records.csv")
    assert set(runs["condition"]) == {*CONDITIONS, "transfer/native", "transfer/coarse"}
    assert len(runs) == 2 * 2 * 4
    page = (published / "README.md").read_text(encoding="utf-8")
    assert re.search(r"\d+ epochs in all, [\d.]+ s each on one core", page)
    assert sum(path.stat().st_size for path in published.rglob("*")) < 2_000_000
    # One of two hashes is altered.
    first = runs.query("condition == 'balanced' and phase == 'confirmed'")["sha256"].iloc[0]
    (published / "records.csv").write_text((published / "records.csv").read_text().replace(first, "0" * 64))
    said = project.run("galmorph", "replay", "published/tiny", "balanced", "confirmed")
    assert re.search(
        r"balanced, confirmed, run 1: other bytes, accuracy 0\.\d+, \+0\.0000 from the published one", said
    )
    assert re.search(r"balanced, confirmed, run 2: the same bytes, accuracy 0\.\d+\n", said)
    assert "1 of 2 runs with the published bytes.\nData, processor and versions are the same: the code" in said


def test_accepted_and_rejected_are_the_requested(project):
    requested = pd.read_csv(project.folder / "data/raw/GalaxyZoo1_DR_table2.csv")
    galaxies = pd.read_parquet(project.folder / "data/cutouts/galaxies.parquet")
    rejected = pd.read_csv(project.folder / "data/cutouts/rejected.csv")
    assert len(requested) == 300
    assert sorted([*galaxies["objid"], *rejected["objid"]]) == sorted(requested["OBJID"])
    images = np.load(project.folder / "data/cutouts/images.npy", mmap_mode="r")
    assert images.shape == (len(galaxies), 64, 64)
    wide = np.load(project.folder / "data/cutouts/wide.npy", mmap_mode="r")
    assert wide.shape == (galaxies["has_wide"].sum(), 128, 128)
    first = galaxies.index[galaxies["has_wide"]][0]
    np.testing.assert_array_equal(images[first], wide[0][32:96, 32:96])


def test_the_manifest_names_every_raw_file(project):
    raw = project.folder / "data/raw"
    manifest = pd.read_csv(raw / "manifest.csv")
    files = {path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file()} - {"manifest.csv"}
    assert set(manifest["path"]) == files


def read_runs(project, name, phase):
    """Return the predictions after each epoch and the true classes of each run, not by the project's own reader."""
    runs = []
    for run in (1, 2):
        with np.load(project.folder / f"models/{name}/{phase}/run-{run:03d}.npz") as record:
            runs.append((record["predicted"], record["sets/test/truth"]))
    return runs


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_report_agrees_with_the_records(project, name):
    folder = project.folder
    epoch = json.loads((folder / f"models/{name}/selected/epoch.json").read_text())["epoch"]
    selected, confirmed = (read_runs(project, name, phase) for phase in ("selected", "confirmed"))
    curves = [(predicted == truth).mean(axis=1) for predicted, truth in selected]
    assert epoch == np.mean(curves, axis=0).argmax() + 1
    assert [len(predicted) for predicted, _ in confirmed] == [epoch, epoch]
    table = pd.read_csv(folder / "reports/summary.csv")
    assert list(table.columns) == ["condition", "metric", "phase", "epoch", "runs", "mean", "std", "binomial", "ste"]
    for phase, runs in (("selected", selected), ("confirmed", confirmed)):
        values = [np.mean(predicted[epoch - 1] == truth) for predicted, truth in runs]
        row = table[(table[["condition", "metric", "phase"]] == [name, "accuracy", phase]).all(axis=1)].iloc[0]
        assert (row["epoch"], row["runs"]) == (epoch, 2)
        expected = (np.mean(values), np.std(values, ddof=1), np.std(values, ddof=1) / np.sqrt(2))
        assert (row["mean"], row["std"], row["ste"]) == pytest.approx(expected)

    curve = pd.read_csv(folder / f"reports/plots/accuracy/{name}.csv")
    np.testing.assert_allclose(curve["test"], np.mean(curves, axis=0), atol=1e-6)
    np.testing.assert_allclose(curve["test_std"], np.std(curves, axis=0, ddof=1), atol=1e-6)
    classes = np.array(committed()["conditions"][name]["classes"])
    pairs = [
        pair for predicted, truth in confirmed for pair in zip(classes[truth], classes[predicted[-1]], strict=True)
    ]
    items = pd.read_csv(folder / f"reports/plots/confusion/{name}.csv")
    assert sorted(zip(items["actual"], items["predicted"], strict=True)) == sorted(pairs)
    cells = pd.read_csv(folder / f"reports/tables/confusion_{name}.csv").query("phase == 'confirmed'")
    for cell in cells.itertuples():
        assert cell.mean == pytest.approx(pairs.count((cell.actual, cell.predicted)) / 2)


def test_the_store_holds_every_run_with_the_md5_that_dvc_has(project):
    client = MlflowClient(f"sqlite:///{project.folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("simulated")
    runs = client.search_runs([experiment.experiment_id], "tags.`galmorph.kind` = 'run'")
    assert len(runs) == 2 * 2 * (len(CONDITIONS) + len(LEVELS))
    lock = project.lock()
    md5 = {out["path"]: out["md5"] for stage in lock.values() for out in stage["outs"]}
    # A level is a folder, whose cached listing has the md5 of each file.
    for level in LEVELS:
        folder = f"data/resolution/levels/{level}"
        cached = project.folder / ".dvc/cache/files/md5" / md5[folder][:2] / md5[folder][2:]
        md5 |= {f"{folder}/{file['relpath']}": file["md5"] for file in json.loads(cached.read_text())}
    for run in runs:
        condition = run.data.tags["galmorph.condition"]
        assert run.info.status == "FINISHED"
        level = condition.removeprefix("transfer_")
        images, split = "data/cutouts/images.npy", f"data/splits/{condition}.parquet"
        if level in LEVELS:
            images, split = f"data/resolution/levels/{level}/images.npy", f"data/resolution/splits/{level}.parquet"
        assert run.data.tags["galmorph.images_md5"] == md5[images]
        assert run.data.tags["galmorph.split_md5"] == md5[split]
        if level in LEVELS and run.data.tags["galmorph.phase"] == "confirmed":
            assert run.data.tags["galmorph.tested_coarse_md5"] == md5["data/resolution/levels/coarse/images.npy"]
    assert len(runs[0].data.tags["mlflow.source.git.commit"]) >= 40


def test_dvcs_own_views_work(project):
    assert "balanced" in project.run("dvc", "metrics", "show")
    assert project.run("dvc", "plots", "show").strip().endswith("index.html")


def test_the_report_is_whole(project):
    reports = project.folder / "reports"
    page = (reports / "report.html").read_text(encoding="utf-8")
    assert "simulated" in page
    assert 'http-equiv="refresh"' not in page
    assert {path.suffix for path in (reports / "figures").iterdir()} == {".png", ".svg"}
    assert {path.suffix for path in (reports / "tables").iterdir()} == {".csv", ".md", ".tex"}


def test_changing_one_condition_concerns_that_condition_only(project):
    project.write_params({"conditions.balanced.draw": 36})
    changed_stages = set(json.loads(project.run("dvc", "status", "--json")))
    assert changed_stages == {"splits@balanced", "train@balanced", "confirm@balanced", "baseline@balanced", "report"}
    project.write_params({"conditions.balanced.draw": 40})
    assert json.loads(project.run("dvc", "status", "--json")) == {}


def test_nothing_prints_new_parameters_over_old_numbers(project):
    """Of the survey or of the training, and one stage alone is asked for."""
    page = (project.folder / "reports/report.html").read_bytes()
    seeing, rate = (project.params[block][name] for block, name in (("simulated", "seeing"), ("training", RATE)))
    for changes, said in (
        ({"simulated.seeing": 1.6}, f"stage acquire: it ran with simulated.seeing = {seeing}, params.yaml now has 1.6"),
        ({f"training.{RATE}": 0.01}, f"stage train@three_class: it ran with training.{RATE} = {rate}, params.yaml now"),
    ):
        project.write_params(changes)
        for command in ("summary", "sync"):
            assert said in project.galmorph(command, code=1)
        assert said in project.run("dvc", "repro", "--single-item", "report", code=255)
        project.write_params({"simulated.seeing": seeing, f"training.{RATE}": rate})
        project.run("dvc", "checkout")  # DVC removes the outputs of a stage before it runs
        assert "balanced" in project.galmorph("summary")
    # Accepted with dvc commit, the records are still those of another rate.
    project.write_params({f"training.{RATE}": 0.01})
    lock = (project.folder / "dvc.lock").read_bytes()
    project.run("dvc", "commit", "--force", "--quiet")
    said = "run dvc repro --force --single-item train@three_class, then dvc repro"
    assert said in project.galmorph("summary", code=1)
    assert said in project.run("dvc", "repro", "--single-item", "--force", "report", code=255)
    project.write_params({f"training.{RATE}": rate})
    (project.folder / "dvc.lock").write_bytes(lock)
    project.run("dvc", "checkout")
    assert (project.folder / "reports/report.html").read_bytes() == page
    assert json.loads(project.run("dvc", "status", "--json")) == {}


@pytest.mark.slow
def test_changing_one_condition_reruns_that_condition_only(project):
    before = project.tables()
    project.write_params({"conditions.balanced.draw": 36})
    ran = project.repro()
    assert sorted(ran[:-1]) == ["baseline@balanced", "confirm@balanced", "splits@balanced", "train@balanced"]
    assert ran[-1] == "report"
    assert project.tables() != before
    # Changed back: DVC restores the records without training, and the store follows them.
    project.write_params({"conditions.balanced.draw": 40})
    assert project.repro() == []
    assert "of earlier parameters" in project.galmorph("sync")
    project.run("dvc", "repro", "--single-item", "--force", "report")
    assert project.tables() == before


def test_the_matrix_is_that_of_the_networks_trained_at_each_level(project):
    matrix = pd.read_csv(project.folder / "reports/tables/resolution_matrix.csv")
    assert list(zip(matrix["trained"], matrix["tested"], strict=True)) == [(a, b) for a in LEVELS for b in LEVELS]
    left_out = pd.read_csv(project.folder / "data/resolution/left_out.csv")
    sample = pd.read_parquet(project.folder / "data/resolution/sample.parquet")
    galaxies = pd.read_parquet(project.folder / "data/cutouts/galaxies.parquet")
    assert sorted([*sample["objid"], *left_out["objid"]]) == sorted(galaxies["objid"])
    for trained in LEVELS:
        # Trained and tested at one level is the plain condition there: its own predictions after its last epoch.
        runs = read_runs(project, f"transfer/{trained}", "confirmed")
        accuracy = [np.mean(predicted[-1] == truth) for predicted, truth in runs]
        row = matrix.query("trained == @trained and tested == @trained").iloc[0]
        assert row["accuracy_mean"] == pytest.approx(np.mean(accuracy))
        assert row["loss_mean"] == 0
    assert set(pd.read_csv(project.folder / "reports/summary.csv")["condition"]) == set(CONDITIONS)


def another_survey(project):
    """Write stamps of spirals and ellipticals from another survey, 48 pixels wide; return their settings."""
    folder = project.folder / "data/external/other"
    folder.mkdir()
    rng = np.random.default_rng(6)
    y, x = np.mgrid[:48, :48] - 24
    for number in range(1, 121):
        width = 3 if number % 2 else 8
        np.save(folder / f"{number}.npy", 90 * np.exp(-np.hypot(x, y) / width) + rng.normal(0, 2, (48, 48)))
    kinds = [("elliptical", "spiral")[number % 2] for number in range(120)]
    table = pd.DataFrame({"stamp": [f"{number}.npy" for number in range(1, 121)], "class": kinds})
    table.to_csv(project.folder / "data/external/other.csv", index=False)
    read = {"colour": "green", "field": "whole", "resampling": "area", "pixel_scale": 0.5, "psf_fwhm": 1.1}
    return {"folder": "data/external/other", "labels": "data/external/other.csv"} | read


@pytest.mark.slow
def test_another_level_is_trained_alone_and_the_others_are_tested_at_it(project):
    before = {path: path.read_bytes() for path in project.folder.glob("models/transfer/*/confirmed/*")}
    old = pd.read_csv(project.folder / "reports/tables/resolution_matrix.csv")
    mixed = {"kind": "mixed", "galaxies": None, "epochs": None, "learning_rate": None}
    tuned = {"kind": "fine_tuned", "galaxies": 8, "epochs": 2, "learning_rate": 0.001}
    remedies = {
        "mixed": mixed | {"levels": ["native", "soft"]},
        "tuned": tuned | {"levels": ["native", "soft"]},
        "moved": tuned | {"levels": ["native", "other"]},
    }
    native = {"psf_fwhm": None, "pixel_scale": None, "noise": None}
    project.write_params(
        {
            "resolution.levels.soft": {"psf_fwhm": 2.2, "pixel_scale": 0.45, "noise": None},
            "resolution.levels.other": native | {"stamps": another_survey(project)},
            "resolution.ablations.soft_blur": {"psf_fwhm": 2.2, "pixel_scale": 0.396, "noise": None},
            "resolution.remedies": remedies,
            "resolution.oracle": ["native"],
        }
    )
    new = {f"{stage}@{name}" for stage in ("mix", "remedy", "remedied") for name in remedies}
    new |= {f"{stage}@{name}" for stage in ("degrade", "parts", "transfer") for name in ("soft", "other")}
    # The levels depend on the folder for data from elsewhere, where the other survey's stamps now are.
    new |= {"acquire", "degrade@native", "degrade@coarse", "resolution", "ablate@soft_blur", "oracle@native", "report"}
    assert set(project.repro()) == new | {f"tested@{name}" for name in (*LEVELS, "soft", "other")}
    assert {path: path.read_bytes() for path in before} == before
    matrix = pd.read_csv(project.folder / "reports/tables/resolution_matrix.csv")
    kept = matrix[matrix["trained"].isin(LEVELS) & matrix["tested"].isin(LEVELS)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, old)
    assert list(matrix["trained"].unique()) == [*LEVELS, "soft", "other", *remedies]
    assert list(matrix["tested"].unique()) == [*LEVELS, "soft", "other", "soft_blur"]
    gains = pd.read_csv(project.folder / "reports/tables/resolution_remedies.csv")
    # The last level is the target of mixed and tuned; moved has the other survey for its own.
    assert list(gains["trained"]) == ["native", "soft", "mixed", "tuned", "native", "other", "moved"]
    oracle = pd.read_csv(project.folder / "reports/tables/resolution_oracle.csv")
    assert list(oracle["tested"]) == [*LEVELS, "soft", "other", "soft_blur"]
    assert (oracle["gain_mean"] >= 0).all()
    assert oracle.set_index("tested").loc["native", "gain_mean"] == 0
    split = pd.read_parquet(project.folder / "data/resolution/splits/other.parquet")
    assert split["objid"].between(1, 120).all()
    project.galmorph("sync")
    project.write_params({"resolution": changed(committed()["resolution"], {})})
    for key in ("runs", "draw"):
        project.write_params({f"resolution.{key}": TINY[f"resolution.{key}"]})
    project.write_params({"resolution.sample.max_left_out_fraction": 0.6})
    # The stamps of the levels that are gone still lie there, so that the networks are tested again, to no change.
    assert set(project.repro()) == {*(f"tested@{name}" for name in LEVELS), "report"}
    pd.testing.assert_frame_equal(pd.read_csv(project.folder / "reports/tables/resolution_matrix.csv"), old)


def test_summary_is_printed_with_the_places_to_look(project, monkeypatch, capsys):
    monkeypatch.chdir(project.folder)
    main(["summary"])
    printed = capsys.readouterr().out
    assert "balanced" in printed
    assert "reports/report.html" in printed
    assert "make ui" in printed
