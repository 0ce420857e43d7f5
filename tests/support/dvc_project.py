"""A tiny survey in a project of its own, where tests run dvc."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from galmorph.environment import FAMILIES
from tests.support.parameters import ROOT, SMALL_NETWORK, changed, committed

TINY: dict[str, Any] = {
    "simulated.galaxies": 300,
    "protocol.runs": 2,
    "protocol.evaluation.natural": 6,
    "protocol.evaluation.balanced": 4,
    "protocol.evaluation.uncertain": 6,
    "network": SMALL_NETWORK,
    "training.epochs": 3,
    "report.png_dpi": 50,
    "resolution.runs": 2,
    "resolution.draw": 40,
    "resolution.sample.max_left_out_fraction": 0.6,
}
CONDITIONS = {"three_class": 120, "balanced": 40}  # galaxies drawn
PARTS = (
    *("src", "dvc.yaml", ".dvc/config", ".dvc/plots", ".dvcignore", ".gitignore"),
    *("data/external/README.md", "models/README.md"),
)


def environment() -> dict[str, str]:
    """Return the environment in which a copy of the project uses its own sources and the tests' commands.

    It has none of the variables that numerical libraries set for themselves when this process imported them.
    """
    dropped = ("MLFLOW_TRACKING_URI", "DVC_ROOT", "PYTHONPATH")
    libraries = tuple(prefix for prefixes in FAMILIES.values() for prefix in prefixes)
    kept = {name: value for name, value in os.environ.items() if name not in dropped and not name.startswith(libraries)}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "PYTHONPATH": "src"}


class Project:
    """A copy of the project in a folder of its own, with additional environment variables for its commands."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder, self.variables = folder, variables
        for part in PARTS:
            source, target = ROOT / part, folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        data = changed(committed(), TINY)
        data["conditions"] = {name: data["conditions"][name] | {"draw": draw} for name, draw in CONDITIONS.items()}
        data["comparisons"] = {"test": {"conditions": list(CONDITIONS), "metrics": ["accuracy"]}}
        self.params = data
        self.write_params()
        self.run("git", "init", "--quiet")
        self.run("git", "add", ".")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "start")

    def write_params(self, changes: dict[str, Any] | None = None) -> None:
        self.params = changed(self.params, changes or {})
        text = io.StringIO()
        YAML().dump(self.params, text)
        (self.folder / "params.yaml").write_text(text.getvalue(), encoding="utf-8")

    def run(self, *command: str, code: int = 0) -> str:
        """Run a command in the project; returns what it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment() | self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def repro(self) -> list[str]:
        """Run `dvc repro`; returns the stages that ran."""
        printed = self.run("dvc", "repro")
        return [line.split("'")[1] for line in printed.splitlines() if line.startswith("Running stage")]

    def galmorph(self, *arguments: str, code: int = 0) -> str:
        return self.run(sys.executable, "-m", "galmorph.cli", *arguments, code=code)

    def tables(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.folder / "reports/tables").iterdir())}

    def hashes(self) -> dict[str, str]:
        """The md5 of everything that DVC holds; its lock file has nothing of time or place."""
        return {out["path"]: out["md5"] for stage in self.lock().values() for out in stage["outs"]}

    def lock(self) -> Any:
        return YAML(typ="safe").load((self.folder / "dvc.lock").read_text(encoding="utf-8"))["stages"]
