import gzip
import io

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from galmorph.sources.pictures import UnusableStampError, central, make_stamp, read_picture, resample
from tests.support.damage import PAGE
from tests.support.parameters import settings_with

IMAGE = np.random.default_rng(4).normal(20, 2, (40, 40)).astype(np.float32)
MASK = (IMAGE > 22).astype(np.uint8)


def content(*images, names=(), compressed=False):
    """Return a FITS file of an empty first part, and images."""
    kind = fits.CompImageHDU if compressed else fits.ImageHDU
    parts = [kind(image, name=name) for image, name in zip(images, names or [None] * len(images), strict=True)]
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *parts]).writeto(stream)
    return stream.getvalue()


def saved(array, save=np.save):
    stream = io.BytesIO()
    save(stream, array)
    return stream.getvalue()


def png(pixels, mode, kind="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8), mode).save(stream, kind, **options)
    return stream.getvalue()


def read(folder, name, written):
    (folder / name).write_bytes(written)
    return read_picture(folder / name, "green")


PLAIN = content(IMAGE)
SOUND = {
    "without the final padding": ("a.fits", PLAIN[: 2 * 2880 + IMAGE.nbytes]),
    "zeros behind the last block": ("a.fits", PLAIN + bytes(2880 * 3 + 7)),
    "gzipped, but not by its name": ("a.fits", gzip.compress(PLAIN)),
    "gzipped by its name alone": ("a.fits.gz", PLAIN),
    "compressed in tiles": ("a.fits.fz", content(IMAGE.round().astype(np.int16), compressed=True)),
    "a mask before it": ("a.fits", content(MASK, IMAGE, names=["MASK", "SCI"])),
    "a mask before it, and no name": ("a.fits", content(MASK, IMAGE, names=["DQ", None])),
    "its errors and weights behind it": ("a.fits", content(IMAGE, IMAGE, MASK, names=["image", "err", "wht"])),
    "a cube before it": ("a.fits", content(np.zeros((3, 4, 4)), IMAGE)),
}


@pytest.mark.parametrize(("name", "written"), SOUND.values(), ids=SOUND)
def test_what_is_sound_is_read(tmp_path, name, written):
    expected = IMAGE.round() if name.endswith(".fz") else IMAGE
    np.testing.assert_array_equal(read(tmp_path, name, written), expected)


OPAQUE, HIDDEN = np.full((8, 8, 4), 255), np.full((8, 8, 4), 255)
HIDDEN[:4, :, 3] = 0
NPZ = saved(IMAGE, np.savez)
UNSOUND = {
    "an archive of arrays": ("a.npy", NPZ, "stamp unreadable: an npz archive, not one array; save the array with"),
    "Python objects": ("a.npy", saved(np.array([{"a": 1}])), "stamp unreadable: not a whole npy file"),
    "a damaged array": ("a.npy", b"\0" + saved(IMAGE)[1:], "stamp unreadable: not a whole npy file"),
    "a web page as JPEG": ("a.jpg", PAGE, "stamp unreadable: a web page; fetch the file again"),
    "text as JPEG": ("a.jpg", b"no picture", "stamp unreadable: not a whole PNG or JPEG file"),
    "a GIF as PNG": ("a.png", png(MASK, "L", "GIF"), "stamp unreadable: not a whole PNG or JPEG file"),
    "text as FITS": ("a.fits", b"no picture" * 999, "stamp unreadable: not a whole FITS file"),
    "nothing": ("a.fits", b"", "stamp unreadable: empty"),
    "a broken gzip": ("a.fits.gz", gzip.compress(PLAIN)[:-9], "stamp unreadable: not a whole FITS file"),
    "pixels missing": ("a.fits", PLAIN[: 2 * 2880 + 4000], "stamp unreadable: cut short, or its header is damaged"),
    "pixels of the second image missing": ("a.fits", content(IMAGE, MASK)[:-2800], "stamp unreadable: cut short, or"),
    "bytes behind": ("a.fits", PLAIN + b"<eof>", "stamp unreadable: 5 bytes behind its last block, at byte 14400; "),
    "two images": ("a.fits", content(MASK, IMAGE, names=["", "B"]), "several images: one without a name, B; call the"),
    "a mask alone": ("a.fits", content(MASK, names=["MASK"]), "stamp unreadable: not a two-dimensional image .* MASK$"),
    "hidden colours": ("a.png", png(HIDDEN, "RGBA"), "transparent pixels: nobody sees the colours"),
    "hidden greys": ("a.png", png(HIDDEN[:, :, 2:], "LA"), "transparent pixels: nobody sees the colours"),
    "a transparent colour": ("a.png", png(OPAQUE[..., :3], "RGB", transparency=(255, 255, 255)), "transparent pixels"),
}


@pytest.mark.parametrize(("name", "written", "reason"), UNSOUND.values(), ids=UNSOUND)
def test_what_is_not_is_rejected_in_our_own_words(tmp_path, name, written, reason):
    with pytest.raises(UnusableStampError, match=rf"^{reason}") as caught:
        read(tmp_path, name, written)
    # Of numpy, which advises to unpickle it; of Pillow, whose addresses in memory make rejected.csv differ each time.
    for word in ("allow_pickle", "0x", "BytesIO", "HDU"):
        assert word not in str(caught.value)


def test_an_opaque_picture_with_an_alpha_channel_is_read(tmp_path):
    np.testing.assert_array_equal(read(tmp_path, "a.png", png(OPAQUE, "RGBA")), np.full((8, 8), 255, np.float32))


@pytest.mark.parametrize(
    ("field", "picture", "reason"),
    [
        (
            "whole",
            np.full((1, 1), 7),
            "stamp too small: 1 x 1 pixels; to be enlarged to cutouts.stamp_size, 64, it needs",
        ),
        (
            "whole",
            IMAGE[:15, :15],
            "stamp too small: 15 x 15 pixels; to be enlarged to cutouts.stamp_size, 64, it needs 16",
        ),
        ("whole", np.full((50, 50), 7), "all pixels the same"),
        (0.2, IMAGE[:20, :20], "stamp too small: 4 x 4 pixels; to be enlarged to cutouts.stamp_size, 64, it needs 16"),
        ("centre", np.pad(np.full((64, 64), 7), 20, constant_values=9), "all pixels the same"),
    ],
)
def test_no_galaxy_is_in_it(field, picture, reason):
    chosen = settings_with({"stamps.field": field})
    with pytest.raises(UnusableStampError, match=f"^{reason}"):
        make_stamp(picture.astype(np.float32), 0, "a.png", 1.4, 0.4, chosen.stamps, chosen.cutouts)


@pytest.mark.parametrize("fraction", [1, 1.0, 0.5, 0.3])
def test_a_fraction_is_the_central_part_of_each_side_resampled(fraction):
    picture = np.random.default_rng(3).normal(50, 5, (200, 200)).astype(np.float32)
    chosen = settings_with({"stamps.field": fraction})
    stamp = make_stamp(picture, 0, "a.png", 1.4, 0.4, chosen.stamps, chosen.cutouts)
    half = int(100 * fraction)
    cropped = picture[100 - half : 100 + half, 100 - half : 100 + half]
    np.testing.assert_allclose(stamp.image + np.float32(stamp.sky), resample(cropped, 64, "area"), atol=1e-4)
    assert stamp.pixel_scale == pytest.approx(0.4 * 200 * fraction / 64)


def test_a_fraction_of_an_odd_side_keeps_the_centre():
    picture = np.zeros((423, 423), np.float32)
    picture[211, 211] = 1.0
    part = central(picture, 0.5)
    assert part.shape == (211, 211)
    assert part[105, 105] == 1.0


@pytest.mark.parametrize(("side", "size"), [(20, 64), (64, 16), (97, 64), (192, 64)])
def test_area_keeps_the_mean_and_a_gradient(side, size):
    """The mean over a pixel of a linear function is its value at the pixel's middle, whatever the pixel's size."""
    middles = (np.arange(side) + 0.5) / side
    picture = (middles[:, None] * 3 + middles[None, :] * 7).astype(np.float32)
    result = resample(picture, size, "area")
    assert result.mean() == pytest.approx(picture.mean(), rel=1e-5)
    if side % size == 0:
        target = (np.arange(size) + 0.5) / size
        np.testing.assert_allclose(result, target[:, None] * 3 + target[None, :] * 7, atol=1e-5)


def test_area_by_hand():
    picture = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)
    expected = [[(1 + 2 / 2 + 4 / 2 + 5 / 4) / 2.25, (3 + 2 / 2 + 6 / 2 + 5 / 4) / 2.25]]
    expected += [[(7 + 8 / 2 + 4 / 2 + 5 / 4) / 2.25, (9 + 8 / 2 + 6 / 2 + 5 / 4) / 2.25]]
    np.testing.assert_allclose(resample(picture, 2, "area"), expected, rtol=1e-6)


@pytest.mark.parametrize("side", [48, 64, 88])
def test_spline_keeps_a_gradient_in_its_place(side):
    ramp = np.tile(np.arange(0.5, side), (side, 1)).astype(np.float32)
    result = resample(ramp, 64, "spline")
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[32, 10:54], (np.arange(10, 54) + 0.5) * side / 64, atol=0.01)
