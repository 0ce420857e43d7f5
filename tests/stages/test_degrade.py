from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galmorph.settings.layout import RESOLUTION_SAMPLE, WIDE
from galmorph.settings.survey import StampsSettings
from galmorph.stages import degrade
from tests.support.parameters import settings_with

COUNT, SHARED = 12, 3
FIRST = 587727178986356823  # more digits than a float64 has


def test_another_survey_loses_the_galaxies_on_which_networks_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(degrade, "require_tracked", lambda settings: None)
    rng = np.random.default_rng(4)
    yy, xx = np.mgrid[:128, :128] - 64
    ids = [FIRST + index for index in range(COUNT)]
    Path("pictures").mkdir()
    for objid in ids:
        picture = 500 * np.exp(-(xx**2 + yy**2) / 200) + rng.normal(20, 2, (128, 128))
        np.save(f"pictures/{objid}.npy", picture.astype(np.float32))
    rows = [f"{objid}.npy,spiral,{objid}\n" for objid in ids]
    Path("labels.csv").write_text("stamp,class,objid\n" + "".join(rows))
    stamps = StampsSettings.model_validate(
        {
            "folder": "pictures",
            "labels": "labels.csv",
            "colour": "mean",
            "field": "centre",
            "resampling": "area",
            "pixel_scale": 0.396,
            "psf_fwhm": None,
        }
    )
    settings = settings_with({"cutouts.max_rejected_fraction": 0.5})

    def cut(name: str) -> tuple[list[int], pd.DataFrame]:
        work = tmp_path / f"work-{name}"
        work.mkdir()
        degrade.cut_other_survey(settings, name, stamps, tmp_path / name, work)
        table = pd.read_parquet(tmp_path / name / "galaxies.parquet")
        return table["objid"].tolist(), pd.read_csv(tmp_path / name / "rejected.csv")

    # The training survey has three of these galaxies, and one of another survey.
    WIDE.parent.mkdir(parents=True)
    RESOLUTION_SAMPLE.parent.mkdir(parents=True)
    np.save(WIDE, rng.normal(0, 2, (1, 128, 128)).astype(np.float32))
    own = pd.DataFrame({"objid": [7], "wide": [0]})
    own.to_parquet(RESOLUTION_SAMPLE)
    kept, _ = cut("alone")
    assert kept == ids
    images = np.load("alone/images.npy")
    wide = np.zeros((1 + SHARED, 128, 128), np.float32)
    wide[1:, 32:96, 32:96] = images[:SHARED]
    np.save(WIDE, wide)
    pd.concat([own, pd.DataFrame({"objid": ids[:SHARED], "wide": range(1, 1 + SHARED)})]).to_parquet(RESOLUTION_SAMPLE)
    kept, rejected = cut("level")
    assert kept == ids[SHARED:]
    assert rejected["objid"].tolist() == ids[:SHARED]
    reasons = [f"same pixels as a galaxy of the training survey: {objid}" for objid in ids[:SHARED]]
    assert rejected["reason"].tolist() == reasons
    assert len(np.load("level/images.npy")) == COUNT - SHARED
