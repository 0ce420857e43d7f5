"""Time and memory of the simulated survey, for the samples of the quick preset and of the thesis."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.work import ROOT

SAMPLES = ((3000, 60.0), (15000, 360.0))  # galaxies, and the upper limit of their seconds
MEMORY_GROWTH = 1.1

SURVEY = """
import resource, sys, time
from pathlib import Path
from galmorph.settings.reading import load_settings
from galmorph.sources.simulated import acquire

if __name__ == "__main__":
    settings = load_settings(Path(sys.argv[1])).simulated.model_copy(update={"galaxies": int(sys.argv[2])})
    started = time.perf_counter()
    acquire(settings, Path(sys.argv[3]))
    print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6)
"""


def survey(galaxies: int) -> tuple[float, float]:
    """Return the seconds of a survey, and the peak memory (GB) of a worker."""
    with tempfile.TemporaryDirectory(prefix="galmorph-") as name:
        script = Path(name) / "survey.py"
        script.write_text(SURVEY, encoding="utf-8")
        raw = Path(name) / "raw"
        raw.mkdir()
        command = [sys.executable, str(script), str(ROOT / "params.yaml"), str(galaxies), str(raw)]
        seconds, memory = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        return float(seconds), float(memory)


def rows() -> list[tuple[str, float, float]]:
    """Return rows of (what, value, its upper limit)."""
    table, memory = [], []
    for galaxies, bound in SAMPLES:
        seconds, held = survey(galaxies)
        table.append((f"simulated survey, {galaxies} galaxies, s", seconds, bound))
        memory.append(held)
    print(f"  peak memory of a worker: {' and '.join(f'{held:.2f}' for held in memory)} GB", flush=True)
    return [*table, ("its memory at five times as many galaxies, ratio", memory[1] / memory[0], MEMORY_GROWTH)]
