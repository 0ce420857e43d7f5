"""A whole sample at one level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.resolution.degrade import Telescope, degrade
from galmorph.resolution.levels import degrade_sample, mix_levels, noise_generator
from galmorph.settings.resolution import LevelSettings
from tests.support.parameters import settings_with

SETTINGS = settings_with({}).resolution
COARSE = SETTINGS.levels["coarse"]
COUNT = 600


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("sample")
    rng = np.random.default_rng(2)
    np.save(folder / "wide.npy", rng.normal(0, 5.5, (COUNT, 128, 128)).astype(np.float32))
    table = {
        "objid": 587727178986356823 + np.arange(COUNT),
        "wide": rng.permutation(COUNT),
        "psf_fwhm": rng.uniform(1.1, 1.9, COUNT),
        "pixel_scale": 0.396,
        "noise": 5.5,
    }
    pd.DataFrame(table).to_parquet(folder / "sample.parquet", index=False)
    return folder / "wide.npy", folder / "sample.parquet"


def made(files: tuple[Path, Path], folder: Path, level: LevelSettings = COARSE) -> Path:
    folder.mkdir(parents=True)
    assert degrade_sample(*files, "coarse", level, SETTINGS, 64, folder / "level.npy", folder) == COUNT
    return folder / "level.npy"


def test_the_same_bytes_for_any_number_of_workers(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALMORPH_WORKERS", "1")
    one = made(files, tmp_path / "one").read_bytes()
    monkeypatch.setenv("GALMORPH_WORKERS", "3")
    assert made(files, tmp_path / "three").read_bytes() == one


def test_row_by_row_it_is_the_galaxy_of_the_sample(files: tuple[Path, Path], tmp_path: Path) -> None:
    images = np.load(made(files, tmp_path / "made"))
    assert images.shape == (COUNT, 64, 64)
    assert images.dtype == np.float32
    wide, sample = np.load(files[0]), pd.read_parquet(files[1])
    for row in (0, 255, 256, COUNT - 1):
        galaxy = sample.iloc[row]
        source = Telescope(galaxy["psf_fwhm"], 0.396, 5.5)
        chance = noise_generator(SETTINGS.seed, COARSE, int(sample["objid"][row]))
        np.testing.assert_array_equal(images[row], degrade(wide[sample["wide"][row]], source, COARSE, chance))


def test_what_cannot_be_shown_names_the_galaxy_and_the_level(files: tuple[Path, Path], tmp_path: Path) -> None:
    quiet = LevelSettings(psf_fwhm=2.6, pixel_scale=0.396, noise=4.0)
    with pytest.raises(GalmorphError, match=r"resolution level coarse, galaxy 5877\d+: noise 4 DN is less than"):
        made(files, tmp_path / "made", quiet)
    assert not (tmp_path / "made" / "level.npy").exists()


def test_noise_belongs_to_the_galaxy_and_the_level_not_to_its_name() -> None:
    first, same = (noise_generator(1, COARSE, 7).normal() for _ in range(2))
    assert first == same
    native = SETTINGS.levels["native"]
    others = [noise_generator(2, COARSE, 7), noise_generator(1, COARSE, 8), noise_generator(1, native, 7)]
    assert first not in [other.normal() for other in others]


def test_a_mixture_has_each_galaxy_at_one_of_the_levels(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        np.save(tmp_path / f"{number}.npy", np.full((300, 4, 4), number, np.float32))
    levels = [tmp_path / f"{number}.npy" for number in (1, 2, 3)]
    mix_levels(levels, range(300), 5, tmp_path / "mixed.npy")
    mixed = np.load(tmp_path / "mixed.npy")
    assert (mixed == mixed[:, :1, :1]).all()
    counts = np.bincount(mixed[:, 0, 0].astype(int), minlength=4)[1:]
    assert counts.sum() == 300
    assert counts.min() > 70
    mix_levels(levels, range(300), 5, tmp_path / "again.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), mixed)
