import math
import re

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from galmorph.errors import GalmorphError
from galmorph.settings.study import CutoutSettings
from galmorph.settings.survey import StampsSettings
from galmorph.sources import stamps
from galmorph.sources.pictures import UnusableStampError, read_picture
from tests.support.frames import add_galaxy, frame_wcs, sky_image, sky_position
from tests.support.interrupted import stopped_before_the_blocks_are_joined
from tests.support.parameters import ROOT, sample

CUTOUTS = CutoutSettings(stamp_size=64, wide_size=128, sky_inner=80, sky_outer=160, max_rejected_fraction=0.8)


def stamps_settings(root, **changes):
    values = {
        "folder": str(root / "pictures"),
        "labels": str(root / "labels.csv"),
        "colour": "green",
        "field": "whole",
        "resampling": "area",
        "pixel_scale": None,
        "psf_fwhm": None,
    }
    return StampsSettings.model_validate(values | changes)


def galaxy(side, seed=0):
    yy, xx = np.mgrid[:side, :side] - (side - 1) / 2
    light = 500 * np.exp(-(xx**2 + yy**2) / (2 * (side / 12) ** 2))
    image: NDArray[np.float32] = (light + np.random.default_rng(seed).normal(20, 2, (side, side))).astype(np.float32)
    return image


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, image)
    elif path.suffix == ".fits":
        # The image of a FITS file need not be in its first part.
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image)]).writeto(path)
    else:
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path)


def write_labels(root, text):
    (root / "labels.csv").write_text(text)


def acquire_and_cut(root, cutouts=CUTOUTS, **changes):
    settings = stamps_settings(root, **changes)
    (root / "raw").mkdir()
    stamps.acquire(settings, sample(), root / "raw")
    counts = stamps.cut_stamps(root / "raw", root / "set", settings, cutouts, root / "partial")
    return counts, pd.read_parquet(root / "set" / "galaxies.parquet"), np.load(root / "set" / "images.npy")


def test_stamps_of_every_kind(tmp_path):
    for index, name in enumerate(("a.fits", "b.npy", "c.png", "d.jpg")):
        write(tmp_path / "pictures" / name, galaxy(96, index))
    lines = [
        "stamp,class,objid,ra,dec,redshift,psf_fwhm,pixel_scale",
        "d.jpg,uncertain,40,1.5,-2.5,0.01,1.1,0.2",
        "b.npy,spiral,20,,,,,",
        "a.fits,elliptical,10,3.5,4.5,,0.9,0.3",
        "c.png,spiral,30,,,,,",
    ]
    write_labels(tmp_path, "\n".join(lines) + "\n")
    counts, table, images = acquire_and_cut(tmp_path, pixel_scale=0.396, psf_fwhm=1.4)
    assert counts == (4, 0)
    assert table["objid"].tolist() == [40, 20, 10, 30]
    assert table["frame"].tolist() == ["d.jpg", "b.npy", "a.fits", "c.png"]
    assert table["class"].tolist() == ["uncertain", "spiral", "elliptical", "spiral"]
    np.testing.assert_array_equal(table["ra"], [1.5, np.nan, 3.5, np.nan])
    np.testing.assert_array_equal(table["redshift"], [0.01, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(table["pixel_scale"], np.array([0.2, 0.396, 0.3, 0.396]) * 96 / 64)
    assert table["psf_fwhm"].tolist() == [1.1, 1.4, 0.9, 1.4]
    assert not table["has_wide"].any()
    assert images.shape == (4, 64, 64)
    np.testing.assert_allclose(table["sky"], 20, atol=1)
    assert (images[:, 30:34, 30:34].mean(axis=(1, 2)) > 200).all()
    assert np.load(tmp_path / "set" / "wide.npy").shape == (0, 128, 128)


def test_the_centre_untouched_and_its_wide_stamp(tmp_path):
    pictures = {"even.npy": galaxy(140), "odd.npy": galaxy(101, 1), "oblong.npy": galaxy(140, 2)[:, :90]}
    for name, image in pictures.items():
        write(tmp_path / "pictures" / name, image)
    write(tmp_path / "pictures" / "small.npy", galaxy(63))
    write_labels(tmp_path, "stamp,class\n" + "".join(f"{name},spiral\n" for name in [*pictures, "small.npy"]))
    counts, table, images = acquire_and_cut(tmp_path, field="centre", pixel_scale=0.396)
    assert counts == (3, 1)
    assert table["objid"].tolist() == [1, 2, 3]
    assert table["pixel_scale"].tolist() == [0.396] * 3
    assert table["has_wide"].tolist() == [True, False, False]
    sky = table["sky"].to_numpy(dtype=np.float32)
    np.testing.assert_array_equal(images[0], pictures["even.npy"][38:102, 38:102] - sky[0])
    np.testing.assert_array_equal(images[1], pictures["odd.npy"][18:82, 18:82] - sky[1])
    np.testing.assert_array_equal(images[2], pictures["oblong.npy"][38:102, 13:77] - sky[2])
    wide = np.load(tmp_path / "set" / "wide.npy")
    np.testing.assert_array_equal(wide[0], pictures["even.npy"][6:134, 6:134] - sky[0])
    assert (table["x"][1], table["y"][1]) == (50.0, 50.0)
    rejected = (tmp_path / "set" / "rejected.csv").read_text().splitlines()
    assert rejected[1] == '4,small.npy,"stamp too small: 63 x 63 pixels, cutouts.stamp_size is 64"'


@pytest.mark.parametrize(("colour", "value"), [("red", 10), ("green", 20), ("blue", 60), ("mean", 30)])
def test_colours(tmp_path, colour, value):
    picture = np.full((8, 8, 3), (10, 20, 60), np.uint8)
    Image.fromarray(picture).save(tmp_path / "rgb.png")
    Image.fromarray(np.dstack([picture, np.full((8, 8), 255, np.uint8)])).save(tmp_path / "rgba.png")
    for name in ("rgb.png", "rgba.png"):
        image = read_picture(tmp_path / name, colour)
        assert image.dtype == np.float32
        assert (image == value).all()


def test_grey_as_it_is(tmp_path):
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "deep.png", "mean"), deep.astype(np.float32))


def test_fits_of_any_layout(tmp_path):
    image = galaxy(16)
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0])])]).writeto(
        tmp_path / "none.fits"
    )
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image)]).writeto(tmp_path / "second.fit.gz")
    np.testing.assert_array_equal(read_picture(tmp_path / "second.fit.gz", "green"), image)
    with pytest.raises(UnusableStampError, match="not a two-dimensional image"):
        read_picture(tmp_path / "none.fits", "green")
    packed = (tmp_path / "second.fit.gz").read_bytes()
    (tmp_path / "second.fit.gz").write_bytes(packed[:-8])
    with pytest.raises(UnusableStampError, match="stamp unreadable"):
        read_picture(tmp_path / "second.fit.gz", "green")


def test_rejects_and_their_reasons(tmp_path):
    pictures = tmp_path / "pictures"
    write(pictures / "good.npy", galaxy(88))
    broken = galaxy(88)
    broken[5, 5] = np.nan
    write(pictures / "nan.npy", broken)
    write(pictures / "oblong.npy", galaxy(88)[:70])
    write(pictures / "cube.npy", np.zeros((3, 8, 8), np.float32))
    write(pictures / "cut.jpg", galaxy(88))
    (pictures / "cut.jpg").write_bytes((pictures / "cut.jpg").read_bytes()[:300])
    (pictures / "page.png").write_text("<html>")
    (pictures / "page.fits").write_text("<html>")
    names = ["nan.npy", "good.npy", "oblong.npy", "cube.npy", "cut.jpg", "page.png", "page.fits"]
    write_labels(tmp_path, "stamp,class\n" + "".join(f"{name},spiral\n" for name in names))
    counts, table, _ = acquire_and_cut(tmp_path, CUTOUTS.model_copy(update={"max_rejected_fraction": 0.9}))
    assert counts == (1, 6)
    rejected = pd.read_csv(tmp_path / "set" / "rejected.csv")
    assert rejected["objid"].tolist() == [1, 3, 4, 5, 6, 7]
    kinds = [reason.split(":")[0] for reason in rejected["reason"]]
    assert kinds == ["non-finite pixels", "stamp not square", *["stamp unreadable"] * 4]
    assert str(tmp_path) not in rejected.to_csv()
    assert math.isnan(table["pixel_scale"][0])
    assert math.isnan(table["psf_fwhm"][0])


def test_the_sample_in_the_order_of_the_file(tmp_path, raw):
    for index in range(8):
        write(tmp_path / "pictures" / f"{index}.npy", galaxy(16, index))
    header = "class , stamp,note".replace(" ", "")
    rows = [f'spiral,{index}.npy,"kept, as written"' for index in range(8)]
    write_labels(tmp_path, "\n".join([header, *rows]) + "\n")
    stamps.acquire(stamps_settings(tmp_path), sample("random", 3), raw)
    copied = (raw / "labels.csv").read_text().splitlines()
    assert copied[0] == header
    assert len(copied) == 4
    assert copied[1:] == [row for row in rows if row in copied]
    names = sorted(path.name for path in (raw / "stamps").iterdir())
    assert names == [row.split(",")[1] for row in copied[1:]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stamp,kind\na.npy,spiral\n", "no column class"),
        ("stamp,class\na.npy,spiral\nmissing.npy,spiral\n", "line 3: stamp 'missing.npy' is not in"),
        ("stamp,class\na.npy,spiral\nb.npy,Spiral\n", r"line 3 \(stamp b.npy\): class 'Spiral' is not one of"),
        ("stamp,class\na.npy,spiral\na.npy,spiral\n", "line 3: stamp 'a.npy' is in the table twice"),
        ("stamp,class\n../a.npy,spiral\n", "line 2: stamp '../a.npy' is not a file name"),
        ("stamp,class\na.tif,spiral\n", "line 2: stamp 'a.tif' does not end in"),
        ("stamp,class\n,spiral\n", "line 2: stamp '' is not a file name"),
        ("stamp,class,objid\na.npy,spiral,7\nb.npy,spiral,7\n", "line 3 .*objid '7' is in the table twice"),
        ("stamp,class,objid\na.npy,spiral,\n", "line 2 .*objid '' is not a whole number"),
        ("stamp,class,psf_fwhm\na.npy,spiral,0\n", "line 2 .*psf_fwhm '0' is not a number from"),
        (
            "stamp,class,pixel_scale\na.npy,spiral,0.00011\n",
            r"pixel_scale '0\.00011' is not a number from 0\.01 to 60 arcsec",
        ),
        ("stamp,class,ra\na.npy,spiral,361\n", "line 2 .*ra '361' is not a number from 0 to 360"),
        ("stamp,class\n", "a header and no rows"),
    ],
)
def test_wrong_labels(tmp_path, raw, text, message):
    for name in ("a.npy", "b.npy"):
        write(tmp_path / "pictures" / name, galaxy(16))
    write_labels(tmp_path, text)
    with pytest.raises(GalmorphError, match=message) as caught:
        stamps.acquire(stamps_settings(tmp_path), sample(), raw)
    assert "labels.csv" in str(caught.value)
    assert not list(raw.iterdir())


@pytest.mark.fault
def test_a_stamp_that_is_a_link_to_a_file_of_another_name_is_refused(tmp_path, raw):
    write(tmp_path / "pictures" / "a.npy", galaxy(16))
    private = tmp_path / "private.npy"
    private.write_text("secret")
    (tmp_path / "pictures" / "b.npy").symlink_to(private)
    write_labels(tmp_path, "stamp,class\na.npy,spiral\nb.npy,spiral\n")
    with pytest.raises(GalmorphError, match=r"b.npy: a link to .*private.npy, a file of another name; put"):
        stamps.acquire(stamps_settings(tmp_path), sample(), raw)
    assert not (raw / "stamps/b.npy").exists()


def test_links_that_keep_the_name_or_lead_into_dvc_s_cache_are_read(tmp_path, raw):
    cached = tmp_path / "cache/files/md5/0a/f5d7b1c2d3e4f5061728394a5b6c7d"
    write(tmp_path / "cached.npy", galaxy(16))
    cached.parent.mkdir(parents=True)
    (tmp_path / "cached.npy").rename(cached)
    write(tmp_path / "disk" / "a.npy", galaxy(16))
    (tmp_path / "disk" / "b.npy").symlink_to("a.npy")
    (tmp_path / "disk" / "c.npy").symlink_to(cached)
    write(tmp_path / "archive" / "d.npy", galaxy(16))
    (tmp_path / "disk" / "d.npy").symlink_to(tmp_path / "archive" / "d.npy")
    (tmp_path / "pictures").symlink_to(tmp_path / "disk")
    write_labels(tmp_path, "stamp,class\n" + "".join(f"{name}.npy,spiral\n" for name in "abcd"))
    stamps.acquire(stamps_settings(tmp_path), sample(), raw)
    assert [path.read_bytes() for path in (raw / "stamps").iterdir()] == [cached.read_bytes()] * 4


@pytest.mark.fault
def test_a_stamp_that_changes_after_an_interruption_is_read_again(tmp_path, raw, monkeypatch):
    write(tmp_path / "pictures" / "a.npy", galaxy(16))
    write_labels(tmp_path, "stamp,class\na.npy,spiral\n")
    settings = stamps_settings(tmp_path)
    stamps.acquire(settings, sample(), raw)
    stopped_before_the_blocks_are_joined(monkeypatch, stamps.cut_stamps, raw, tmp_path, settings, CUTOUTS)
    write(raw / "stamps" / "a.npy", galaxy(16, 1))
    stamps.cut_stamps(raw, tmp_path / "set", settings, CUTOUTS, tmp_path / "partial")
    stamps.cut_stamps(raw, tmp_path / "fresh", settings, CUTOUTS, tmp_path / "none")
    assert (tmp_path / "set/images.npy").read_bytes() == (tmp_path / "fresh/images.npy").read_bytes()


def test_a_missing_folder_is_named(tmp_path, raw):
    write_labels(tmp_path, "stamp,class\na.npy,spiral\n")
    with pytest.raises(GalmorphError, match=r"no such folder; put the stamps there, or correct stamps\.folder"):
        stamps.acquire(stamps_settings(tmp_path), sample(), raw)


@pytest.mark.real
def test_efigi(real_data, tmp_path):
    lines = (real_data / "efigi" / "EFIGI_attributes.txt").read_text().splitlines()
    types = {name: int(kind) for name, kind in (line.split()[:2] for line in lines if line.startswith("PGC"))}
    kinds = {name: "elliptical" if kind <= -1 else "spiral" for name, kind in types.items() if kind not in (0, 10, 11)}
    assert list(kinds.values()).count("spiral") == 3119
    rows = [f"{name}.jpg,{kind}" for name, kind in kinds.items()][::4]
    write_labels(tmp_path, "\n".join(["stamp,class", *rows]) + "\n")
    counts, table, images = acquire_and_cut(tmp_path, folder=str(real_data / "efigi"))
    assert counts == (len(rows), 0)
    assert table["frame"].tolist() == [row.split(",")[0] for row in rows]
    assert table["class"].tolist() == [row.split(",")[1] for row in rows]
    assert images.shape == (len(rows), 64, 64)
    middle, border = images[:, 24:40, 24:40].mean(axis=(1, 2)), images[:, :4].mean(axis=(1, 2))
    assert (middle > border).mean() > 0.97


def test_the_script_of_the_page_cuts_a_mosaic_into_stamps(tmp_path, monkeypatch, capsys):
    external = tmp_path / "data/external"
    external.mkdir(parents=True)
    places = [(200.0, 300.0), (500.0, 700.0), (30.0, 300.0), (-500.0, 300.0), (0.0, 0.0)]
    image = sky_image(shape=(1000, 900))
    for x, y in places[:3]:
        add_galaxy(image, x, y)
    fits.writeto(external / "mosaic.fits", image, frame_wcs().to_header())
    positions = np.array([sky_position(x, y) for x, y in places])
    positions[-1] = (10.0, -80.0)
    columns = {"objid": [11, 12, 13, 14, 15], "ra": positions[:, 0], "dec": positions[:, 1], "class": ["spiral"] * 5}
    pd.DataFrame(columns).to_csv(external / "catalogue.csv", index=False)
    monkeypatch.chdir(tmp_path)
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/own-survey.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(script, {})
    assert "2 of 5 galaxies are cut" in capsys.readouterr().out
    chosen = stamps_settings(external, folder=str(external / "stamps"), field="centre")
    (tmp_path / "raw").mkdir()
    stamps.acquire(chosen, sample(), tmp_path / "raw")
    assert stamps.cut_stamps(tmp_path / "raw", tmp_path / "made", chosen, CUTOUTS, tmp_path / "partial") == (2, 0)
    galaxies = pd.read_parquet(tmp_path / "made/galaxies.parquet")
    assert galaxies["objid"].tolist() == [11, 12]
    assert galaxies["has_wide"].all()
    assert galaxies["pixel_scale"].to_numpy() == pytest.approx(0.396, rel=1e-3)
    for stamp in np.load(tmp_path / "made/images.npy"):
        assert np.hypot(*(np.array(np.unravel_index(stamp.argmax(), stamp.shape)) - 32)) < 4
        assert abs(np.median(stamp[:8])) < 2


def test_the_same_pixels_under_two_names_never_train_and_test(tmp_path):
    pictures = {f"{index:02d}.png": galaxy(64, index) for index in range(60)}
    for name, image in pictures.items():
        write(tmp_path / "pictures" / name, image)
    copies = {f"{index:02d}.npy": f"{index:02d}.png" for index in range(0, 60, 6)}
    for copy, name in copies.items():
        # Another file, of the same pixels.
        np.save(tmp_path / "pictures" / copy, np.asarray(Image.open(tmp_path / "pictures" / name)))
    kinds = ["spiral", "elliptical"]
    rows = [f"{name},{kinds[int(name[:2]) % 2]}" for name in [*pictures, *copies]]
    write_labels(tmp_path, "\n".join(["stamp,class", *rows]) + "\n")
    counts, table, images = acquire_and_cut(tmp_path)
    assert counts == (60, 10)
    assert np.unique(images, axis=0).shape == images.shape
    rejected = pd.read_csv(tmp_path / "set" / "rejected.csv")
    assert rejected["frame"].tolist() == list(copies)
    assert rejected["reason"][1] == "same pixels as another galaxy: 7, which is kept"
    assert set(table["frame"]) == set(pictures)
