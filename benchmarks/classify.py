"""Classifying new stamps: FITS files of 64 x 64 pixels to class probabilities, with the thesis's network."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

from benchmarks.work import ROOT, settings

STAMPS = (4096, 16384)  # files: the difference of two times excludes the start of processes and of TensorFlow
AT_ONCE = 2048  # stamps in an array, for one network alone
NETWORKS = 5  # training.keep_weights of presets/thesis.yaml


def write_study(folder: Path, networks: int) -> None:
    """Write a study whose condition two_class kept a number of networks; untrained ones compute the same."""
    from galmorph.training.network import build_network, save_weights
    from galmorph.training.records import Record, record_name, save_record, weights_name

    (folder / "params.yaml").write_bytes((ROOT / "presets/thesis.yaml").read_bytes())
    confirmed = folder / "models/two_class/confirmed"
    confirmed.mkdir(parents=True)
    blocks = {"network": settings().network, "training": settings().training}
    parameters = {
        f"{name}.{key}": value for name, block in blocks.items() for key, value in block.model_dump(mode="json").items()
    }
    nothing = np.empty((0, 2), np.uint8)
    for run in range(1, networks + 1):
        record = Record(
            "two_class", "confirmed", run, ("spiral", "elliptical"), "", parameters, {}, 5.0, {}, nothing, {}
        )
        save_record(confirmed / record_name(run), record)
        model = build_network(settings().network, 64, 2)
        save_weights(confirmed / weights_name(run), settings().network, 64, 2, model.get_weights())


def write_stamps(folder: Path, count: int) -> None:
    """Write stamps of a galaxy in noise, sky included."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] - 31.5
    light = 300 * np.exp(-np.hypot(x, y) / 4)
    for number in range(count):
        image = (light + rng.normal(100, 5, (64, 64))).astype(np.float32)
        fits.PrimaryHDU(image).writeto(folder / f"{number:06d}.fits")


def seconds(project: Path, stamps: Path) -> float:
    """Return the time of `galmorph classify` without its figure, on all cores."""
    from galmorph.classify.batch import classify_targets
    from galmorph.classify.targets import stamp_targets
    from galmorph.classify.trained import read_ensemble

    ensemble = read_ensemble("two_class", project)
    started = time.perf_counter()
    targets = stamp_targets(stamps, None, ensemble.stamps, ensemble.cutouts)
    classify_targets(targets, ensemble, project)
    return time.perf_counter() - started


def alone(project: Path) -> float:
    """Return the stamps per second of one network in one process, from an array."""
    from galmorph.classify.trained import read_ensemble

    ensemble = read_ensemble("two_class", project)
    stamps = np.random.default_rng(0).normal(0, 5, (AT_ONCE, 64, 64)).astype(np.float32)
    ensemble.probabilities(stamps[:256])
    started = time.perf_counter()
    ensemble.probabilities(stamps)
    return AT_ONCE / (time.perf_counter() - started)


def rows() -> list[tuple[str, float, float]]:
    """Return rows of (what, stamps per second, its lower limit)."""
    from galmorph.training.engine import prepare_device

    prepare_device()
    with tempfile.TemporaryDirectory(prefix="galmorph-") as name:
        folder = Path(name)
        for count in STAMPS:
            write_stamps(folder / str(count), count)
        rates = {}
        for networks in (1, NETWORKS):
            project = folder / f"study-{networks}"
            project.mkdir()
            write_study(project, networks)
            few, many = (seconds(project, folder / str(count)) for count in STAMPS)
            rates[networks] = (STAMPS[1] - STAMPS[0]) / (many - few)
            print(f"  {networks} networks: {few:.1f} s for {STAMPS[0]} files, {many:.1f} s for {STAMPS[1]}", flush=True)
        one = alone(folder / "study-1")
    return [
        ("classify: stamps of files a second, one network, all cores", rates[1], 1000),
        (f"classify: the same, {NETWORKS} networks, times the networks", NETWORKS * rates[NETWORKS], 1000),
        ("classify: stamps of an array a second, one network, one process", one, 1000),
    ]
