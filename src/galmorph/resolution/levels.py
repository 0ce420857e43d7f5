"""The stamps of the resolution sample at one level, made by many processes, and mixtures of levels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.files.datafiles import open_stamps, read_table
from galmorph.parallel.workers import spread
from galmorph.resolution.degrade import Telescope, degrade
from galmorph.settings.resolution import LevelSettings, ResolutionSettings
from galmorph.stamps.pixels import cut
from galmorph.stamps.stampset import pixel_hash, write_array

STAMPS_PER_BLOCK = 256
LEVEL_CODE = ("files", "resolution", "sdss", "stamps")  # decides the stamps of a level


def noise_generator(seed: int, level: LevelSettings, objid: int) -> np.random.Generator:
    """Return the generator of the noise of one galaxy at one level, which does not depend on the level's name."""
    digest = hashlib.sha256(level.model_dump_json(exclude={"stamps"}).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big"), objid])


def degrade_sample(
    wide: Path,
    sample: Path,
    name: str,
    level: LevelSettings,
    settings: ResolutionSettings,
    size: int,
    destination: Path,
    partial: Path,
) -> int:
    """Write a level's stamps; the same bytes for any number of workers.

    Parameters
    ----------
    wide
        wide.npy: (m, wide_size, wide_size) float32, DN. An absolute path, for the workers.
    sample
        Parquet file of the resolution sample (`galmorph.resolution.sample.resolution_sample`). An absolute path.
    name, level
        The level, and what messages call it.
    settings
        Kernel, grid, common noise and seed.
    size
        Side of the stamps, pixels.
    destination
        A .npy file: (n, size, size) float32, DN, (y, x); row i is the galaxy of row i of the sample.
    partial
        An empty folder, absolute, for the blocks.

    Returns
    -------
    The number of stamps.

    Raises
    ------
    GalmorphError
        If a galaxy cannot be shown at this level, with its object id.
    """
    count = len(read_table(sample, ["objid"]))
    starts = range(0, count, STAMPS_PER_BLOCK)
    blocks = [partial / f"{start:07d}.npy" for start in starts]
    jobs = [
        (wide, sample, start, name, level, settings, size, block) for start, block in zip(starts, blocks, strict=True)
    ]
    for _ in spread(_degrade_block, jobs, label=f"level {name}", unit="block", code=LEVEL_CODE):
        pass
    write_array(destination, _images(blocks), count, size)
    return count


def sample_pixels(wide: Path, sample: Path, size: int) -> dict[str, int]:
    """Return the hash of the native stamp, (size, size), of each galaxy of the sample, and its object id.

    Parameters
    ----------
    wide, sample
        wide.npy, whose middles the stamps are, and sample.parquet.
    """
    images = open_stamps(wide)
    middle = images.shape[1] // 2
    galaxies = read_table(sample, ["objid", "wide"])
    stamps = (cut(images[number], middle, middle, size) for number in galaxies["wide"].tolist())
    pairs = zip(stamps, galaxies["objid"].tolist(), strict=True)
    return {pixel_hash(stamp): objid for stamp, objid in pairs if stamp is not None}


def _images(blocks: list[Path]) -> Iterator[NDArray[np.float32]]:
    for block in blocks:
        yield from np.load(block, mmap_mode="r")


def _degrade_block(
    wide: Path,
    sample: Path,
    start: int,
    name: str,
    level: LevelSettings,
    settings: ResolutionSettings,
    size: int,
    destination: Path,
) -> None:
    """Degrade the galaxies from row `start` of the sample on, in a worker process."""
    images = open_stamps(wide)
    columns = ["objid", "wide", "psf_fwhm", "pixel_scale", "noise"]
    galaxies = read_table(sample, columns).iloc[start : start + STAMPS_PER_BLOCK]
    stamps = np.empty((len(galaxies), size, size), np.float32)
    rows = zip(stamps, *(galaxies[column].tolist() for column in columns), strict=True)
    for stamp, objid, number, psf_fwhm, pixel_scale, noise in rows:
        source = Telescope(psf_fwhm, pixel_scale, noise)
        rng = noise_generator(settings.seed, level, objid)
        try:
            stamp[:] = degrade(
                images[number],
                source,
                level,
                rng,
                kernel=settings.kernel,
                grid=settings.grid,
                size=size,
                common_noise=settings.common_noise,
            )
            if not np.isfinite(stamp).all():
                raise GalmorphError("its pixels are not finite at this level; lower its noise")
        except GalmorphError as error:
            raise GalmorphError(f"resolution level {name}, galaxy {objid}: {error}") from None
    np.save(destination, stamps)


def mix_levels(levels: Sequence[Path], objids: Sequence[int], seed: int, destination: Path) -> None:
    """Write stamps, each taken from one of the levels, drawn by the seed and the galaxy.

    Parameters
    ----------
    levels
        Stamps of the same galaxies, row by row.
    objids
        Of the galaxies.
    destination
        A .npy file.
    """
    opened = [open_stamps(level) for level in levels]
    drawn = (opened[np.random.default_rng([seed, objid]).integers(len(opened))][i] for i, objid in enumerate(objids))
    write_array(destination, drawn, len(objids), opened[0].shape[-1])
