"""What a large sample of real object ids needs from the archive, and how long planning it takes.

python -m validation.planning LABELS [--release dr17]

LABELS is a CSV or csv.gz with the columns objid_dr7, ra, dec (degrees) and label (S, E, U). It is written as a Table 2,
which the code of `galmorph plan` reads. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from galmorph.sdss.galaxyzoo import COLUMNS, FLAGS
from galmorph.settings.survey import LimitsSettings, SampleSettings, SdssSettings
from galmorph.sources import archive
from galmorph.sources.fetch import Mirror
from galmorph.sources.simulated.survey import write_table2

LETTERS: Final = {"SPIRAL": "S", "ELLIPTICAL": "E", "UNCERTAIN": "U"}


def table2(labels: Path, path: Path) -> None:
    """Write object ids, positions and classes as a Table 2 whose votes are 0."""
    read = pd.read_csv(labels)
    table = pd.DataFrame({"objid": read["objid_dr7"], "ra": read["ra"], "dec": read["dec"]})
    for column in COLUMNS[3:]:
        table[column] = (read["label"] == LETTERS[column]).astype(np.int64) if column in FLAGS else 0
    write_table2(table, path)


def main() -> None:
    """Read the command line, plan, and print the plan and its time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--release", choices=["dr7", "dr17"], default="dr7")
    arguments = parser.parse_args()
    limits = LimitsSettings(ra=None, dec=None, redshift=None, nvote=None)
    sample = SampleSettings(rule="first", galaxies=None, seed=1, limits=limits)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "table2.csv"
        table2(arguments.labels, path)
        settings = SdssSettings(
            release=arguments.release,
            archive=None,
            catalogue=str(path),
            redshifts=None,
            band="r",
            max_missing_fraction=0.05,
        )
        mirror = Mirror(Path(name) / "mirror")
        started = time.perf_counter()
        request = archive.make_request(settings, sample, mirror)
        text = archive.describe(request, settings, sample, mirror)
        print(f"{text}\nplanned in       {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
