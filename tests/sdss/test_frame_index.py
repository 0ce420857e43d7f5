import gzip

import numpy as np
import pandas as pd
import pytest

from galmorph.errors import GalmorphError
from galmorph.sdss.frame_index import (
    FRAME_DIAGONAL_DEG,
    assign_frames,
    count_misplaced,
    count_scattered,
    find_frames,
    find_tsfields,
)
from tests.support.frames import RA, objid, sky_position, write_dr7, write_dr8, write_tsfield


def galaxies(*rows):
    return pd.DataFrame(rows, columns=["objid", "ra", "dec"])


def test_frames_of_a_folder(tmp_path):
    write_dr7(tmp_path)
    write_dr7(tmp_path, field=84, flat=True)
    write_dr8(tmp_path, np.zeros((50, 50)))
    (tmp_path / "fpC-notes.fit.txt").write_text("no frame")
    frames = find_frames(tmp_path)
    assert sorted((frame.name.release, frame.name.place, frame.rerun) for frame in frames) == [
        ("dr7", (1729, 3, 83), 40),
        ("dr7", (1729, 3, 84), None),
        ("dr8", (94, 1, 131), None),
    ]
    assert [frame.name.band for frame in find_frames(tmp_path, "g")] == ["g"]
    with pytest.raises(GalmorphError, match="no such folder"):
        find_frames(tmp_path / "elsewhere")


def test_frames_and_tsfields_of_linked_folders_are_found_once(tmp_path):
    disk, folder = tmp_path / "disk", tmp_path / "frames"
    write_dr7(disk)
    write_tsfield(disk)
    folder.mkdir()
    (folder / "first").symlink_to(disk)
    (folder / "second").symlink_to(disk)
    (disk / "loop").symlink_to(disk)
    (frame,) = find_frames(folder)
    assert frame.path.is_relative_to(folder / "first")
    assert list(find_tsfields(folder)) == [(1729, 3, 83)]


def test_a_frame_beside_its_compressed_file_is_found_once(tmp_path):
    compressed = write_dr7(tmp_path)
    beside = compressed.with_suffix("")
    beside.write_bytes(gzip.decompress(compressed.read_bytes()))
    assert [frame.path for frame in find_frames(tmp_path)] == [compressed]
    compressed.unlink()
    assert [frame.path for frame in find_frames(tmp_path)] == [beside]


def test_tsfields_of_a_folder_and_of_two_reruns(tmp_path):
    write_tsfield(tmp_path, rerun=44)
    write_tsfield(tmp_path, rerun=41)
    write_tsfield(tmp_path, field=84)
    found = find_tsfields(tmp_path)
    assert {place: path.name for place, path in found.items()} == {
        (1729, 3, 83): "tsField-001729-3-44-0083.fit",
        (1729, 3, 84): "tsField-001729-3-40-0084.fit",
    }


def test_the_frame_that_the_id_names_wins_over_the_position(tmp_path):
    write_dr7(tmp_path, field=83)
    write_dr7(tmp_path, field=84)
    frames = find_frames(tmp_path)
    there = sky_position(1000, 700)
    assignment = assign_frames(galaxies((objid(1, field=84), *there), (objid(2, field=83), *there)), frames)
    assert [frames[index].name.field for index in assignment.frame] == [84, 83]
    assert assignment.by_objid.tolist() == [True, True]


def test_rerun_and_release_preferences(tmp_path):
    write_dr7(tmp_path, rerun=40)
    write_dr7(tmp_path, rerun=44)
    write_dr8(tmp_path, np.zeros((50, 50)), run=1729, camcol=3, field=83, band="r")
    frames = find_frames(tmp_path, "r")
    assert len(frames) == 3
    rows = [(objid(1, rerun=rerun), RA, 20.0) for rerun in (40, 44, 42)]
    assert [frames[index].rerun for index in assign_frames(galaxies(*rows), frames).frame] == [40, 44, 44]


def test_by_position_the_frame_with_most_room(tmp_path):
    write_dr7(tmp_path, field=83)
    # A degree of declination is 9,091 pixels: 100 pixels further north, where x of the same galaxy is 100 less.
    write_dr7(tmp_path, field=84, cards={"CRVAL2": 20.0 + 100 * 0.396 / 3600})
    frames = find_frames(tmp_path)
    rows = [
        (7, *sky_position(50, 700)),  # on 83 only
        (objid(3, run=99), *sky_position(110, 700)),  # on both, nearer to the edge of 84
        (8, *sky_position(2000, 700)),  # on both, nearer to the edge of 83
        (9, *sky_position(2100, 700)),  # on 84 only
        (10, *sky_position(1000, 1600)),  # on neither
        (11, (RA + 180) % 360, -20.0),  # the other side of the sky
        (12, *sky_position(3, 3)),  # in a corner of 83
    ]
    assignment = assign_frames(galaxies(*rows), frames)
    fields = [frames[index].name.field if index >= 0 else None for index in assignment.frame]
    assert fields == [83, 83, 84, 84, None, None, 83]
    assert not assignment.by_objid.any()


def test_unreadable_frames_are_reported(tmp_path):
    path = write_dr7(tmp_path, field=83)
    path.write_bytes(b"<html>")
    write_dr7(tmp_path, field=84)
    frames = find_frames(tmp_path)
    assignment = assign_frames(galaxies((7, *sky_position(1000, 700))), frames)
    assert [frames[index].path for index in assignment.unreadable] == [path]
    assert frames[assignment.frame[0]].name.field == 84


def test_ids_are_compared_with_positions_on_the_frames_at_hand(tmp_path):
    for field in (83, 84, 85):
        write_dr7(tmp_path, field=field)
    (tmp_path / "imaging/1729/40/corr/3/fpC-001729-r3-0085.fit.gz").write_bytes(b"<html>")
    rows = [
        (objid(1, field=83), *sky_position(1000, 700)),
        (objid(2, field=83), *sky_position(2100, 700)),  # off it
        (objid(3, field=84), RA + 180, -20.0),
        (objid(4, field=85), *sky_position(1000, 700)),  # its frame cannot be read
        (objid(5, field=99), RA, 20.0),  # its frame is not at hand
        (7, RA, 20.0),
    ]
    frames = find_frames(tmp_path)
    assert count_misplaced(galaxies(*rows), frames) == (2, 3)
    assert count_misplaced(galaxies(*rows), frames, 1) == (1, 2)
    assert count_misplaced(galaxies(*rows), []) == (0, 0)


def test_galaxies_of_one_frame_are_compared_with_each_other():
    wide = 0.9 * FRAME_DIAGONAL_DEG
    rows = [(objid(1, field=83), RA, 20.0), (objid(2, field=83), RA, 20.0 + wide), (objid(3, field=84), RA, 40.0)]
    assert count_scattered(galaxies(*rows)) == (0, 1)
    rows += [(objid(4, field=84), RA, 40.0 + 1.2 * FRAME_DIAGONAL_DEG), (7, RA, 0.0), (8, RA, 50.0)]
    assert count_scattered(galaxies(*rows)) == (1, 2)


@pytest.mark.real
def test_real_ids_and_positions_belong_together_until_they_are_shuffled(real_data):
    table = pd.read_csv(real_data / "galaxyzoo1" / "labels_95929.csv.gz").rename(columns={"objid_dr7": "objid"})
    assert count_scattered(table)[0] == 0
    sorted_alone = table.assign(objid=np.sort(table["objid"]))
    scattered, shared = count_scattered(sorted_alone)
    assert scattered > 0.9 * shared
