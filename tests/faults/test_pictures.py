"""Stamps and frames with wrong pixels or coordinates, and new stamps with odd names or removed too early."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest

from galmorph.classify.command import FILES, classify
from galmorph.classify.sheet import select_rows
from galmorph.errors import GalmorphError
from galmorph.sdss.frames import read_frame, read_frame_wcs
from galmorph.sources.pictures import UnusableStampError, make_stamp, read_picture
from galmorph.stamps.stampset import Stamp
from tests.support.frames import write_dr8
from tests.support.parameters import settings_with

pytestmark = pytest.mark.fault


def png(width, height, depth, colour, rows):
    """A PNG, bit by bit: Pillow writes no 16 bits of colour, and nothing whose size is a lie."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_colours_of_16_bits(tmp_path, colour, channels):
    path = tmp_path / "a.png"
    path.write_bytes(png(4, 4, 16, colour, (b"\0" + b"\x01\x02" * 4 * channels) * 4))
    with pytest.raises(UnusableStampError, match="16 bits a colour, of which 8 would be read"):
        read_picture(path, "green")


@pytest.mark.parametrize("field", ["centre", "whole"])
@pytest.mark.parametrize("size", [16, 24])
def test_pixels_that_overflow_without_their_sky(field, size):
    chosen = settings_with({"stamps.field": field})
    cutouts = chosen.cutouts.model_copy(update={"stamp_size": 16, "wide_size": 18})
    picture = np.full((size, size), 3.0e38, np.float32)
    picture[4:12, 4:12] = -3.0e38
    with pytest.raises(UnusableStampError, match="non-finite pixels"):
        make_stamp(picture, 0, "a.fits", 1.4, 0.396, chosen.stamps, cutouts)
    picture /= 1e30
    stamp = make_stamp(picture, 0, "a.fits", 1.4, 0.396, chosen.stamps, cutouts)
    assert isinstance(stamp, Stamp)
    assert np.isfinite(stamp.image).all()


FALSE: dict[str, dict[str, Any]] = {
    "lost": dict.fromkeys(("CD1_1", "CD1_2", "CD2_1", "CD2_2")),
    "ten times": {"CD1_1": 0.0011, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.0011},
    "of no number": {"CD1_1": "many"},
    "no size": {"CD1_1": 0.0, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.0},
    "another system": {"RADECSYS": "FOO"},
    "of the Sun": {"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN"},
    "galactic": {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"},
    "no sky": {"CTYPE1": "WAVE", "CTYPE2": "FREQ"},
}


@pytest.mark.parametrize("cards", FALSE.values(), ids=FALSE)
def test_a_frame_whose_coordinates_are_false(tmp_path, cards):
    pixels = np.zeros((50, 50))
    assert read_frame(write_dr8(tmp_path, pixels)).wcs.has_celestial
    path = write_dr8(tmp_path, pixels, cards=cards)
    for read in (read_frame, read_frame_wcs):
        with pytest.raises(GalmorphError, match=rf"{path.name}: the header"):
            read(path)


@pytest.fixture
def new_stamps(tmp_path):
    """Stamps whose names mean something to what draws them."""
    folder = tmp_path / "new $x_{1}$ stamps"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for name in ("$x_{$", "two$ $", r"\frac", "plain"):
        np.save(folder / f"{name}.npy", rng.normal(0, 5, (16, 16)).astype(np.float32))
    return folder


def test_names_that_are_formulae_to_what_draws_them(study, new_stamps, tmp_path):
    text = classify("three_class", stamps=new_stamps, output=tmp_path / "classes", project=study)
    assert "classified  4: " in text
    assert {path.name for path in (tmp_path / "classes").iterdir()} == set(FILES)


def test_a_stamp_that_goes_away_before_it_is_drawn(study, new_stamps, tmp_path, monkeypatch):
    def gone(*arguments):
        (new_stamps / "plain.npy").unlink()
        return select_rows(*arguments)

    monkeypatch.setattr("galmorph.classify.command.select_rows", gone)
    with pytest.raises(GalmorphError, match=r"plain\.npy: could be read to be classified, but not to be drawn"):
        classify("three_class", stamps=new_stamps, output=tmp_path / "classes", project=study)
    assert not (tmp_path / "classes").exists()
