"""A whole sample at one level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.resolution import levels
from galmorph.resolution.degrade import Telescope, degrade
from galmorph.resolution.levels import degrade_sample, mix_levels, noise_generator
from galmorph.settings.resolution import LevelSettings
from tests.support.parameters import settings_with

SETTINGS = settings_with({}).resolution
COARSE = SETTINGS.levels["coarse"]
COUNT = 20


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Wide stamps and a sample of three blocks."""
    monkeypatch.setattr(levels, "STAMPS_PER_BLOCK", 8)
    rng = np.random.default_rng(2)
    np.save(tmp_path / "wide.npy", rng.normal(0, 5.5, (COUNT, 128, 128)).astype(np.float32))
    table = {
        "objid": 587727178986356823 + np.arange(COUNT),
        "wide": rng.permutation(COUNT),
        "psf_fwhm": rng.uniform(1.1, 1.9, COUNT),
        "pixel_scale": 0.396,
        "noise": 5.5,
    }
    pd.DataFrame(table).to_parquet(tmp_path / "sample.parquet", index=False)
    return tmp_path / "wide.npy", tmp_path / "sample.parquet"


def test_row_by_row_it_is_the_galaxy_of_the_sample(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert degrade_sample(*files, "coarse", COARSE, SETTINGS, 64, tmp_path / "level.npy", tmp_path) == COUNT
    images, wide, sample = np.load(tmp_path / "level.npy"), np.load(files[0]), pd.read_parquet(files[1])
    assert (images.shape, images.dtype) == ((COUNT, 64, 64), np.float32)
    for image, galaxy in zip(images, sample.to_dict("records"), strict=True):
        source = Telescope(galaxy["psf_fwhm"], 0.396, 5.5)
        rng = noise_generator(SETTINGS.seed, COARSE, galaxy["objid"])
        np.testing.assert_array_equal(image, degrade(wide[galaxy["wide"]], source, COARSE, rng, common_noise=7.0))


def test_what_cannot_be_shown_names_the_galaxy_and_the_level(files: tuple[Path, Path], tmp_path: Path) -> None:
    quiet = LevelSettings(psf_fwhm=2.6, pixel_scale=0.396, noise=None)
    settings = SETTINGS.model_copy(update={"common_noise": 4.0})
    with pytest.raises(GalmorphError, match=r"resolution level coarse, galaxy 5877\d+: common_noise 4 DN is less than"):
        degrade_sample(*files, "coarse", quiet, settings, 64, tmp_path / "level.npy", tmp_path)
    assert not (tmp_path / "level.npy").exists()


def test_noise_belongs_to_the_galaxy_and_the_level_not_to_its_name() -> None:
    first, same = (noise_generator(1, COARSE, 7).normal() for _ in range(2))
    assert first == same
    native = SETTINGS.levels["native"]
    others = [noise_generator(2, COARSE, 7), noise_generator(1, COARSE, 8), noise_generator(1, native, 7)]
    assert first not in [other.normal() for other in others]


def test_a_mixture_has_each_galaxy_at_one_of_the_levels(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.npy" for number in (1, 2, 3)]
    for number, path in enumerate(paths, start=1):
        np.save(path, np.full((300, 4, 4), number, np.float32))
    for name in ("mixed.npy", "again.npy"):
        mix_levels(paths, range(300), 5, tmp_path / name)
    mixed = np.load(tmp_path / "mixed.npy")
    assert (mixed == mixed[:, :1, :1]).all()
    numbers, counts = np.unique(mixed[:, 0, 0], return_counts=True)
    assert (numbers.tolist(), counts.sum()) == ([1, 2, 3], 300)
    assert counts.min() > 70
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), mixed)
