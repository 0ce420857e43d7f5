"""Files: truncated, bit-flipped, empty, a web page, another file under the right name.

What must be kept: no wrong pixel, label or score is taken; the message names the file.
"""

import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from PIL import Image

from galmorph.errors import GalmorphError
from galmorph.files.datafiles import open_stamps, read_table
from galmorph.sdss.frames import read_psf_width
from galmorph.sdss.galaxyzoo import read_table2
from galmorph.settings.reading import load_settings
from galmorph.sources.manifest import verify, write_manifest
from galmorph.sources.pictures import UnusableStampError, read_picture
from galmorph.training.engine import prepare_device
from galmorph.training.network import load_weights, save_weights
from galmorph.training.records import load_record, save_record
from galmorph.training.run import parts_of
from tests.support.campaigns import made_campaign
from tests.support.damage import DAMAGES, damage, empty, flipped, page, truncated, without_its_end
from tests.support.frames import objid, table2_row, write_table2, write_tsfield
from tests.support.parameters import ROOT, SMALL_NETWORK, settings_with
from tests.support.records import made_record

pytestmark = pytest.mark.fault

damaged = pytest.mark.parametrize("how", DAMAGES, ids=lambda how: how.__name__)


RNG = np.random.default_rng(1)
PICTURE = RNG.integers(0, 255, (40, 40)).astype(np.uint8)


def colour(path):
    return read_picture(path, "green")


# By file name, how the file is written and read.
FILES: dict[str, tuple[Any, Any]] = {
    "tsField-001729-3-40-0083.fit": (
        lambda path: write_tsfield(path.parent).rename(path),
        lambda path: read_psf_width(path, "r"),
    ),
    "table2.csv": (
        lambda path: write_table2(path, [table2_row(objid(number), 150, 20) for number in range(1, 40)]),
        read_table2,
    ),
    "images.npy": (lambda path: np.save(path, RNG.normal(0, 5, (5, 16, 16)).astype(np.float32)), open_stamps),
    "galaxies.parquet": (lambda path: pd.DataFrame({"objid": range(500)}).to_parquet(path), read_table),
    "params.yaml": (lambda path: shutil.copy(ROOT / "params.yaml", path), load_settings),
    "one.fits": (lambda path: fits.PrimaryHDU(PICTURE).writeto(path), colour),
    "one.npy": (lambda path: np.save(path, PICTURE), colour),
    "one.png": (lambda path: Image.fromarray(PICTURE).save(path), colour),
    "one.jpg": (lambda path: Image.fromarray(PICTURE).save(path), colour),
}


@pytest.mark.parametrize("name", FILES)
@damaged
def test_a_damaged_file(tmp_path, name, how):
    write, read = FILES[name]
    write(tmp_path / name)
    read(tmp_path / name)
    write_manifest(tmp_path, {})
    damage(tmp_path / name, how)
    try:
        read(tmp_path / name)
    except GalmorphError as error:
        assert name in str(error)  # noqa: PT017
    except UnusableStampError as error:
        assert str(error).startswith("stamp unreadable")  # noqa: PT017
    else:
        # No reader can notice another digit or pixel, padding cut off, or a last line or block that is missing.
        assert how in (flipped, without_its_end) or (how is truncated and name in ("table2.csv", "one.jpg"))
    assert len(verify(tmp_path)[1]) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda split: split.assign(row=150), "rows beyond the 150 stamps"),
        (lambda split: split.assign(row=-1), "rows beyond the 150 stamps"),
        (lambda split: split.assign(**{"class": "quasar"}), "classes other than spiral, elliptical, uncertain"),
        (lambda split: split.assign(part="train"), "no galaxies that train, or none that test"),
        (lambda split: split.assign(run=7), "no galaxies that train, or none that test"),
        (lambda split: split.drop(columns="phase"), "no column phase"),
        (lambda split: pd.concat([split, split]), "a galaxy twice in one part, in run 1 of the confirmed"),
        (
            lambda split: pd.concat([split, split[split["part"] == "test"].assign(part="train")]),
            "galaxies that train and test, in run 1 of the confirmed",
        ),
        (
            lambda split: pd.concat([split, split[split["part"] == "test"].assign(part="common_uncertain")]),
            "spiral, elliptical, uncertain in the part common_uncertain",
        ),
    ],
    ids=["too large", "negative", "class", "no test", "no run", "column", "twice", "trains and tests", "known class"],
)
def test_a_wrong_split(tmp_path, change, said):
    campaign = made_campaign(tmp_path)
    change(pd.read_parquet(campaign.split)).to_parquet(campaign.split)
    with pytest.raises(GalmorphError, match=rf"split\.parquet: {said}.*dvc checkout restores it"):
        parts_of(campaign.split, 150, campaign, 1)


@damaged
def test_record(tmp_path, how):
    save_record(tmp_path / "run-001.npz", made_record())
    shutil.copy(tmp_path / "run-001.npz", tmp_path / "whole.npz")
    damage(tmp_path / "run-001.npz", how)
    try:
        found = load_record(tmp_path / "run-001.npz")
    except GalmorphError as error:
        assert "run-001.npz: not a whole record" in str(error)  # noqa: PT017
    else:
        # A bit of the archive's own bookkeeping: what is read is what was written, to the byte.
        assert how is flipped
        save_record(tmp_path / "again.npz", found)
        assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


@pytest.mark.parametrize("how", [truncated, empty, page], ids=lambda how: how.__name__)
def test_weights(tmp_path, how):
    prepare_device()  # before anything else of TensorFlow's, or it can no longer be chosen
    network = settings_with({"network": SMALL_NETWORK}).network
    rng = np.random.default_rng(2)
    shapes = [(3, 3, 1, 4), (4,), (3, 3, 4, 4), (4,), (16, 8), (8,), (8, 2), (2,)]
    weights = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    sha256 = save_weights(tmp_path / "run.weights.h5", network, 16, 2, weights)
    for read, written in zip(load_weights(tmp_path / "run.weights.h5", sha256, network, 16, 2), weights, strict=True):
        np.testing.assert_array_equal(read, written)
    damage(tmp_path / "run.weights.h5", how)
    with pytest.raises(GalmorphError, match=r"run\.weights\.h5: not the weights of this network"):
        load_weights(tmp_path / "run.weights.h5", sha256, network, 16, 2)
