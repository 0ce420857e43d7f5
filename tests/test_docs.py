"""What the documents promise."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from galmorph import cli
from galmorph.report import thesis
from galmorph.report.comparisons import differing, obstacle
from galmorph.report.series import lines
from galmorph.report.table import read_summary, short_summary
from galmorph.settings.reading import load_settings
from galmorph.settings.study import NUMERIC_KEYS, TRAINING_GALAXIES, Settings
from tests.support.parameters import ROOT, stages
from validation import results

PAGES = [ROOT / name for name in ("README.md", "README.ja.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_pages_are_built_without_a_warning(tmp_path):
    built = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(built, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    api = (tmp_path / "site/api.html").read_text(encoding="utf-8")
    assert "The folder of a finished study" in api


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


@pytest.mark.parametrize(
    ("page", "heading"),
    [("README.md", "# galmorph"), ("README.ja.md", "# galmorph"), ("docs/resolution.md", "## The quick preset")],
)
def test_scores_of_the_quick_preset_are_the_published_ones(page: str, heading: str) -> None:
    _, text = (ROOT / page).read_text(encoding="utf-8").split(f"{heading}\n")
    quick = ROOT / "published/quick"
    tables = [path.read_text(encoding="utf-8") for path in sorted(quick.glob("tables/*.md"))]
    published = "\n".join([short_summary(read_summary(quick / "summary.csv")), *tables])
    score = r"\d\.\d{3} ± \d\.\d{3}"
    written = re.findall(score, text)
    assert written
    assert set(written) <= set(re.findall(score, published))


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


def as_the_tutorial_says(tmp_path: Path) -> Settings:
    """Return params.yaml with the tutorial's blocks in it, pasted as its words have it."""
    tutorial = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    blocks = re.findall(r"under `(\w+)`(?:(?!\n\n)[^:])*:\n\n((?:    .*\n)+)", tutorial)
    assert [block for block, _ in blocks] == ["conditions", "comparisons", "conditions", "comparisons", "series"]
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for block, pasted in blocks:
        below = pasted.replace("\n    ", "\n  ").removeprefix("  ")
        text, found = re.subn(rf"^({block}:)(?: {{}})?(.*\n)", rf"\1\2{below}", text, flags=re.MULTILINE)
        assert found == 1
    changed = tmp_path / "params.yaml"
    changed.write_text(text, encoding="utf-8")
    return load_settings(changed)


def test_the_tutorial_compares_what_it_adds_with_the_plain_condition(tmp_path: Path) -> None:
    before, after = load_settings(ROOT / "params.yaml"), as_the_tutorial_says(tmp_path)
    added = {
        name: condition.training and {key for key, value in condition.training if value != getattr(after.training, key)}
        for name, condition in after.conditions.items()
        if name not in before.conditions
    }
    trained = {"weighted": {"class_weight"}, "flipped": {"augmentation"}, "slow": {"learning_rate"}}
    assert added == {"balanced_half": None} | trained
    assert after.conditions["slow"].drawing == after.conditions["two_class"].drawing
    pairs = {
        pair.conditions: pair.metrics for name, pair in after.comparisons.items() if name not in before.comparisons
    }
    assert pairs == dict.fromkeys(
        [("balanced_half", "balanced"), *(("two_class", name) for name in trained)], ("accuracy", "tss")
    )
    for pair, metrics in pairs.items():
        (key,) = differing(after, pair)
        assert key == "draw" or {key} == {f"training.{name}" for name in trained[pair[1]]}
        assert {obstacle(after, pair, metric, "own test part") for metric in metrics} == {None}
    assert lines(after, after.series["learning_rate"]) == {"": ["slow", "two_class"]}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_on_the_pages_are_commands(page: Path) -> None:
    """Those of galmorph and make, in indented lines and between backticks."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = {f"galmorph {function.__name__}" for function in cli.COMMANDS}
    known |= {f"make {target}" for target in re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)}
    named = re.findall(r"(?:^    |`)((?:galmorph|make) [a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= known


NAMED = [
    *((kind,) for kind in ("conditions", "comparisons", "series")),
    *(("resolution", kind) for kind in ("levels", "ablations", "remedies")),
]
# Blocks that have a row of their own.
WHOLE = [
    *(("conditions", "NAME", block) for block in ("mix", "network", "training")),
    ("resolution", "ablations", "NAME"),
]


def leaves(block: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every key of a params file, those of blocks that the user names with NAME for the name."""
    for key, value in block.items():
        path = (*above, "NAME" if above in NAMED else key)
        if isinstance(value, dict) and path not in WHOLE:
            yield from leaves(value, path)
        else:
            yield ".".join(path)


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[str, set[str]]]:
    """Return of each row of docs/parameters.md, by its key, what is allowed and the stages that run again."""
    text = (ROOT / "docs/parameters.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|.*\| ([^|]+) \|$", text, re.MULTILINE)
    return {
        key: (allowed, {one.strip().partition("@")[0] for one in named.split(",")}) for key, allowed, named in found
    }


@pytest.fixture(scope="module")
def stage_inputs() -> dict[str, dict[str, Any]]:
    """Return the stages of dvc.yaml, each with the parameters that it reads, its dependencies and outputs."""
    found = {}
    for name, stage in stages().items():
        read = [re.sub(r"\$\{\w+\}", "NAME", param) for param in stage["params"] if param != "${survey.source}"]
        if "${survey.source}" in stage["params"]:
            read += ["simulated", "sdss", "local", "stamps"]
        paths = {kind: [re.sub(r"\$\{[^}]+\}", "NAME", path) for path in stage[kind]] for kind in ("deps", "outs")}
        found[name] = paths | {"params": read, "foreach": stage.get("foreach", "${none}")[2:-1]}
    return found


def test_every_parameter_has_its_row_and_every_row_the_stages_that_it_runs_again(
    rows: dict[str, tuple[str, set[str]]], stage_inputs: dict[str, dict[str, Any]]
) -> None:
    names = ("params.yaml", "presets/resolution.yaml", "presets/learning.yaml")
    written = {key for name in names for key in leaves(YAML(typ="safe").load(ROOT / name))}
    assert set(rows) == written | {"resolution.levels.NAME.stamps", "conditions.NAME.network"}  # in no preset

    def reads(stage: dict[str, Any], key: str) -> bool:
        return any(f"{key}.".startswith(f"{param}.") for param in (*stage["params"], stage["foreach"]))

    followers = {
        name: {
            other
            for other, later in stage_inputs.items()
            if any(
                f"{out}/".startswith(f"{dep}/") or f"{dep}/".startswith(f"{out}/")
                for out, dep in product(stage["outs"], later["deps"])
            )
        }
        for name, stage in stage_inputs.items()
    }

    def all_after(named: set[str]) -> set[str]:
        more = named.union(*(followers[name] for name in named))
        return named if more == named else all_after(more)

    for key, (_, named) in rows.items():
        for name in named:
            assert reads(stage_inputs[name], key), (key, name)
        # The galaxies of a condition stay the same if it changes how it is trained: nothing follows from the splits.
        same = {"splits"} if key in ("conditions.NAME.network", "conditions.NAME.training") else set()
        others = {name for name, stage in stage_inputs.items() if reads(stage, key)} - named - {"report"}
        assert others <= all_after(named - same), key


def test_the_page_has_the_axes_that_a_series_may_have(rows: dict[str, tuple[str, set[str]]]) -> None:
    assert re.findall(r"`([^`]+)`", rows["series.NAME.x"][0]) == [TRAINING_GALAXIES, *NUMERIC_KEYS]


def test_the_results_are_those_of_the_published_studies() -> None:
    text, figures = results.page()
    assert text == results.PAGE.read_text(encoding="utf-8")
    assert all(target.read_bytes() == source.read_bytes() for target, source in figures.items())
