import gzip
from collections.abc import Callable

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import FITSFixedWarning

from galmorph.errors import GalmorphError
from galmorph.sdss.frames import read_frame, read_frame_wcs, read_psf_width
from galmorph.sdss.names import FrameName
from tests.support.damage import empty, flipped, truncated, without_its_end
from tests.support.frames import SKY, dr7_bytes, header_cards, sky_image, write_dr7, write_dr8, write_tsfield


def test_dr7_frame_in_dn_without_soft_bias(tmp_path):
    image = sky_image()
    image[10, 20] = -4.0
    frame = read_frame(write_dr7(tmp_path, image=image))
    assert frame.image.dtype == np.float32
    assert frame.image[10, 20] == -4.0
    np.testing.assert_array_equal(frame.image, np.round(image).astype(np.float32))
    assert frame.name == FrameName("dr7", 1729, 3, 83, "r")


def test_a_dr7_frame_that_is_scaled(tmp_path):
    path = write_dr7(tmp_path)
    content = gzip.decompress(path.read_bytes())
    card = b"BSCALE  =                    1"
    assert content.count(card) == 1
    path.write_bytes(gzip.compress(content.replace(card, card[:-1] + b"2")))
    with fits.open(path) as hdus:
        expected = hdus[0].data - 1000
    np.testing.assert_array_equal(read_frame(path).image, expected)


@pytest.mark.parametrize("swapped", [False, True])
def test_positions_in_both_orders_of_the_axes(tmp_path, swapped):
    path = write_dr7(tmp_path, swapped=swapped)
    wcs, shape = read_frame_wcs(path)
    assert shape == (1489, 2048)
    centre = wcs.pixel_to_world(1023.5, 743.5)
    assert (centre.ra.deg, centre.dec.deg) == pytest.approx((150.0, 20.0), abs=1e-9)
    north = read_frame(path).wcs.pixel_to_world(1123.5, 743.5)
    assert (north.dec.deg - 20.0) * 3600 == pytest.approx(39.6, abs=0.01)


def test_dr8_frame_comes_back_to_counts(tmp_path):
    counts = sky_image(shape=(120, 200)) - SKY
    frame = read_frame(write_dr8(tmp_path, counts))
    np.testing.assert_allclose(frame.image, counts, rtol=1e-6, atol=1e-6)
    assert frame.image.dtype == np.float32
    assert frame.name.release == "dr8"


def test_dr8_field_is_that_of_its_table(tmp_path):
    path = write_dr8(tmp_path, np.zeros((100, 100)), table_field=132)
    with pytest.raises(GalmorphError, match=r"field 132.*rename it or fetch it again"):
        read_frame(path)


def test_dr8_calibration_must_be_positive(tmp_path):
    path = write_dr8(tmp_path, np.zeros((100, 100)), calibration=np.zeros(100, np.float32))
    with pytest.raises(GalmorphError, match="not positive; leave this frame out"):
        read_frame(path)


def test_dr8_calibration_of_another_width(tmp_path):
    path = write_dr8(tmp_path, np.zeros((100, 1)), calibration=np.ones(100, np.float32))
    assert read_frame(path).image.shape == (100, 100)
    wrong = write_dr8(tmp_path, np.zeros((100, 100)), calibration=np.ones(1, np.float32), field=5)
    with pytest.raises(GalmorphError, match="calibration for each of its columns"):
        read_frame(wrong)


def _packed(image=None, **cards):
    """A frame of other pixels or cards; None removes a card."""
    header = {key: value for key, value in (header_cards(1729, 3, 83, "r") | cards).items() if value is not None}
    return gzip.compress(dr7_bytes(sky_image() if image is None else image, header), compresslevel=1)


FAULTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "bit flipped": (flipped, "damaged or cut short"),
    "checksum cut off": (without_its_end, "damaged or cut short"),
    "half of it": (truncated, "damaged or cut short"),
    "web page": (lambda content: b"\n<!DOCTYPE html><html>404</html>", "a web page"),
    "packed web page": (lambda content: gzip.compress(b"<html>404</html>"), "not a readable frame"),
    "empty": (empty, "empty"),
    "packed nothing": (lambda content: gzip.compress(b""), "not a readable frame"),
    "cut short before packing": (
        lambda content: gzip.compress(gzip.decompress(content)[:2_000_000], compresslevel=1),
        "not a readable frame",
    ),
    "no coordinates": (lambda content: _packed(CTYPE1=None, CTYPE2=None), "no right ascension and declination"),
    "singular coordinates": (lambda content: _packed(CD1_2=0.0), "make no sense"),
    "another shape": (lambda content: _packed(np.zeros((100, 100))), r"\(100, 100\) pixels instead of \(1489, 2048\)"),
    "no soft bias": (lambda content: _packed(SOFTBIAS=None), "SOFTBIAS"),
}


@pytest.fixture(scope="module")
def sound_frame(tmp_path_factory):
    return write_dr7(tmp_path_factory.mktemp("frame")).read_bytes()


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_names_the_file_and_the_remedy(tmp_path, sound_frame, fault):
    spoil, message = FAULTS[fault]
    path = tmp_path / "fpC-001729-r3-0083.fit.gz"
    path.write_bytes(spoil(sound_frame))
    with pytest.raises(GalmorphError, match=message) as caught:
        read_frame(path)
    assert str(caught.value).startswith(str(path))
    assert "fetch" in str(caught.value)


@pytest.mark.parametrize("fault", ["web page", "packed web page", "empty", "packed nothing", "no coordinates"])
def test_a_header_that_cannot_be_searched(tmp_path, sound_frame, fault):
    path = tmp_path / "fpC-001729-r3-0083.fit.gz"
    path.write_bytes(FAULTS[fault][0](sound_frame))
    with pytest.raises(GalmorphError, match="fetch the file again"):
        read_frame_wcs(path)


def test_missing_file(tmp_path):
    with pytest.raises(GalmorphError, match=r"cannot be read.*put the file in place"):
        read_frame(tmp_path / "fpC-001729-r3-0083.fit.gz")


def test_a_file_that_is_not_named_as_a_frame(tmp_path):
    with pytest.raises(GalmorphError, match="not named as a frame"):
        read_frame(tmp_path / "galaxy.fits")


@pytest.mark.parametrize(
    "name",
    [
        "fpC-001730-r3-0083.fit.gz",
        "fpC-001729-r4-0083.fit.gz",
        "fpC-001729-r3-0084.fit.gz",
        "fpC-001729-i3-0083.fit.gz",
    ],
)
def test_wrong_frame_under_the_right_name(tmp_path, sound_frame, name):
    path = tmp_path / name
    path.write_bytes(sound_frame)
    with pytest.raises(GalmorphError, match="run 1729, camcol 3, band r, field 83, not of the file's name") as caught:
        read_frame(path)
    assert name in str(caught.value)


def test_an_unknown_complaint_about_the_header_is_let_through(tmp_path):
    path = write_dr7(tmp_path, cards={"CUNIT1": "DEG"})
    with pytest.warns(FITSFixedWarning, match="unitfix"):
        read_frame(path)


def test_psf_width_in_each_band(tmp_path):
    path = write_tsfield(tmp_path)
    assert [read_psf_width(path, band) for band in "urz"] == pytest.approx([1.5, 1.3, 1.25])


def test_wrong_tsfields(tmp_path):
    path = write_tsfield(tmp_path)
    renamed = path.with_name("tsField-001729-3-40-0084.fit")
    renamed.write_bytes(path.read_bytes())
    with pytest.raises(GalmorphError, match="not what its name says; rename it or fetch it again"):
        read_psf_width(renamed, "r")
    with pytest.raises(GalmorphError, match=r"psf_width -9999\.0 arcsec in r; remove this file"):
        read_psf_width(write_tsfield(tmp_path, field=85, psf_width=[-9999.0] * 5), "r")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(GalmorphError, match="not a readable tsField"):
        read_psf_width(path, "r")
    with pytest.raises(GalmorphError, match="not named as a calibration"):
        read_psf_width(tmp_path / "field.fit", "r")


@pytest.mark.real
def test_all_real_frames_verify(real_data):
    paths = sorted((real_data / "frames_dr7_r").glob("*.gz"))
    assert len(paths) == 10
    swapped = 0
    for path in paths:
        frame = read_frame(path)
        assert frame.image.shape == (1489, 2048)
        assert 100 < np.median(frame.image) < 400
        swapped += frame.wcs.wcs.ctype[0].startswith("DEC")
    assert swapped == 1


@pytest.mark.real
def test_real_dr12_frames(real_data):
    g, r = (read_frame(path) for path in sorted((real_data / "frames_dr8plus").glob("*.bz2")))
    assert (g.name.band, g.image.shape) == ("g", (1489, 2048))
    assert (r.name.band, r.image.shape) == ("r", (100, 100))
    # Above the sky and in counts: about nothing, with the noise of a few DN that a corrected frame has.
    for frame in (g, r):
        assert abs(np.median(frame.image)) < 1
        quartiles = np.percentile(frame.image, [25, 75])
        assert 2 < (quartiles[1] - quartiles[0]) / 1.349 < 8


@pytest.mark.real
def test_real_point_spread_functions(real_data):
    widths = {path.name: read_psf_width(path, "r") for path in (real_data / "calibration").glob("tsField-*.fit")}
    assert widths == pytest.approx(
        {
            "tsField-004192-4-40-0300.fit": 1.1817,
            "tsField-005754-3-40-0280.fit": 1.7659,
            "tsField-006377-4-40-0399.fit": 1.0914,
        },
        abs=1e-3,
    )
