"""What the documents promise."""

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from galmorph.report import thesis
from tests.support.parameters import ROOT

PAGES = [ROOT / name for name in ("README.md", "README.ja.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_thesis_stands_beside_the_simulation_with_the_same_spread():
    """One standard deviation, where the thesis prints two."""
    text = " ".join((ROOT / "docs/simulation.md").read_text(encoding="utf-8").split())
    (found,) = re.findall(r"The thesis has (\S+ ± \S+) and (\S+ ± \S+)", text)
    printed = [thesis.CONDITIONS[name].accuracy for name in ("two_class", "three_class")]
    assert list(found) == [f"{each.mean:.3f} ± {each.two_std / 2:.3f}" for each in printed if each]


@pytest.mark.real
def test_the_label_file_of_efigi_is_made_as_the_page_says(real_data, tmp_path):
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^    (awk .*efigi.csv)$", text, flags=re.MULTILINE)
    folder = tmp_path / "data/external"
    folder.mkdir(parents=True)
    (folder / "efigi").symlink_to(real_data / "efigi")
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True)
    labels = pd.read_csv(folder / "efigi.csv")
    assert labels["class"].value_counts().to_dict() == {"spiral": 3119, "elliptical": 826}
    assert all((folder / "efigi" / name).exists() for name in labels["stamp"])


@pytest.mark.real
def test_the_label_files_of_galaxy_zoo_are_made_as_the_page_says(real_data, tmp_path):
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    (awk .*gz1\w*\.csv)$", text, flags=re.MULTILINE)
    zoo, folder = real_data / "galaxyzoo1", tmp_path / "data/external"
    folder.mkdir(parents=True)
    for line in lines:
        subprocess.run(["sh", "-c", line.replace("/path/to", str(zoo))], cwd=tmp_path, check=True)
    flags, votes = (pd.read_csv(folder / name) for name in ("gz1.csv", "gz1_votes.csv"))
    assert flags["class"].value_counts().to_dict() == {"uncertain": 382, "spiral": 316, "elliptical": 142}
    assert votes["class"].value_counts().to_dict() == {"elliptical": 3893, "spiral": 1540}
    assert all((zoo / "images" / name).exists() for name in [*flags["stamp"], *votes["stamp"]])


def test_the_japanese_readme_has_the_commands_links_and_results_of_the_english_one():
    english, japanese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ja.md"))
    for what in (r"^    (\S.*)$", r"\d\.\d{3} ± \d\.\d{3}", r"!?\]\(([^)]+)\)"):
        ours, theirs = (re.findall(what, text, flags=re.MULTILINE) for text in (japanese, english))
        assert ours
        assert set(theirs) - {"README.ja.md"} <= set(ours)


def test_every_fault_has_its_row_and_every_row_its_test():
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"([\w/]+\.py)::(test_\w+)", text))
    tests = ROOT / "tests"
    written = {
        (path.relative_to(tests).as_posix(), name)
        for path in tests.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
    }
    assert named <= written
    faults = {(file, name) for file, name in written if file.startswith("faults/")}
    assert faults <= named


NAMED = [("conditions",), ("comparisons",), *(("resolution", kind) for kind in ("levels", "ablations", "remedies"))]


def leaves(block: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every key of a params file, those of blocks that the user names with NAME for the name."""
    for key, value in block.items():
        path = (*above, "NAME" if above in NAMED else key)
        if isinstance(value, dict) and path != ("resolution", "ablations", "NAME"):
            yield from leaves(value, path)
        else:
            yield ".".join(path)


def test_every_parameter_has_its_row_and_every_row_the_stages_that_it_runs_again() -> None:
    text = (ROOT / "docs/parameters.md").read_text(encoding="utf-8")
    rows = {
        row[0]: {stage.strip().partition("@")[0] for stage in row[1].split(",")}
        for row in re.findall(r"^\| `([\w.]+)` \|.*\| ([^|]+) \|$", text, re.MULTILINE)
    }
    files = [YAML(typ="safe").load(ROOT / name) for name in ("params.yaml", "presets/resolution.yaml")]
    optional = {"resolution.levels.NAME.stamps", "conditions.NAME.network", "conditions.NAME.training"}
    optional |= {"series.NAME.x", "series.NAME.conditions"}
    assert set(rows) == {key for params in files for key in leaves(params)} | optional
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    for key, named in rows.items():
        for name in named:
            stage = stages[name].get("do", stages[name])
            read = [re.sub(r"\$\{\w+\}", "NAME", param) for param in stage["params"] if param != "${survey.source}"]
            if "${survey.source}" in stage["params"]:
                read += ["simulated", "sdss", "local", "stamps"]
            read.append(stages[name].get("foreach", "${none}")[2:-1])
            assert any(f"{key}.".startswith(f"{param}.") for param in read), (key, name)
