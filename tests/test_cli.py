import logging
import re

import pytest

from archiveserver import serving
from framemaker import objid, table2_row, write_table2
from galmorph import cli
from galmorph.errors import GalmorphError
from galmorph.manifest import write_manifest
from galmorph.stages import layout
from galmorph.stages.launch import launch
from parameters import ROOT


@pytest.fixture(autouse=True)
def _logging_as_before():
    yield
    logging.getLogger("galmorph").setLevel(logging.NOTSET)


def test_check_outside_a_project_says_where_to_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["galmorph", "check"])
    with pytest.raises(SystemExit, match=r"params\.yaml: no such file; run galmorph in the project's root"):
        cli.main()


def test_summary_before_any_report_says_how_to_make_one(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GalmorphError, match="run dvc repro"):
        cli.summary()


def test_a_defect_of_ours_keeps_its_traceback():
    def broken():
        raise KeyError("ours")

    with pytest.raises(KeyError):
        launch(broken)


def test_an_interrupted_stage_says_what_happens_next():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit, match="dvc repro goes on from there"):
        launch(interrupted)


def test_replace_takes_the_place_of_what_was_there(tmp_path):
    old, new = tmp_path / "place", tmp_path / "work"
    for folder, name in ((old, "old"), (new, "new")):
        folder.mkdir()
        (folder / name).touch()
    layout.replace(new, old)
    assert [path.name for path in old.iterdir()] == ["new"]
    assert not new.exists()


def test_a_fresh_folder_is_empty_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    left = layout.PARTIAL / "stage" / "left"
    left.mkdir(parents=True)
    folder = None
    try:
        with layout.fresh_folder("stage") as folder:
            assert list(folder.iterdir()) == []
            (folder / "half").touch()
            raise ValueError
    except ValueError:
        pass
    assert folder is not None
    assert list(layout.PARTIAL.iterdir()) == []


def test_plan_is_for_the_archive(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GalmorphError, match=r"survey\.source is simulated, which downloads nothing"):
        cli.plan()


def test_plan_prints_what_a_sample_costs(tmp_path, monkeypatch, capsys):
    write_table2(tmp_path / "t.csv", [table2_row(objid(1), 10.0, 5.0), table2_row(objid(2, field=84), 10.1, 5.0)])
    text = (ROOT / "presets/sdss.yaml").read_text().replace("galaxies: 15000  ", "galaxies: 2  ")
    text = re.sub(r"catalogue: https\S+", f"catalogue: {tmp_path / 't.csv'}", text)
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    cli.plan()
    printed = capsys.readouterr().out
    assert "galaxies          2 of 2 rows of t.csv, rule first\n  spiral          2\n" in printed
    assert "frames            2 of band r, dr7, from https://das.sdss.org\n" in printed
    assert "to download       4 files, about 0.00 GB\n" in printed


def test_verify_says_what_is_wrong_and_repairs_it(tmp_path, monkeypatch, capsys):
    store, raw = tmp_path / "server", tmp_path / "data" / "raw"
    for folder in (store, raw):
        folder.mkdir(parents=True)
        (folder / "one.fit").write_bytes(b"1" * 1000)
    monkeypatch.chdir(tmp_path)
    with serving(store) as archive:
        write_manifest(raw, {"one.fit": f"{archive.url}/one.fit"})
        monkeypatch.setattr("sys.argv", ["galmorph", "verify"])
        cli.main()
        assert capsys.readouterr().out == "data/raw: 1 files, all of them as the manifest says\n"
        (raw / "one.fit").write_bytes(b"2" * 1000)
        with pytest.raises(SystemExit, match="1 files are not what the manifest says; galmorph verify --repair"):
            cli.main()
        assert "wrong     one.fit: other bytes than the manifest's\n" in capsys.readouterr().out
        monkeypatch.setattr("sys.argv", ["galmorph", "verify", "--repair"])
        cli.main()
        assert capsys.readouterr().out == "repaired  one.fit\n"
    assert (raw / "one.fit").read_bytes() == b"1" * 1000
