"""A synthetic study: learning curves, scores and confusion matrices as a campaign would leave them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from galmorph.report.figures.cutout import Schematic
from galmorph.report.figures.network import LayerDrawing
from galmorph.report.results import ConditionResults, PhaseResults
from galmorph.settings import Settings, load_settings, parse_settings
from made_resolution import MakeResolution, made_resolution

ROOT = Path(__file__).resolve().parents[2]
FRACTIONS = {"spiral": 0.272, "elliptical": 0.104, "uncertain": 0.624}

SettingsFactory = Callable[..., Settings]
ResultsFactory = Callable[..., dict[str, ConditionResults]]


@pytest.fixture(scope="session")
def make_resolution() -> MakeResolution:
    """Results of the resolution study, of so many levels."""
    return made_resolution


@pytest.fixture(scope="session")
def make_settings() -> SettingsFactory:
    """Settings of the quick preset with `protocol.runs` and others replaced; conditions: names to keep."""
    base = json.loads(load_settings(ROOT / "params.yaml").model_dump_json())

    def make(
        runs: int = 5,
        epochs: int = 12,
        conditions: tuple[str, ...] | None = None,
        survey: dict[str, Any] | None = None,
        **blocks: Any,
    ) -> Settings:
        data = json.loads(json.dumps(base)) | blocks
        data["protocol"]["runs"] = runs
        data["training"]["epochs"] = epochs
        data["survey"] |= survey or {}
        data["report"] |= {"examples": 3, "png_dpi": 60}
        if conditions is not None:
            data["conditions"] = {name: data["conditions"][name] for name in conditions}
            data["comparisons"] = {
                name: block
                for name, block in data["comparisons"].items()
                if set(block["conditions"]) <= set(conditions)
            }
        return parse_settings(data)

    return make


def _confusion(rng: np.random.Generator, runs: int, total: int, fractions: list[float]) -> NDArray[np.int64]:
    size = len(fractions)
    recall = np.full((size, size), 0.2 / max(size - 1, 1)) + np.eye(size) * (0.8 - 0.2 / max(size - 1, 1))
    rows = [[rng.multinomial(round(total * f), recall[i]) for i, f in enumerate(fractions)] for _ in range(runs)]
    return np.array(rows, dtype=np.int64)


def _scores(confusion: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    total = confusion.sum(axis=(1, 2))
    diagonal = np.diagonal(confusion, axis1=1, axis2=2)
    size = confusion.shape[1]
    recall = (diagonal / confusion.sum(axis=2)).mean(axis=1)
    return {
        "accuracy": diagonal.sum(axis=1) / total,
        "tss": (recall - 1 / size) / (1 - 1 / size),
        "baseline": confusion.sum(axis=2).max(axis=1) / total,
    }


def _history(rng: np.random.Generator, runs: int, epochs: int, level: float) -> pd.DataFrame:
    epoch = np.arange(1, epochs + 1)
    frames = []
    for run in range(1, runs + 1):
        rise = 1 - np.exp(-epoch / (epochs / 4))
        wobble = rng.normal(0, 0.015, (4, epochs))
        test_loss = 0.3 + 0.7 * np.exp(-epoch / (epochs / 5)) + 0.25 * (epoch / epochs) ** 2
        test = np.clip(0.5 + (level - 0.5) * rise + wobble[0], 0, 1)
        frames.append(
            pd.DataFrame(
                {
                    "run": run,
                    "epoch": epoch,
                    "train_loss": np.exp(-epoch / (epochs / 4)) + 0.02 + np.abs(wobble[1]),
                    "train_accuracy": np.clip(0.5 + 0.5 * rise + wobble[2], 0, 1),
                    "test_loss": test_loss * (1 + wobble[3]),
                    "test_accuracy": test,
                    "test_tss": 2 * test - 1,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="session")
def make_results() -> ResultsFactory:
    """Results of the declared conditions from a seed."""

    def make(settings: Settings, seed: int = 7) -> dict[str, ConditionResults]:
        rng = np.random.default_rng(seed)
        runs, results = settings.protocol.runs, {}
        for name, condition in settings.conditions.items():
            shares = {c: FRACTIONS[c] if condition.mix == "natural" else 1.0 for c in condition.classes}
            fractions = [share / sum(shares.values()) for share in shares.values()]
            drawn = sum(FRACTIONS[c] if condition.mix == "natural" else 1.0 for c in condition.drawn_among)
            total = round(condition.draw * (1 - settings.protocol.train_fraction) * sum(shares.values()) / drawn)
            history = _history(rng, runs, settings.training.epochs, 0.69 if len(fractions) == 3 else 0.93)
            epoch = int(history.groupby("epoch")["test_accuracy"].mean().to_numpy().argmax()) + 1
            phases = []
            for phase in ("selected", "confirmed"):
                confusion = _confusion(rng, runs, total, fractions)
                scores = _scores(confusion)
                if phase == "confirmed":
                    if len(fractions) == 3:
                        scores["accuracy_restricted"] = rng.normal(0.9, 0.02, runs)
                    for common in ("common_natural", "common_balanced"):
                        common_scores = _scores(_confusion(rng, runs, 60, [0.72, 0.28]))
                        scores |= {f"{metric}@{common}": value for metric, value in common_scores.items()}
                index = pd.RangeIndex(1, runs + 1, name="run")
                part = history if phase == "selected" else history[history["epoch"] <= epoch]
                phases.append(PhaseResults(part, pd.DataFrame(scores, index=index), confusion))
            results[name] = ConditionResults(name, condition.classes, epoch, phases[0], phases[1])
        return results

    return make


@pytest.fixture(scope="session")
def galaxies() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    count = 120
    redshift = rng.gamma(4, 0.025, count)
    redshift[::17] = np.nan
    return pd.DataFrame(
        {
            "objid": 587727178986356823 + np.arange(count),
            "class": rng.choice(list(FRACTIONS), count, p=list(FRACTIONS.values())),
            "redshift": redshift,
        }
    )


@pytest.fixture(scope="session")
def images(galaxies: pd.DataFrame) -> NDArray[np.float32]:
    rng = np.random.default_rng(12)
    y, x = np.mgrid[:64, :64] - 31.5
    radius = rng.uniform(2, 8, (len(galaxies), 1, 1))
    light = 400 * np.exp(-np.hypot(x, y * rng.uniform(0.9, 2, (len(galaxies), 1, 1))) / radius)
    stamps: NDArray[np.float32] = (light + rng.normal(0, 5.5, light.shape)).astype(np.float32)
    return stamps


@pytest.fixture(scope="session")
def schematic(images: NDArray[np.float32]) -> Schematic:
    rng = np.random.default_rng(13)
    frame = rng.normal(1150, 6, (372, 512))
    frame[200:264, 300:364] += images[0]
    return Schematic(frame, 331.5, 231.5, images[0], "fpC-001729-r3-0083.fit.gz")


@pytest.fixture(scope="session")
def layers() -> list[LayerDrawing]:
    return [
        LayerDrawing("stamps", "input", (64, 64, 1)),
        LayerDrawing("convolution_1", "convolution", (62, 62, 32), "3 × 3, ReLU"),
        LayerDrawing("pooling_1", "pooling", (31, 31, 32), "max, 2 × 2"),
        LayerDrawing("convolution_2", "convolution", (29, 29, 64), "3 × 3, ReLU"),
        LayerDrawing("pooling_2", "pooling", (14, 14, 64), "max, 2 × 2"),
        LayerDrawing("convolution_3", "convolution", (13, 13, 128), "2 × 2, ReLU"),
        LayerDrawing("pooling_3", "pooling", (6, 6, 128), "max, 2 × 2"),
        LayerDrawing("flatten", "flatten", (4608,)),
        LayerDrawing("dense_1", "dense", (1024,), "ReLU"),
        LayerDrawing("dense_2", "dense", (1024,), "ReLU"),
        LayerDrawing("classes", "output", (3,), "softmax"),
    ]


@pytest.fixture(scope="session")
def table2_row() -> dict[str, object]:
    return {"OBJID": 587727178986356823, "RA": "00:00:00.41", "DEC": "-10:22:25.7", "NVOTE": 59, "P_EL": 0.61}
