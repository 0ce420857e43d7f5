"""params.yaml of the project with changes, and the stages of dvc.yaml, for tests."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from galmorph.settings.reading import parse_settings
from galmorph.settings.study import Settings
from galmorph.settings.survey import SampleSettings

ROOT = Path(__file__).resolve().parents[2]
# So that samples of a few thousand made galaxies suffice, whatever the quick preset draws.
DRAW, EVALUATED = 200, 60
SMALL_NETWORK = {"filters": [4, 4], "kernels": [3, 3], "padding": "valid", "dense": [8], "dropout": 0.0}


def changed(data: Any, changes: dict[str, Any]) -> Any:
    """Return a copy of nested mappings with values replaced, or added, by dotted name."""
    result = copy.deepcopy(data)
    for name, value in changes.items():
        *blocks, last = name.split(".")
        block = result
        for key in blocks:
            block = block[key]
        block[last] = copy.deepcopy(value)
    return result


def committed() -> Any:
    """Return params.yaml as plain values, with draws and evaluation sets for made galaxies."""
    params = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    sizes = {f"conditions.{name}.draw": DRAW for name in params["conditions"]} | {"resolution.draw": DRAW}
    return changed(params, sizes | {f"protocol.evaluation.{kind}": EVALUATED for kind in ("natural", "balanced")})


def stages() -> dict[str, Any]:
    """Return the stages of dvc.yaml by name, without `do` around them and without the options of an output."""
    blocks = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    found = {name: {**block, **block.get("do", {})} for name, block in blocks.items()}
    for stage in found.values():
        stage["outs"] = [next(iter(one)) if isinstance(one, dict) else one for one in stage["outs"]]
    return found


def settings_with(changes: dict[str, Any]) -> Settings:
    """Return the settings of params.yaml with changes by dotted name."""
    return parse_settings(changed(committed(), changes))


NO_LIMITS = {"ra": None, "dec": None, "redshift": None, "nvote": None}


def sample(
    rule: str = "first", size: int | None = None, seed: int = 1, **limits: tuple[float, float]
) -> SampleSettings:
    """Return the settings of a sample."""
    return SampleSettings.model_validate({"rule": rule, "galaxies": size, "seed": seed, "limits": NO_LIMITS | limits})
