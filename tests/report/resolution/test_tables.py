"""The tables, each number written out again from the confusion matrices."""

from __future__ import annotations

import dataclasses
import math
import statistics

import numpy as np
import pandas as pd
import pytest

from galmorph.report.resolution import tables
from galmorph.report.resolution.results import BY_SIZE, Effort, Level, ResolutionResults
from galmorph.report.table import Table, latex
from galmorph.scores.statistics import corrected_mean
from tests.support.resolution import made_resolution, watched


@pytest.fixture(scope="module")
def results() -> ResolutionResults:
    return made_resolution()


def accuracies(results: ResolutionResults, trained: str, tested: str) -> list[float]:
    return [(m[0][0] + m[1][1]) / sum(map(sum, m)) for m in results.confusion[trained, tested].tolist()]


def recalls(results: ResolutionResults, trained: str, tested: str, place: int) -> list[float]:
    return [m[place][place] / sum(m[place]) for m in results.confusion[trained, tested].tolist()]


def less(first: list[float], second: list[float]) -> list[float]:
    return [a - b for a, b in zip(first, second, strict=True)]


def written(values: list[float], *galaxies: int, sign: str = "") -> str:
    """Return mean ± std; of a share of so many galaxies with the binomial spread in brackets."""
    mean = statistics.fmean(values)
    binomial = "".join(f" ({math.sqrt(mean * (1 - mean) / of):.3f})" for of in galaxies)
    return f"{mean:{sign}.3f} ± {statistics.stdev(values):.3f}{binomial}".replace("-", "−")


def estimated(values: list[float], sign: str = "") -> str:
    """Return mean ± half of the interval, for the overlap of the made results."""
    estimate = corrected_mean(values, 0.1)
    return f"{estimate.mean:{sign}.3f} ± {estimate.half_width():.3f}".replace("-", "−")


def rows(table: Table | None) -> list[dict[str, str]]:
    assert table is not None
    return [{str(key): str(value) for key, value in row.items()} for row in table.shown.to_dict("records")]


def by_hand() -> ResolutionResults:
    """Two levels, two runs: round numbers."""
    levels = (Level("a", 1.0, 0.4, math.nan, "level"), Level("b", 2.0, 0.4, 5.0, "level"))
    diagonals = {("a", "a"): (9, 9), ("a", "b"): (5, 7), ("b", "a"): (8, 7), ("b", "b"): (9, 8)}
    confusion = {
        pair: np.array([[[right - 2, 10 - right], [0, 2]] for right in runs], dtype=np.int64)
        for pair, runs in diagonals.items()
    }
    return ResolutionResults(
        levels, ("spiral", "elliptical"), {"a": 3, "b": 4}, 2, 100, {}, confusion, {"a": 0.0, "b": 0.25}
    )


def test_the_loss_is_paired_by_run() -> None:
    data = tables.matrix(by_hand()).data.set_index(["trained", "tested"])
    # Trained at a, tested at b: 0.9 - 0.5 and 0.8 - 0.7, not the difference of the spreads.
    assert data.loc[("a", "b"), "loss_mean"] == pytest.approx(0.25)
    # Student's t of one degree of freedom is 12.706; a quarter of the test galaxies is shared: 1/2 + (1/4)/(3/4).
    assert data.loc[("a", "b"), "loss_half"] == pytest.approx(
        12.7062 * 0.3 * math.sqrt(0.5 * (1 / 2 + 1 / 3)), rel=1e-5
    )
    assert data.loc[("a", "b"), "overlap"] == 0.25
    # Trained at b, tested at a: 0.9 - 0.8 and 0.9 - 0.7.
    assert data.loc[("b", "a"), "loss_mean"] == pytest.approx(0.15)
    assert data.loc[("b", "a"), "loss_half"] == pytest.approx(12.7062 * 0.1 / 2, rel=1e-5)
    for level in "ab":
        assert tuple(data.loc[(level, level), ["loss_mean", "loss_half"]]) == (0, 0)
    assert data.loc[("b", "a"), "recall_spiral_mean"] == pytest.approx((6 / 8 + 5 / 8) / 2)
    assert data.loc[("b", "a"), "tss_mean"] == pytest.approx((6 / 8 + 5 / 8) / 2)
    assert data.loc[("b", "a"), "baseline"] == pytest.approx(0.8)


def test_rows_are_in_the_order_of_the_levels_and_hold_their_own_pair(results: ResolutionResults) -> None:
    table = tables.matrix(results)
    trained, tested = ("native", "blurred", "mixed"), ("native", "blur_only", "blurred", "noise_only")
    pairs = [(a, b) for a in trained for b in tested]
    assert list(zip(table.data["trained"], table.data["tested"], strict=True)) == pairs
    for row, pair in zip(rows(table), pairs, strict=True):
        assert (row["Trained at"], row["Tested at"]) == (pair[0], pair[1].replace("_", " "))
        assert row["Epoch"] == str(results.epochs[pair[0]])
        # Of 2,400 spirals and 900 ellipticals.
        assert row["Accuracy ± std"] == written(accuracies(results, *pair), 3300)
        assert row["Recall of spirals ± std"] == written(recalls(results, *pair, 0), 2400)
        assert row["Recall of ellipticals ± std"] == written(recalls(results, *pair, 1), 900)
        both = [recalls(results, *pair, place) for place in (0, 1)]
        means = [statistics.fmean(one) for one in both]
        chance = math.sqrt(sum(p * (1 - p) / of for p, of in zip(means, (2400, 900), strict=True)))
        tss = [a + b - 1 for a, b in zip(*both, strict=True)]
        assert row["TSS ± std"] == f"{written(tss)} ({chance:.3f})"
        assert row["Majority baseline"] == f"{2400 / 3300:.3f}"
        # No network is trained at an ablation.
        lost = (
            less(accuracies(results, pair[1], pair[1]), accuracies(results, *pair)) if "only" not in pair[1] else None
        )
        assert row["Loss of accuracy, 95 % interval"] == (estimated(lost) if lost else "—")


def test_without_a_threshold_each_pair_has_its_area_and_is_compared_by_the_same_rule(
    results: ResolutionResults,
) -> None:
    table = tables.recalibrated(results)
    pair, there = ("native", "blurred"), ("blurred", "blurred")
    row = next(row for row in rows(table) if (row["Trained at"], row["Tested at"]) == pair)
    areas, matched = (results.auc[which].tolist() for which in (pair, there))
    assert row["Area under the ROC curve ± std"] == written(areas)
    assert row["Loss of area, 95 % interval"] == estimated(less(matched, areas))
    again = dataclasses.replace(results, confusion=results.recalibrated)
    assert row["Accuracy, recalibrated ± std"] == written(accuracies(again, *pair))
    lost = less(accuracies(again, *there), accuracies(again, *pair))
    assert row["Loss of accuracy, recalibrated, 95 % interval"] == estimated(lost)
    tss = [[a + b - 1 for a, b in zip(*(recalls(again, *at, i) for i in (0, 1)), strict=True)] for at in (pair, there)]
    assert row["TSS, recalibrated ± std"] == written(tss[0])
    assert row["Loss of TSS, recalibrated, 95 % interval"] == estimated(less(tss[1], tss[0]))
    assert {row["Loss of area, 95 % interval"] for row in rows(table) if "only" in row["Tested at"]} == {"—"}


def test_levels(results: ResolutionResults) -> None:
    table = tables.levels(results)
    shown = [tuple(row.values()) for row in rows(table)]
    assert shown[0] == ("native", "trained and tested", "1.30", "0.396", "—", "5.70", "0.00", "20")
    assert shown[1] == ("blur only", "tested only", "1.82", "0.396", "—", "0.31", "0.90", "—")
    assert shown[-1] == ("mixed", "remedy, trained only", "—", "0.396", "—", "—", "—", "26")
    assert "12,345 galaxies" in table.caption
    assert table.caption.endswith("1,046 galaxies are left out: no PSF, 12; too near an edge, 1,034.")
    assert list(table.data["level"]) == [level.name for level in results.levels]
    assert "PSF FWHM ($''$)" in latex(table)


def test_levels_say_whether_the_noise_differs_too(results: ResolutionResults) -> None:
    same = tuple(dataclasses.replace(level, network_noise=7.0, noise_correlation=0.0) for level in results.levels)
    common = tables.levels(dataclasses.replace(results, levels=same)).caption
    assert "is the same at every level, so that only the resolution differs" in common
    assert "another noise as well" not in common
    assert "another noise as well" in tables.levels(results).caption


@pytest.mark.parametrize(
    ("left_out", "text"), [({"a": 0}, "No galaxy is left out."), ({"no PSF": 1}, "1 galaxy is left out: no PSF, 1.")]
)
def test_left_out(results: ResolutionResults, left_out: dict[str, int], text: str) -> None:
    assert tables.left_out(dataclasses.replace(results, left_out=left_out)) == text


def test_confusion_of_the_corners() -> None:
    results = made_resolution(levels=3)
    table = tables.confusion(results)
    shown = rows(table)
    corners = [(a, b) for a in ("native", "coarse") for b in ("native", "coarse")]
    assert [(row["Trained at"], row["Tested at"]) for row in shown] == [pair for pair in corners for _ in range(2)]
    cell = results.confusion["native", "coarse"][:, 1, 0]
    assert shown[3]["True class"] == "elliptical"
    assert shown[3]["Called spiral"] == f"{cell.mean():.1f} ± {cell.std(ddof=1):.1f}"
    assert list(table.data.columns) == ["trained", "tested", "actual", "predicted", "mean", "std"]


@pytest.mark.parametrize(
    ("unit", "shown"), [("DN", "DN"), ("grey levels", "grey levels"), ("the unit of the file", "the unit of the file")]
)
def test_the_noise_has_the_unit_of_the_pixels(results: ResolutionResults, unit: str, shown: str) -> None:
    table = tables.levels(dataclasses.replace(results, unit=unit))
    assert list(table.shown.columns)[4:6] == [f"Noise a pixel ({shown})", f"Noise a pixel of the network ({shown})"]


def test_ablation_is_against_the_same_network_at_the_first_level(results: ResolutionResults) -> None:
    table = tables.ablation(results)
    assert table is not None
    assert list(table.data["tested"]) == ["blur_only", "noise_only", "blurred"]
    assert set(table.data["trained"]) == {"native"}
    there = ("native", "native")
    assert written(accuracies(results, *there)) in table.caption
    for row, tested in zip(rows(table), table.data["tested"], strict=True):
        here = accuracies(results, "native", tested)
        assert row["Accuracy ± std"] == written(here, 3300)
        assert row["Change of accuracy, 95 % interval"] == estimated(less(here, accuracies(results, *there)), "+")
        change = less(recalls(results, "native", tested, 1), recalls(results, *there, 1))
        assert row["Change of recall of ellipticals, 95 % interval"] == estimated(change, "+")


def test_recall_by_size_has_a_row_for_each_class_and_quarter(results: ResolutionResults) -> None:
    assert tables.by_size(results) is None
    row = ("native", "blurred", "elliptical", 4, 2.5, 3.2, 5, 0.2, 0.1, 0.7, 0.05, 0.5, 0.12)
    table = tables.by_size(dataclasses.replace(results, by_size=pd.DataFrame([row], columns=BY_SIZE)))
    (shown,) = rows(table)
    assert list(shown.values()) == [
        "blurred",
        "elliptical",
        "4",
        "2.50",
        "3.2",
        *("0.200 ± 0.100", "0.700 ± 0.050", "0.500 ± 0.120"),
    ]
    assert list(shown)[5] == "Recall ± std, trained at native"


def test_the_best_epoch_of_each_level_is_by_the_mean_over_runs() -> None:
    table = tables.oracle(watched(made_resolution(levels=2)))
    assert table is not None
    data = table.data
    assert data[["trained", "tested"]].to_numpy().tolist() == [["native", "native"], ["native", "blurred"]]
    assert data["epoch"].tolist() == [3, 3]
    assert data["best_epoch"].tolist() == [3, 2]
    assert data["mean"].tolist() == pytest.approx([0.85, 0.5])
    assert data["best_mean"].tolist() == pytest.approx([0.85, 0.65])
    # Run by run: 0.3 and 0.0.
    assert data["gain_mean"].tolist() == pytest.approx([0.0, 0.15])
    assert data["gain_std"].tolist() == pytest.approx([0.0, 0.3 / math.sqrt(2)])
    row = rows(table)[1]
    # The confirmed runs are others, and stand beside them.
    confirmed = accuracies(made_resolution(levels=2), "native", "blurred")
    assert row["Confirmed runs, selected epoch ± std"] == written(confirmed)
    assert (row["Trained at"], row["Tested at"]) == ("native", "blurred")
    assert (row["Selected epoch"], row["Best epoch"], row["Gain ± std"]) == ("3", "2", "+0.150 ± 0.212")


def matrices(rights: list[int]) -> np.ndarray:
    return np.array([[[right, 10 - right], [5, 5]] for right in rights], np.int64)


def test_each_remedy_stands_beside_its_own_target() -> None:
    made = made_resolution(levels=2, runs=2, ablations=False, mixed=False)
    elsewhere = Level("elsewhere", 1.0, 0.4, math.nan, "survey")
    tuned = Level("tuned", math.nan, math.nan, math.nan, "remedy", "elsewhere")
    confusion = dict(made.confusion)
    for trained, rights in (("native", [2, 4]), ("blurred", [3, 3]), ("elsewhere", [9, 9]), ("tuned", [7, 8])):
        confusion[trained, "elsewhere"] = matrices(rights)
    results = dataclasses.replace(
        made,
        levels=(*made.levels, elsewhere, tuned),
        confusion=confusion,
        epochs=dict(made.epochs) | {"elsewhere": 1, "tuned": 1},
        overlap={"native": 0.0, "blurred": 0.0, "elsewhere": 0.2},
        recalibrated={pair: confusion[pair] for pair in confusion} | {("native", "elsewhere"): matrices([6, 6])},
        effort={
            "native": Effort(700, 264),
            "blurred": Effort(700, 220),
            "elsewhere": Effort(650, 210),
            "tuned": Effort(50, 20, Effort(700, 264)),
        },
        surveys={"elsewhere": 77},
    )
    table = tables.remedies(results)
    assert table is not None
    assert table.data[["training", "trained", "tested"]].to_numpy().tolist() == [
        ["as it is", "native", "blurred"],
        ["as it is, recalibrated", "native", "blurred"],
        ["trained at the target", "blurred", "blurred"],
        ["as it is", "native", "elsewhere"],
        ["as it is, recalibrated", "native", "elsewhere"],
        ["trained at the target", "elsewhere", "elsewhere"],
        ["tuned", "tuned", "elsewhere"],
    ]
    gain = table.data.iloc[-1]
    # Of 20 galaxies 5 more right in the first run, 4 more in the second; the interval has the overlap of that level.
    expected = corrected_mean([5 / 20, 4 / 20], 0.2)
    assert gain["accuracy_gain"] == pytest.approx(expected.mean)
    assert gain["accuracy_half"] == pytest.approx(expected.half_width())
    assert gain["overlap"] == 0.2
    # The recalibrated: 4 more in the first run, 2 in the second.
    free = table.data.iloc[-3]
    assert free["accuracy_gain"] == pytest.approx(corrected_mean([4 / 20, 2 / 20], 0.2).mean)
    shown = [(row["Training galaxies"], row["Updates"]) for row in rows(table)[3:]]
    assert shown == [("700", "264"), ("700", "264"), ("650", "210"), ("700 + 50", "264 + 20")]
    assert results.loss("accuracy", made.levels[0], elsewhere) == pytest.approx([7 / 20, 5 / 20])


def test_one_run_has_no_spread() -> None:
    results = made_resolution(runs=1)
    data = tables.matrix(results).data
    assert data.filter(like="_std").isna().all(axis=None)
    assert data["accuracy_mean"].notna().all()
    assert not any("nan" in table.shown.to_string() for table in tables.chapter_tables(results))
    assert rows(tables.matrix(results))[0]["Accuracy ± std"].endswith(" ± — (0.005)")


def test_one_level() -> None:
    results = made_resolution(levels=1, mixed=False)
    assert [table.name for table in tables.chapter_tables(results)] == [
        f"resolution_{name}" for name in ("levels", "matrix", "recalibrated", "confusion", "ablation")
    ]
    assert len(tables.confusion(results).data) == 4
    assert [row["Tested at"] for row in rows(tables.ablation(results))] == ["blur only", "noise only"]


def test_a_class_that_one_run_lacks_is_missing_in_the_mean(results: ResolutionResults) -> None:
    lacking = results.confusion["native", "blurred"].copy()
    lacking[2, 1] = 0
    changed = dataclasses.replace(results, confusion={**results.confusion, ("native", "blurred"): lacking})
    row = rows(tables.matrix(changed))[2]
    assert (row["Recall of ellipticals ± std"], row["TSS ± std"]) == ("—", "—")
    assert row["Recall of spirals ± std"] == written(recalls(results, "native", "blurred", 0), 2400)
