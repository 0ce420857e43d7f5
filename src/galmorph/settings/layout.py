"""Paths of the pipeline's files, relative to the project's root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from galmorph.settings.reading import load_settings
from galmorph.settings.resolution import TRANSFER
from galmorph.settings.study import Settings

PARAMS = Path("params.yaml")
EXTERNAL = Path("data/external")  # the user's own data
RAW = Path("data/raw")
CUTOUTS = Path("data/cutouts")
IMAGES = CUTOUTS / "images.npy"
WIDE = CUTOUTS / "wide.npy"
GALAXIES = CUTOUTS / "galaxies.parquet"
REJECTED = CUTOUTS / "rejected.csv"
RESOLUTION = Path("data/resolution")
RESOLUTION_SAMPLE = RESOLUTION / "sample.parquet"
RESOLUTION_LEFT_OUT = RESOLUTION / "left_out.csv"
RESOLUTION_SPLIT = RESOLUTION / "split.parquet"
MODELS = Path("models")
REPORTS = Path("reports")
SUMMARY = REPORTS / "summary.csv"
METRICS = REPORTS / "metrics"
ANSWERS = REPORTS / "answers.txt"
REPORTED = REPORTS / "tables" / "records.csv"  # the records that the report is made from
PAGE = REPORTS / "report.html"
PARTIAL = Path(".galmorph/partial")
BLOCKS = PARTIAL / "blocks"  # of stamps
ARCHIVE = Path(".galmorph/archive")  # what has been downloaded, for all samples
LOCKS = Path(".galmorph/locks")  # one for each stage, held while it works
LOGS = Path(".galmorph/logs")
EPOCH = "epoch.json"


def load_params() -> Settings:
    """Read the params.yaml of the working directory."""
    return load_settings(PARAMS)


def split_path(condition: str) -> Path:
    """Return the path of a condition's split."""
    return Path("data/splits") / f"{condition}.parquet"


def records_folder(condition: str, phase: str) -> Path:
    """Return the folder of the records of one phase of a condition."""
    return MODELS / condition / phase


def baseline_folder(condition: str) -> Path:
    """Return the folder of a condition's baselines, each with a folder of records."""
    return MODELS / condition / "baselines"


def store_root() -> Path:
    """Return the checkout whose store is used.

    In a temporary copy (`dvc exp run --temp` and `--queue`) DVC_ROOT names the checkout, whose store outlives the copy.
    """
    return Path(os.environ.get("DVC_ROOT", "."))


def level_folder(level: str) -> Path:
    """Return the folder of a level: its images.npy and, if it is another survey, its galaxies."""
    return RESOLUTION / "levels" / level


def level_path(level: str) -> Path:
    """Return the path of the stamps of a level."""
    return level_folder(level) / "images.npy"


def level_galaxies(level: str) -> Path:
    """Return the path of the galaxies of a level that is another survey."""
    return level_folder(level) / "galaxies.parquet"


def level_split(level: str) -> Path:
    """Return the path of the split of a level: that of the resolution sample, unless it is another survey."""
    return RESOLUTION / "splits" / f"{level}.parquet"


def mixture_path(remedy: str) -> Path:
    """Return the path of the stamps on which a remedy trains."""
    return RESOLUTION / "mixtures" / f"{remedy}.npy"


def transfer_folder(trained: str, phase: str) -> Path:
    """Return the folder of the records of a level or remedy; the phase may be "tested" too."""
    return MODELS / TRANSFER / trained / phase


@contextmanager
def fresh_folder(name: str) -> Iterator[Path]:
    """Create an empty folder for a stage's work, outside everything that DVC tracks; it is removed at the end.

    The path is absolute: the workers of a cluster have another working directory on the same file system. It is new
    each time: a worker may still be busy with a job of a process that was killed.
    """
    place = PARTIAL.resolve() / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        yield Path(tempfile.mkdtemp(dir=place))
    except OSError as error:
        # pyarrow and numpy do not say which file found no room.
        error.filename = error.filename or str(place)
        raise
    finally:
        shutil.rmtree(place, ignore_errors=True)
