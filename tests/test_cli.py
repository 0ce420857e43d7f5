import logging

import pytest

from galmorph import cli
from galmorph.errors import GalmorphError
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
