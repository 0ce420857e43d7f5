"""What each stage of dvc.yaml depends on, held against what its code imports."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import PurePosixPath

import grimp
import pytest

from galmorph.training.plan import TRAINING_CODE
from tests.support.parameters import ROOT, stages

# What a stage may import without depending on it: it decides no number of the stage's outputs. Imports are not
# followed into these.
DECIDES_NOTHING = {
    "galmorph": "the version, and `environment`",
    "galmorph.environment": "keeps variables from deciding a number; what is to be computed is said elsewhere",
    "galmorph.errors": "messages",
    "galmorph.settings": "decides what is allowed; the values are parameters",
    "galmorph.parallel": "results do not depend on the number of processes, nor on their order",
    "galmorph.files.atomic": "where files are written, not what",
    "galmorph.files.reading": "bytes as they are",
    "galmorph.stages.launch": "log, signals and exit status",
    "galmorph.stages.work": "whether outputs go to their place, not what they are",
}
# Of the stages that make the records, which MLflow only shows.
SHOWS_ONLY = {"galmorph.tracking": "a view of the records"}

STAGES = stages()


@cache
def graph() -> grimp.ImportGraph:
    """Return who imports whom in the package, imports inside functions included."""
    return grimp.build_graph("galmorph", cache_dir=None)


def within(module: str, packages: Mapping[str, str]) -> bool:
    return any(module == name or (name != "galmorph" and module.startswith(f"{name}.")) for name in packages)


def deciding_modules(module: str, ignored: Mapping[str, str]) -> set[str]:
    """Return a module and all that it imports, directly or not, but for what decides nothing."""
    found: set[str] = set()
    queue = [module]
    while queue:
        current = queue.pop()
        if current not in found and not within(current, ignored):
            found.add(current)
            queue += graph().find_modules_directly_imported_by(current)
    return found


def path_of(module: str) -> PurePosixPath:
    folder = PurePosixPath("src", *module.split("."))
    return folder / "__init__.py" if (ROOT / folder).is_dir() else folder.with_suffix(".py")


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_code_that_decides_its_outputs_and_on_no_other(name: str) -> None:
    stage = STAGES[name]
    words = stage["cmd"].split()
    module = words[words.index("-m") + 1]
    ignored = DECIDES_NOTHING if name == "report" else DECIDES_NOTHING | SHOWS_ONLY
    needed = {path_of(found) for found in deciding_modules(module, ignored)}
    named = {PurePosixPath(dependency) for dependency in stage["deps"] if dependency.startswith("src/")}
    assert {str(path) for path in needed if not named & {path, *path.parents}} == set()
    assert {str(path) for path in named if not any(path in {other, *other.parents} for other in needed)} == set()


def test_outputs_go_to_their_place_only_where_it_is_checked_that_nothing_was_edited() -> None:
    users = graph().find_modules_that_directly_import("galmorph.files.atomic")
    assert {module for module in users if module.startswith("galmorph.stages.")} == {"galmorph.stages.work"}


def test_a_campaign_knows_its_code_by_what_its_stage_depends_on() -> None:
    for name in ("train", "confirm", "transfer", "remedy"):
        named = {d.removeprefix("src/galmorph/") for d in STAGES[name]["deps"] if d.startswith("src/galmorph/")}
        assert {part for part in named if not part.startswith("stages/")} == set(TRAINING_CODE)


def test_a_setting_of_the_report_or_of_one_condition_reruns_nothing_else() -> None:
    assert [name for name, stage in STAGES.items() if "report" in stage["params"]] == ["report"]
    assert [name for name, stage in STAGES.items() if "conditions" in stage["params"]] == ["report"]
    for name in ("splits", "train", "confirm"):
        assert "conditions.${key}" in STAGES[name]["params"]
