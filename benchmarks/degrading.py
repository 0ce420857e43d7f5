"""Showing 15,000 galaxies at another resolution, compared with astropy and GalSim."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.work import settings
from galmorph.resolution.degrade import Telescope, degrade
from galmorph.resolution.kernels import FWHM, kernel_width
from galmorph.resolution.levels import degrade_sample
from galmorph.settings.resolution import LevelSettings

GALAXIES = 15_000
EACH = 60  # stamps, one by one
LEVEL = LevelSettings(psf_fwhm=2.6, pixel_scale=0.396, noise=7.0)


def rows() -> list[tuple[str, float, float]]:
    """Return rows of (what, value, its upper limit)."""
    with tempfile.TemporaryDirectory(prefix="galmorph-") as name:
        folder = Path(name)
        rng = np.random.default_rng(1)
        wide = np.lib.format.open_memmap(folder / "wide.npy", "w+", np.float32, (GALAXIES, 128, 128))
        for start in range(0, GALAXIES, 500):
            wide[start : start + 500] = rng.normal(0, 5.5, (500, 128, 128))
        wide.flush()
        sample = {
            "objid": range(GALAXIES),
            "wide": range(GALAXIES),
            "psf_fwhm": rng.uniform(1.1, 1.9, GALAXIES),
            "pixel_scale": 0.396,
            "noise": 5.5,
        }
        pd.DataFrame(sample).to_parquet(folder / "sample.parquet")
        files = (folder / "wide.npy", folder / "sample.parquet")
        started = time.perf_counter()
        degrade_sample(*files, "bench", LEVEL, settings().resolution, 64, folder / "level.npy", folder)
        seconds = time.perf_counter() - started
        print(f"  {GALAXIES / seconds:.0f} stamps a second; one alone, ms: {_one_by_one(wide[:EACH])}", flush=True)
    return [(f"degrading: seconds for {GALAXIES} stamps", seconds, 60)]


def _one_by_one(wide: Any) -> str:
    import galsim
    from astropy.convolution import Gaussian2DKernel, convolve_fft

    width = kernel_width(1.4, 2.6, "gaussian")
    kernel, gaussian = Gaussian2DKernel(width / FWHM / 0.396), galsim.Gaussian(fwhm=width)
    rng = np.random.default_rng(2)

    def ours(image: Any) -> None:
        degrade(image, Telescope(1.4, 0.396, 5.5), LEVEL, rng)

    def astropys(image: Any) -> None:
        convolve_fft(image, kernel, boundary="wrap")

    def galsims(image: Any) -> None:
        seen = galsim.InterpolatedImage(galsim.Image(image.astype(np.float64), scale=0.396), flux=1.0)
        galsim.Convolve(seen, gaussian).drawImage(nx=64, ny=64, scale=0.396, method="no_pixel")

    taken = []
    for name, way in (("ours, with noise", ours), ("astropy, no noise", astropys), ("GalSim, no noise", galsims)):
        way(wide[0])
        started = time.perf_counter()
        for image in wide:
            way(image)
        taken.append(f"{name} {1e3 * (time.perf_counter() - started) / len(wide):.1f}")
    return "; ".join(taken)
