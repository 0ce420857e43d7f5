"""Is the class in the shape? A classifier of magnitude and size alone compared with the networks on the same runs.

python -m validation.shape [CONDITION]      in a project whose runs are done; two_class by default

Magnitude and size are measured on the stamp: the flux in a circle that touches its border, and the radius that holds
half of it. The classifier (scikit-learn's gradient-boosted trees) is trained and tested on the galaxies of each
confirmed run, as the network was.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from tabulate import tabulate

from galmorph.scores import metrics
from galmorph.settings.layout import IMAGES, load_params, records_folder, split_path
from galmorph.training.records import load_phase


def magnitude_and_size(images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the instrumental magnitude and the half-light radius (pixels) of stamps (n, size, size), shape (n, 2)."""
    size = images.shape[-1]
    y, x = np.indices((size, size)) - size // 2
    radius = np.hypot(x, y).ravel()
    order = np.argsort(radius, kind="stable")
    order = order[radius[order] < size // 2]
    measured = np.empty((len(images), 2))
    for row, image in enumerate(images):
        growth = np.cumsum(image.ravel()[order], dtype=np.float64)
        flux = max(growth[-1], 1.0)
        half = np.searchsorted(np.maximum.accumulate(growth), flux / 2)
        measured[row] = -2.5 * np.log10(flux), radius[order][min(half, len(order) - 1)]
    return measured


def main() -> None:
    """Train the classifier on the galaxies of each run and print its scores and the networks'."""
    condition = sys.argv[1] if len(sys.argv) > 1 else "two_class"
    settings = load_params()
    classes = settings.conditions[condition].classes
    images = np.load(IMAGES, mmap_mode="r")
    features = magnitude_and_size(images)
    split = pd.read_parquet(split_path(condition), filters=[("phase", "==", "confirmed")])
    scores: dict[str, list[list[Any]]] = {"networks": [], "magnitude and size alone": [], "the commonest class": []}
    for record in load_phase(records_folder(condition, "confirmed"), settings.protocol.runs, condition, "confirmed"):
        run = split[split["run"] == record.run]
        train = run[run["part"] == "train"]
        labels = train["class"].map({name: number for number, name in enumerate(classes)})
        trees = HistGradientBoostingClassifier(random_state=record.run).fit(features[train["row"]], labels)
        test = record.sets["test"]
        answers = {
            "networks": test.probabilities.argmax(axis=1),
            "magnitude and size alone": trees.predict(features[test.rows]),
            "the commonest class": np.full(len(test.rows), np.bincount(labels).argmax()),
        }
        for name, predicted in answers.items():
            confusion = metrics.confusion_matrix(test.truth, predicted, len(classes))
            scores[name].append([metrics.accuracy(confusion), metrics.tss(confusion)])
    rows = []
    for name, values in scores.items():
        mean, std = np.mean(values, axis=0), np.std(values, axis=0, ddof=1)
        rows.append((name, *(f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, std, strict=True))))
    print(f"{settings.survey.name}, {condition}, {len(scores['networks'])} confirmed runs, mean ± standard deviation")
    print(tabulate(rows, headers=["classifier", "accuracy", "TSS"], tablefmt="github"))


if __name__ == "__main__":
    main()
