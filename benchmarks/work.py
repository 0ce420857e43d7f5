"""The measured work: the thesis's draw of 1,000 galaxies, 7 : 3, with the default network."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galmorph.settings.reading import load_settings
from galmorph.settings.study import Settings

ROOT = Path(__file__).resolve().parent.parent
TRAIN, TEST = 700, 300
BATCH, EVALUATION = 32, 128
WARM_UP = 1
MATRIX = 2048

Part = tuple[NDArray[np.float32], NDArray[np.int32]]


@functools.cache
def settings() -> Settings:
    """Return the thesis's settings."""
    return load_settings(ROOT / "presets/thesis.yaml")


def made_data() -> tuple[Part, Part]:
    """Return stamps of noise, half of them with a bright square; the time does not depend on the images."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, TRAIN + TEST).astype(np.int32)
    images = rng.normal(0, 5, (TRAIN + TEST, 64, 64, 1)).astype(np.float32)
    images[labels == 1, 24:40, 24:40] += 5
    return (images[:TRAIN], labels[:TRAIN]), (images[TRAIN:], labels[TRAIN:])


def multiplications(side: int) -> int:
    """Return the multiply-adds of one forward pass over one image of `side` pixels, as the network is built."""
    network = settings().network
    total, channels = 0, 1
    for filters, kernel in zip(network.filters, network.kernels, strict=True):
        side = side - kernel + 1
        total += side**2 * kernel**2 * channels * filters
        side, channels = side // 2, filters
    units = side**2 * channels
    for following in (*network.dense, 2):
        total += units * following
        units = following
    return total


def floating_point(side: int) -> float:
    """Return the floating-point operations of one run and epoch; training counts three passes, testing one."""
    return 2.0 * multiplications(side) * (3 * TRAIN + TEST)


def has_bf16() -> bool:
    """Return whether the processor multiplies bfloat16; Linux only."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16"} & set(flags))


def processor() -> str:
    """Return the processor's name, its number of cores, and its widest vectors."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    name = next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name"))
    width = "AVX-512" if "avx512f" in text.split() else "AVX2" if "avx2" in text.split() else "no AVX2"
    return f"{name}, {os.cpu_count()} cores, {width}{', bf16' if has_bf16() else ''}"
