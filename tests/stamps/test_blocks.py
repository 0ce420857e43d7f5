import functools

import numpy as np
import pandas as pd
import pytest

from galmorph.sdss.galaxyzoo import VOTES
from galmorph.settings.study import CutoutSettings
from galmorph.stamps.blocks import make_blocks
from galmorph.stamps.stampset import Stamp

SETTINGS = CutoutSettings(stamp_size=16, wide_size=32, sky_inner=16, sky_outer=32, max_rejected_fraction=0.5)
COUNT = 10


def work(requests, journal, level):
    """Make stamps whose pixels hold their row plus `level`; append the rows to a journal."""
    for row in requests["row"].tolist():
        with journal.open("a") as file:
            file.write(f"{row}\n")
        image = np.full((16, 16), row + level, np.float32)
        yield Stamp(row, image, None, "f", 1.0, 2.0, 1.3, 0.396, 0.0, 1.0)


@pytest.fixture
def catalogue():
    table = pd.DataFrame({"objid": np.arange(COUNT), "ra": 1.0, "dec": 2.0, "class": "spiral"})
    table["nvote"] = np.full(COUNT, 40, dtype=np.int32)
    return table.assign(**{vote.lower(): 0.5 for vote in VOTES}, redshift=0.1)


def test_finished_blocks_are_reused_and_those_of_other_settings_are_not(tmp_path, catalogue, monkeypatch):
    requests = [pd.DataFrame({"row": rows}) for rows in np.array_split(np.arange(COUNT), [3, 6, 9])]
    journal, partial = tmp_path / "journal", tmp_path / "partial"

    def make(level):
        part = functools.partial(work, journal=journal, level=level)
        return make_blocks(requests, part, lambda: [catalogue], tmp_path / "set", SETTINGS, partial, "stamps")

    def interrupted(level):
        """Make all blocks, and stop before they are joined."""

        def stop(*arguments):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("galmorph.stamps.blocks.write_stamp_set", stop)
            with pytest.raises(KeyboardInterrupt):
                make(level)

    interrupted(0.0)
    assert len(list(partial.glob("*/0*"))) == 4
    # As if the process had been killed while it wrote the second block.
    torn = next(partial.glob("*/000001"))
    torn.rename(torn.with_name(".partial.0"))
    journal.write_text("")
    assert make(0.0) == (COUNT, 0)
    assert journal.read_text().split() == ["3", "4", "5"]
    assert not partial.exists()
    np.testing.assert_array_equal(np.load(tmp_path / "set" / "images.npy")[:, 0, 0], np.arange(COUNT))

    interrupted(0.0)
    journal.write_text("")
    assert make(0.5) == (COUNT, 0)
    assert len(journal.read_text().split()) == COUNT
    np.testing.assert_array_equal(np.load(tmp_path / "set" / "images.npy")[:, 0, 0], np.arange(COUNT) + 0.5)
