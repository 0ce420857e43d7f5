import gzip
import socket

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.sdss.names import FrameName, ObjectId
from galmorph.settings.survey import SdssSettings
from galmorph.sources import archive as sdss
from galmorph.sources.fetch import Mirror
from tests.support.frames import (
    RA,
    TABLE2_HEADER,
    add_galaxy,
    catalogue_of,
    cut,
    files,
    objid,
    sky_image,
    sky_position,
    table2_row,
    write_dr7,
    write_dr8,
    write_table2,
    write_tsfield,
)
from tests.support.parameters import sample


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Three frames with their calibration, a frame without, and tables."""
    folder = tmp_path_factory.mktemp("archive")
    image = sky_image()
    add_galaxy(image, 400, 600)
    rows = []
    for field in (83, 84, 85, 86):
        write_dr7(folder, field=field, image=image)
        if field != 86:
            write_tsfield(folder, field=field)
        # One that no other frame holds.
        place = (RA + 90, -30.0) if field == 85 else sky_position(400 + 30 * (field - 83), 600)
        rows.append(table2_row(objid(field, field=field), *place, "uncertain"))
    rows.append(table2_row(objid(1, field=83), *sky_position(700, 700), "elliptical"))
    table = write_table2(folder / "table2.csv", rows)
    (folder / "table2.csv.gz").write_bytes(gzip.compress(table.read_bytes()))
    (folder / "redshifts.csv").write_text(f"objid,redshift\n{objid(84, field=84)},0.05\n{objid(1, field=83)},0.1\n")
    return folder


def settings(server, **changes):
    values = {
        "release": "dr7",
        "archive": server.url,
        "catalogue": f"{server.url}/table2.csv.gz",
        "redshifts": f"{server.url}/redshifts.csv",
        "band": "r",
        "max_missing_fraction": 0.3,
    }
    return SdssSettings.model_validate(values | changes)


def acquire(server, tmp_path, size=None, **changes):
    raw = tmp_path / "raw"
    raw.mkdir(parents=True)
    return sdss.acquire(settings(server, **changes), sample("first", size), raw, Mirror(tmp_path / "mirror"))


def test_a_sample_and_its_frames(archive, store, tmp_path):
    archive.reset(store)
    urls = acquire(archive, tmp_path, 2)
    frames = [f"imaging/1729/40/corr/3/fpC-001729-r3-{field:04d}.fit.gz" for field in (83, 84)]
    calibrations = [f"imaging/1729/40/calibChunks/3/tsField-001729-3-40-{field:04d}.fit" for field in (83, 84)]
    tables = ["GalaxyZoo1_DR_table2.csv", "missing.csv", "redshifts.csv"]
    raw = tmp_path / "raw"
    assert files(raw) == sorted([*frames, *calibrations, *tables])
    assert urls == {path: f"{archive.url}/{path}" for path in (*frames, *calibrations)}
    for path in urls:
        assert (raw / path).read_bytes() == (store / path).read_bytes()
        assert (raw / path).samefile(tmp_path / "mirror" / "whole" / path)
    assert (raw / tables[0]).read_text().splitlines() == (store / "table2.csv").read_text().splitlines()[:3]
    assert (raw / "missing.csv").read_text() == "path,reason\n"
    assert pd.read_csv(raw / "redshifts.csv")["redshift"].tolist() == [0.05]


def test_a_larger_sample_asks_for_what_is_new(archive, store, tmp_path):
    archive.reset(store)
    acquire(archive, tmp_path / "first", 2)
    (tmp_path / "second").mkdir()
    (tmp_path / "first" / "mirror").rename(tmp_path / "second" / "mirror")
    archive.requests.clear()
    acquire(archive, tmp_path / "second", 3)
    assert sorted(path.rpartition("/")[2] for path in archive.requests) == [
        "fpC-001729-r3-0085.fit.gz",
        "tsField-001729-3-40-0085.fit",
    ]


def test_what_is_missing_is_listed_and_its_galaxies_are_rejected(archive, store, tmp_path):
    archive.reset(store, lambda path, number: "404" if path.endswith("r3-0085.fit.gz") else None)
    acquire(archive, tmp_path)
    assert cut(tmp_path / "raw") == (4, 1)
    missing = pd.read_csv(tmp_path / "raw" / "missing.csv")
    assert missing["path"].str.rpartition("/")[2].tolist() == [
        "tsField-001729-3-40-0086.fit",
        "fpC-001729-r3-0085.fit.gz",
    ]
    assert set(missing["reason"]) == {"the server says 404 Not Found"}
    rejected = pd.read_csv(tmp_path / "set" / "rejected.csv", keep_default_na=False)
    assert rejected.to_numpy().tolist() == [[objid(85, field=85), "", "frame missing: the server says 404 Not Found"]]
    galaxies = pd.read_parquet(tmp_path / "set" / "galaxies.parquet")
    np.testing.assert_allclose(galaxies["psf_fwhm"], [1.3, 1.3, np.nan, 1.3], rtol=1e-6)
    np.testing.assert_allclose(galaxies["redshift"], [np.nan, 0.05, np.nan, 0.1])


def test_too_many_missing_stop_and_keep_what_has_come(archive, store, tmp_path):
    message = r"3 of 5 galaxies without a frame, more than .* 0\.3 allows.*404"
    archive.reset(store, lambda path, number: "404" if "fpC" in path and "0083" not in path else None)
    with pytest.raises(GalmorphError, match=message):
        acquire(archive, tmp_path)
    assert files(tmp_path / "raw") == []
    assert "whole/imaging/1729/40/corr/3/fpC-001729-r3-0083.fit.gz" in files(tmp_path / "mirror")


def test_plan_downloads_tables_only(archive, store, tmp_path):
    mirror = Mirror(tmp_path / "mirror")
    archive.reset(store)
    chosen = settings(archive)
    request = sdss.make_request(chosen, sample(redshift=(0.04, 0.2)), mirror)
    text = sdss.describe(request, chosen, sample(), mirror)
    assert sorted(archive.requests) == ["/redshifts.csv", "/table2.csv.gz"]
    lines = dict(line.split(maxsplit=1) for line in text.replace("with redshift", "with-redshift").splitlines())
    assert lines["galaxies"] == "2 of 5 rows of table2.csv.gz, rule first"
    assert (lines["spiral"], lines["elliptical"], lines["uncertain"]) == ("0", "1", "1")
    assert lines["with-redshift"] == "2"
    assert lines["frames"] == f"2 of band r, dr7, from {archive.url}"
    assert "to download       4 files, about 0.00 GB" in text
    assert "no frame is at hand yet; 0 of 0 frames with several galaxies have them too far apart" in text


def test_plan_says_how_many_ids_and_positions_disagree(archive, store, tmp_path):
    archive.reset(store)
    mirror = Mirror(tmp_path / "mirror")
    acquire(archive, tmp_path, 2)
    away = table2_row(objid(5, field=84), *sky_position(2200, 600))  # off the frame, but not far from it
    rows = [*(store / "table2.csv").read_text().splitlines()[1:3], away]
    chosen = settings(archive, catalogue=str(write_table2(tmp_path / "t.csv", rows)))
    request = sdss.make_request(chosen, sample(), mirror)
    text = sdss.describe(request, chosen, sample(), mirror)
    assert "ids and positions 1 of 3 galaxies lie off the frame of their id; 0 of 1 frames with several" in text
    rows = [table2_row(objid(number, field=83 + number % 2), *sky_position(9000 * number, 0)) for number in range(1, 7)]
    chosen = settings(archive, catalogue=str(write_table2(tmp_path / "t.csv", rows)))
    with pytest.raises(GalmorphError, match=r"t\.csv: of 2 frames .*, 2 have galaxies farther apart than a frame"):
        sdss.make_request(chosen, sample(), mirror)


def test_dr17_gives_the_same_stamps_but_for_its_sky(archive, tmp_path):
    image = sky_image()
    add_galaxy(image, 400, 600)
    write_dr7(tmp_path / "dr7", field=83, image=image)
    write_tsfield(tmp_path / "dr7", field=83)
    write_dr8(tmp_path / "dr17", (image - np.median(image))[:800, :600], run=1729, camcol=3, field=83, band="r")
    row = table2_row(objid(83, field=83), *sky_position(400, 600))
    stamps = []
    for release in ("dr7", "dr17"):
        write_table2(tmp_path / release / "table2.csv", [row])
        archive.reset(tmp_path / release)
        place = tmp_path / f"{release} made"
        place.mkdir()
        catalogue = str(tmp_path / release / "table2.csv")
        acquire(archive, place, release=release, catalogue=catalogue, redshifts=None)
        cut(place / "raw")
        stamps.append(np.load(place / "set" / "images.npy")[0])
    # The counts of DR7 are whole numbers, and so is their median.
    assert abs((stamps[0] - stamps[1]).mean()) < 1
    assert np.std(stamps[0] - stamps[1]) < 0.5


def test_an_archive_that_is_gone(archive, store, tmp_path):
    archive.reset(store)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(GalmorphError, match=r"does not answer .* set sdss\.release to dr17 \(or sdss\.archive to"):
            acquire(archive, tmp_path, archive=gone)
        (tmp_path / "raw").rmdir()
        with pytest.raises(GalmorphError, match=r"does not answer .* put the table on the disk"):
            acquire(archive, tmp_path, catalogue=f"{gone}/other.csv")


def test_too_small_a_disk(archive, store, tmp_path, monkeypatch):
    monkeypatch.setattr(sdss, "_free", lambda mirror: 1_000_000)
    archive.reset(store)
    with pytest.raises(GalmorphError, match=r"GB to download, 0\.0 GB are free"):
        acquire(archive, tmp_path)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (ObjectId(1, 40, 1729, 3, 0, 83, 7).encode() | 301 << 48, "rerun"),
        (ObjectId(2, 40, 1729, 3, 0, 83, 7).encode(), "is of sky version 2; Galaxy Zoo 1 has 1"),
        (ObjectId(1, 40, 1729, 1, 0, 83, 7).encode() - (1 << 29), "camcol 0: the camera has columns 1 to 6"),
    ],
)
def test_an_id_that_names_no_dr7_frame(archive, store, tmp_path, number, why):
    table = write_table2(tmp_path / "t.csv", [table2_row(objid(1), 1, 1), table2_row(number, 2, 2)])
    archive.reset(store)
    with pytest.raises(GalmorphError, match=f"line 3: OBJID '{number}' names no frame: .*{why}"):
        acquire(archive, tmp_path, catalogue=str(table))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"OBJID,RA\n1,2\n", mtime=0), "no column DEC"),
        (gzip.compress(TABLE2_HEADER.encode() + b"\n" + b"x" * 5000)[:-10], "damaged or cut short"),
        (b"<html>moved</html>", "a web page"),
    ],
)
def test_a_wrong_table(archive, store, tmp_path, content, message):
    (archive.folder / "t.csv.gz").write_bytes(content)
    with pytest.raises(GalmorphError, match=message):
        acquire(archive, tmp_path, catalogue=f"{archive.url}/t.csv.gz")
    assert files(tmp_path / "mirror") == []


@pytest.mark.real
def test_the_real_frames_from_a_server(archive, real_data, tmp_path, known):
    known = known[known["frame"].str.startswith("fpC")].reset_index(drop=True)
    store = archive.folder
    own = known[known["objid_frame_is_this"]]
    for number, frame in zip(own["objid_dr7"].tolist(), own["frame"], strict=True):
        name = ObjectId.decode(number)
        path = store / FrameName("dr7", *name.place, "r").path(name.rerun)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.symlink_to(real_data / "frames_dr7_r" / frame)
    archive.reset(store)
    catalogue = str(catalogue_of(known, tmp_path / "t.csv"))
    acquire(archive, tmp_path, catalogue=catalogue, redshifts=None, max_missing_fraction=0.5)
    missing = pd.read_csv(tmp_path / "raw" / "missing.csv")
    accepted, rejected = cut(tmp_path / "raw")
    assert accepted + rejected == len(known) == 16
    table = pd.read_parquet(tmp_path / "set" / "galaxies.parquet").set_index("objid")
    here = known[known["objid_frame_is_this"] & known["cutout64_inside"]].set_index("objid_dr7")
    assert table.loc[here.index, "frame"].tolist() == here["frame"].tolist()
    np.testing.assert_allclose(table.loc[here.index, "x"], here["x0"], atol=0.6)
    fields = {tuple(part) for part in known.loc[~known["objid_frame_is_this"], "frame_from_objid"].str.findall(r"\d+")}
    assert len(missing[missing["path"].str.contains("fpC")]) == len(fields)
