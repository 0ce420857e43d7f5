"""What is known without a network: simple classifiers of scikit-learn, trained and tested on a condition's own splits.

A baseline leaves a record for each confirmed run, as the network does: it trains on the run's training part and is
tested on its test part and on the common evaluation sets. There is no epoch to select, so that none is chosen on the
test data. docs/protocol.md says which classifiers were tried.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from galmorph.errors import GalmorphError
from galmorph.files.datafiles import open_stamps
from galmorph.files.reading import PACKAGE
from galmorph.parallel.workers import spread
from galmorph.resolution.sample import light_radii
from galmorph.settings.study import Settings
from galmorph.training.declared import campaign_of
from galmorph.training.plan import TRAINING_CODE, Campaign
from galmorph.training.protocol import generator
from galmorph.training.records import VALIDATION, Evaluation, Record, record_name, save_record
from galmorph.training.run import parts_of
from galmorph.training.scaling import Images, scaled, softening

Floats = NDArray[np.float64]

BASELINES = ("magnitude_size", "pca", "shape")
COMPONENTS = 20  # of the PCA
# Beside the training's code; part of a record's fingerprint too.
CODE = ("baselines.py", "resolution/sample.py")
FEATURES = ("magnitude", "log half-light radius", "concentration", "asymmetry", "Gini", "M20", "elongation")
SHARES = (0.2, 0.5, 0.8)  # of the light, within the radii of the concentration
LEAST_RADIUS = 3.0  # pixels; a circle with fewer pixels has no shape


@dataclasses.dataclass(frozen=True)
class BaselineCampaign(Campaign):
    """The confirmed runs of a condition, with a baseline in place of the network."""

    baseline: str = BASELINES[0]

    @property
    def files(self) -> dict[str, Path]:
        """The data files, and the code beside the training's, by the names that records have for them."""
        return super().files | {name: PACKAGE / name for name in CODE}

    @functools.cached_property
    def parameters(self) -> dict[str, Any]:
        """Settings by dotted name: those that decide the result."""
        decisive = {
            name: value
            for name, value in super().parameters.items()
            if name.startswith(("condition.", "protocol.")) or name == "training.scaling"
        }
        return decisive | {"baseline": self.baseline}


def baseline_campaign(settings: Settings, condition: str, baseline: str) -> BaselineCampaign:
    """Return the runs of a baseline as the parameters and data now make them."""
    network = campaign_of(settings, condition, "confirmed", epochs=1)
    known = {field.name: getattr(network, field.name) for field in dataclasses.fields(network)}
    return BaselineCampaign(**known, baseline=baseline)


def run_baselines(settings: Settings, condition: str, folder: Path) -> None:
    """Train and test each baseline in each confirmed run of a condition.

    Parameters
    ----------
    folder
        Gets BASELINE/run-NNN.npz; an absolute path, for the workers.
    """
    campaigns = [baseline_campaign(settings, condition, name) for name in BASELINES]
    for campaign in campaigns:
        (folder / campaign.baseline).mkdir(parents=True)
        _ = campaign.fingerprint  # hashed here once, and sent with the campaign
    runs = range(1, settings.protocol.runs + 1)
    jobs = [(campaigns, run, folder) for run in runs]
    names = [f"run {run}" for run in runs]
    code = (*TRAINING_CODE, *CODE)
    for _ in spread(baseline_run, jobs, label=f"{condition}, baselines", unit="run", names=names, code=code):
        pass


def baseline_run(campaigns: list[BaselineCampaign], run: int, folder: Path) -> None:
    """Train and test the baselines of one run, in a worker process, and write their records."""
    first = campaigns[0]
    images = open_stamps(first.images)
    parts = parts_of(first.split, len(images), first, run)
    parts.pop(VALIDATION, None)  # there is nothing to select; the network does not train on it either
    stamps = {name: np.asarray(images[rows]) for name, (rows, _) in parts.items()}
    try:
        constant = softening(stamps["train"], first.training.scaling)
    except GalmorphError as error:
        raise GalmorphError(f"condition {first.name}, baselines, run {run}: {error}") from None
    pixels = {name: scaled(part, first.training.scaling, constant) for name, part in stamps.items()}
    measured = {name: features(part) for name, part in stamps.items()}
    by_baseline: dict[str, dict[str, NDArray[Any]]] = {
        "magnitude_size": {name: values[:, :2] for name, values in measured.items()},
        "pca": {name: values.reshape(len(values), -1) for name, values in pixels.items()},
        "shape": measured,
    }
    (_, truth), classes = parts.pop("train"), len(first.condition.classes)
    for campaign in campaigns:
        inputs = by_baseline[campaign.baseline]
        rng = generator(campaign.protocol.seed, campaign.phase, run, f"baseline {campaign.baseline}")
        model = classifier(campaign.baseline, inputs["train"].shape, truth, int(rng.integers(2**31)))
        model.fit(inputs["train"], truth)
        sets = {
            name: Evaluation(rows, labels, probabilities(model, inputs[name], classes))
            for name, (rows, labels) in parts.items()
        }
        record = Record(
            condition=campaign.name,
            phase=campaign.phase,
            run=run,
            classes=campaign.condition.classes,
            fingerprint=campaign.fingerprint,
            parameters=campaign.parameters,
            data=campaign.data,
            softening=constant,
            history={},
            predicted=sets["test"].probabilities.argmax(axis=1)[None].astype(np.uint8),
            sets=sets,
        )
        save_record(folder / campaign.baseline / record_name(run), record)


def classifier(baseline: str, shape: tuple[int, ...], truth: NDArray[Any], seed: int) -> Any:
    """Return a baseline's classifier, not yet fitted.

    Parameters
    ----------
    shape
        (n, k) of what it trains on.
    truth
        (n,) class numbers; of a single class, always that is the answer.
    seed
        Of the randomized solver of the PCA.
    """
    # Only worker processes need scikit-learn's classifiers.
    from sklearn.decomposition import PCA
    from sklearn.dummy import DummyClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    if len(np.unique(truth)) == 1:
        return DummyClassifier()
    if baseline == "pca":
        components = min(COMPONENTS, *shape)
        reduced = PCA(components, svd_solver="randomized", random_state=seed)
        return make_pipeline(reduced, StandardScaler(), LogisticRegression(max_iter=1000))
    # A stamp without light has no magnitude, nor a shape: it gets the mean of the training part.
    filled = SimpleImputer(keep_empty_features=True)
    last = SVC() if baseline == "shape" else LogisticRegression(max_iter=1000)
    return make_pipeline(filled, StandardScaler(), last)


def probabilities(model: Any, inputs: NDArray[Any], classes: int) -> NDArray[np.float32]:
    """Return the class probabilities, (n, classes); 0 for a class that the training part lacks.

    Those of a support vector machine are the softmax of its decision function: they order the classes as it does, and
    are not calibrated.
    """
    found = np.zeros((len(inputs), classes), np.float32)
    if hasattr(model, "predict_proba"):
        found[:, model.classes_] = model.predict_proba(inputs)
    else:
        values = model.decision_function(inputs)
        values = np.stack([-values, values], axis=1) / 2 if values.ndim == 1 else values
        found[:, model.classes_] = softmax(values, axis=1)
    return found


def features(images: Images) -> Floats:
    """Measure `FEATURES` of stamps, about their centre.

    Magnitude, radius and concentration are from the curve of growth; the others are of the pixels within two
    half-light radii (Conselice 2003; Lotz, Primack & Madau 2004), without a correction for noise or PSF.

    Parameters
    ----------
    images
        (n, size, size) float32, DN after sky subtraction, (y, x).

    Returns
    -------
    (n, 7) float64; NaN where a feature is not defined, as the magnitude of a stamp without light.

    Examples
    --------
    >>> y, x = np.mgrid[-32:32, -32:32]
    >>> round_one = np.exp(-np.hypot(x, y) / 3).astype(np.float32)
    >>> dict(zip(FEATURES, features(round_one[None])[0].round(2).tolist()))["asymmetry"]
    0.0
    """
    radii = light_radii(images, SHARES)
    return np.array([list(_features(*pair)) for pair in zip(images, radii, strict=True)]).reshape(-1, len(FEATURES))


def _features(image: NDArray[np.float32], radii: Floats) -> Iterator[float]:
    if not np.isfinite(radii).all():
        yield from [np.nan] * len(FEATURES)
        return
    # Row and column 0 have no counterpart on the other side of the galaxy's pixel, size // 2.
    pixels = image[1:, 1:].astype(np.float64)
    centre = len(pixels) // 2
    y, x = np.mgrid[: len(pixels), : len(pixels)] - centre
    r2 = x**2 + y**2
    half = radii[SHARES.index(0.5)]
    inside = r2 <= max(2 * half, LEAST_RADIUS) ** 2
    light, opposite = pixels[inside], pixels[::-1, ::-1][inside]
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = [
            -2.5 * np.log10(pixels[r2 <= centre**2].sum()),
            np.log10(half),
            5 * np.log10(radii[-1] / radii[0]),
            np.abs(light - opposite).sum() / (2 * np.abs(light).sum()),
            _gini(np.abs(light)),
            _m20(light, r2[inside]),
            _elongation(np.maximum(light, 0), x[inside], y[inside]),
        ]
    yield from (float(value) if np.isfinite(value) else np.nan for value in measured)


def _gini(light: Floats) -> np.float64:
    """Gini coefficient of light: 0 if all pixels are equal, 1 if one has all."""
    ranked, n = np.sort(light), len(light)
    return np.float64(((2 * np.arange(1, n + 1) - n - 1) * ranked).sum() / (ranked.sum() * (n - 1)))


def _m20(light: Floats, r2: NDArray[np.int64]) -> np.float64:
    """Logarithm of the second moment of the brightest fifth of the light over that of all."""
    order = np.argsort(light, kind="stable")[::-1]
    brightest = order[: int(np.argmax(np.cumsum(light[order]) >= 0.2 * light.sum())) + 1]
    return np.float64(np.log10((light[brightest] * r2[brightest]).sum() / (light * r2).sum()))


def _elongation(light: Floats, x: NDArray[np.int64], y: NDArray[np.int64]) -> np.float64:
    """Ellipticity from second moments: 0 for a circle, 1 for a line."""
    xx, yy, xy = (float((light * product).sum()) for product in (x * x, y * y, x * y))
    return np.float64(np.hypot(xx - yy, 2 * xy) / np.float64(xx + yy))
