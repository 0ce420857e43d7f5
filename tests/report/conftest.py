"""A synthetic study: learning curves, scores and confusion matrices as a campaign would leave them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from galmorph.report import comparisons
from galmorph.report.build import build
from galmorph.report.figures import style
from galmorph.report.figures.network import LayerDrawing
from galmorph.report.figures.stamps import Schematic
from galmorph.report.study import ConditionResults, Study
from galmorph.settings.reading import parse_settings
from galmorph.settings.study import Settings
from tests.support.parameters import settings_with
from tests.support.resolution import made_resolution
from tests.support.study import GALAXIES, made_study, results_of, rows_by_class, study_of

SettingsFactory = Callable[..., Settings]
ResultsFactory = Callable[..., dict[str, ConditionResults]]


@pytest.fixture(scope="session")
def make_settings() -> SettingsFactory:
    """Settings of the quick preset with `protocol.runs` and others replaced; conditions: names to keep."""
    base = json.loads(settings_with({}).model_dump_json())

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


@pytest.fixture(scope="session")
def study(make_settings: SettingsFactory) -> Study:
    """A whole study: all four conditions, 5 runs."""
    return study_of(make_settings())


@pytest.fixture(scope="session")
def compared(study: Study) -> pd.DataFrame:
    """Its comparisons."""
    return comparisons.compare(study)


@pytest.fixture(scope="session")
def make_results() -> ResultsFactory:
    """Results of the same records."""

    def make(settings: Settings, seed: int = 7) -> dict[str, ConditionResults]:
        return results_of(made_study(settings, seed))

    return make


@pytest.fixture(scope="session")
def galaxies() -> pd.DataFrame:
    """As many, and in the order of classes, as the records are of."""
    rng = np.random.default_rng(11)
    classes = np.empty(GALAXIES, dtype=object)
    for name, rows in rows_by_class().items():
        classes[rows] = name
    redshift = rng.gamma(4, 0.025, GALAXIES)
    redshift[::17] = np.nan
    return pd.DataFrame(
        {
            "objid": 587727178986356823 + np.arange(GALAXIES),
            "ra": 150.0,
            "dec": 20.0,
            "class": pd.Series(classes, dtype="str"),
            "nvote": 40,
            "p_cs": rng.random(GALAXIES),
            "p_el": 0.1,
            "redshift": redshift,
            "frame": "fpC-001729-r3-0083.fit.gz",
        }
    )


@pytest.fixture(scope="session")
def images(galaxies: pd.DataFrame) -> NDArray[np.float32]:
    rng = np.random.default_rng(12)
    y, x = np.mgrid[:64, :64] - 31.5
    radius = rng.uniform(2, 8, (120, 1, 1))
    light = 400 * np.exp(-np.hypot(x, y * rng.uniform(0.9, 2, (120, 1, 1))) / radius)
    stamps: NDArray[np.float32] = (light + rng.normal(0, 5.5, light.shape)).astype(np.float32)
    return stamps[np.arange(len(galaxies)) % 120]


@pytest.fixture(scope="session")
def schematic(images: NDArray[np.float32]) -> Schematic:
    rng = np.random.default_rng(13)
    frame = rng.normal(1150, 6, (372, 512))
    frame[200:264, 300:364] += images[0]
    return Schematic(frame, 331.5, 231.5, images[0], "fpC-001729-r3-0083.fit.gz")


@pytest.fixture(scope="session")
def layers() -> list[LayerDrawing]:
    return [
        LayerDrawing("input", (64, 64, 1)),
        LayerDrawing("convolution", (62, 62, 32), "3 × 3, ReLU"),
        LayerDrawing("pooling", (31, 31, 32), "max, 2 × 2"),
        LayerDrawing("convolution", (29, 29, 64), "3 × 3, ReLU"),
        LayerDrawing("pooling", (14, 14, 64), "max, 2 × 2"),
        LayerDrawing("convolution", (13, 13, 128), "2 × 2, ReLU"),
        LayerDrawing("pooling", (6, 6, 128), "max, 2 × 2"),
        LayerDrawing("flatten", (4608,)),
        LayerDrawing("dense", (1024,), "ReLU"),
        LayerDrawing("dense", (1024,), "ReLU"),
        LayerDrawing("output", (3,), "softmax"),
    ]


@pytest.fixture(scope="session")
def table2_row() -> dict[str, object]:
    return {"OBJID": 587727178986356823, "RA": "00:00:00.41", "DEC": "-10:22:25.7", "NVOTE": 59, "P_EL": 0.61}


def write_words(figure: Figure, folder: Path, name: str, dpi: int, note: str | None = None) -> None:
    """Write the words of a figure in place of its pictures, which take most of a report's time.

    Laying them out warns, as drawing does, of a letter that the font lacks.
    """
    with style.house():
        texts: list[Text] = figure.findobj(Text)
        renderer = FigureCanvasAgg(figure).get_renderer()
        for text in texts:
            text.get_window_extent(renderer)
    words = "\n".join([text.get_text() for text in texts] + [note or ""]) + "\n"
    for ending in ("png", "svg"):
        (folder / f"{name}.{ending}").write_text(f'<svg width="288pt">\n{words}</svg>\n', encoding="utf-8")


@pytest.fixture(scope="session")
def build_report(
    galaxies: pd.DataFrame,
    images: NDArray[np.float32],
    schematic: Schematic,
    table2_row: dict[str, object],
    layers: list[LayerDrawing],
) -> Callable[..., Path]:
    """Build a report of a made-up study; its figures are drawn, or hold their words alone."""

    def run(settings: Settings, folder: Path, draw: bool = False, resolution: bool = True, **changes: Any) -> Path:
        arguments: dict[str, Any] = {
            "study": dataclasses.replace(study_of(settings), resolution=made_resolution() if resolution else None),
            "galaxies": galaxies,
            "images": images,
            "schematic": schematic,
            "table2_row": table2_row,
            "layers": layers,
            "resolution_examples": None,
            "provenance": {"data/cutouts (md5)": "0123abcd"},
            "folder": folder,
        }
        with pytest.MonkeyPatch.context() as patch:
            if not draw:
                patch.setattr(style, "save", write_words)
            build(**(arguments | changes))
        return folder

    return run


@pytest.fixture(scope="session")
def whole(
    build_report: Callable[..., Path], make_settings: SettingsFactory, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The report of a simulated survey, all four conditions, with every figure drawn: the one that takes long."""
    return build_report(make_settings(), tmp_path_factory.mktemp("whole") / "reports", draw=True)
