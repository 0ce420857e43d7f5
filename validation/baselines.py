"""Which classifiers of scikit-learn were tried as baselines, on the selected runs of a finished study.

python -m validation.baselines [CONDITION ...] [--runs 10]     two_class and three_class by default

Those of `galmorph.baselines` were chosen among them by these runs; the report shows them on the confirmed ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC
from tabulate import tabulate

from galmorph.baselines import features
from galmorph.files.datafiles import open_stamps, read_table
from galmorph.settings.layout import IMAGES, load_params, split_path
from galmorph.training.scaling import scaled, softening


def _on_features(*steps: Any) -> Any:
    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), *steps)


def _on_components(count: int, last: Any) -> Any:
    return make_pipeline(PCA(count, svd_solver="randomized", random_state=0), StandardScaler(), last)


def _logistic() -> LogisticRegression:
    return LogisticRegression(max_iter=2000)


TRIED: Final[dict[str, tuple[str, Callable[[], Any]]]] = {
    "commonest class of the training part": ("shape", lambda: DummyClassifier()),
    "magnitude and size: logistic regression": ("size", lambda: _on_features(_logistic())),
    "magnitude and size: gradient boosting": ("size", lambda: HistGradientBoostingClassifier(random_state=0)),
    "10 components: logistic regression": ("pixels", lambda: _on_components(10, _logistic())),
    "20 components: logistic regression": ("pixels", lambda: _on_components(20, _logistic())),
    "50 components: logistic regression": ("pixels", lambda: _on_components(50, _logistic())),
    "20 components: SVM": ("pixels", lambda: _on_components(20, SVC())),
    "shape: logistic regression": ("shape", lambda: _on_features(_logistic())),
    "shape and products: logistic regression": ("shape", lambda: _on_features(PolynomialFeatures(2), _logistic())),
    "shape: gradient boosting": ("shape", lambda: HistGradientBoostingClassifier(random_state=0)),
    "shape: random forest": ("shape", lambda: _on_features(RandomForestClassifier(random_state=0))),
    "shape: SVM": ("shape", lambda: _on_features(SVC())),
    "shape: SVM, C = 3": ("shape", lambda: _on_features(SVC(C=3))),
}


def accuracies(split: Path, images: NDArray[np.float32], scaling: str, runs: int) -> pd.DataFrame:
    """Return the test accuracy of each classifier in each of the first selected runs of a condition."""
    table = read_table(split, ["run", "row", "class", "part"], [("phase", "==", "selected"), ("run", "<=", runs)])
    rows = []
    for run, members in table.groupby("run"):
        train, test = (members[members["part"] == part] for part in ("train", "test"))
        stamps = [np.asarray(images[part["row"]]) for part in (train, test)]
        constant = softening(stamps[0], scaling)
        measured = [features(part) for part in stamps]
        inputs: dict[str, list[NDArray[Any]]] = {
            "shape": measured,
            "size": [values[:, :2] for values in measured],
            "pixels": [scaled(part, scaling, constant).reshape(len(part), -1) for part in stamps],
        }
        for name, (kind, make) in TRIED.items():
            model = make().fit(inputs[kind][0], train["class"])
            rows.append((name, run, np.mean(model.predict(inputs[kind][1]) == test["class"])))
    return pd.DataFrame(rows, columns=["classifier", "run", "accuracy"])


def main() -> None:
    """Print the mean accuracies, by condition."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conditions", nargs="*", default=["two_class", "three_class"])
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    settings, images = load_params(), open_stamps(IMAGES)
    means: dict[str, pd.Series[float]] = {
        name: accuracies(split_path(name), images, settings.training_of(name).scaling, arguments.runs)
        .groupby("classifier", sort=False)["accuracy"]
        .mean()
        for name in arguments.conditions
    }
    rows = [(name, *row) for name, row in zip(TRIED, pd.DataFrame(means).to_numpy(), strict=True)]
    sys.stdout.write(tabulate(rows, ["classifier", *means], tablefmt="github", floatfmt=".3f") + "\n")


if __name__ == "__main__":
    main()
