"""What a study leaves behind, repeated from its first stage in one folder.

python -m validation.soak [--studies 10] [--folder FOLDER]

The commit is cloned into FOLDER (new; by default a temporary one). Each line is one study: its time, its processes that
still run, its temporary files, the files of the checkout, a digest of all hashes of DVC, and the store: runs, deleted
runs, bytes. `dvc repro --force` reuses nothing, and `galmorph sync` adds the records to MLflow, as `make reproduce`
does. The exit status is 1 if a study left anything that the first did not.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
STUDY: Final = "dvc repro --force && python -m galmorph.cli sync"
CACHES: Final = (".git", ".dvc")
GROWTH: Final = 1.02
ELSEWHERE: Final = ("MLFLOW_TRACKING_URI", "DVC_ROOT")  # would make the study use another store


@dataclass(frozen=True)
class Remains:
    """What is there after a study."""

    processes: int  # of the study's session
    temporary: int  # files and folders in its temporary folder
    files: int  # in the checkout, without those of git and DVC
    outputs: str  # digest of dvc.lock and of the files' names
    runs: int  # in MLflow's store
    deleted: int
    store_bytes: int

    def beyond(self, first: Remains) -> list[str]:
        """Return the names of what should not be there or differs from what the first study left."""
        found = [name for name in ("processes", "temporary") if getattr(self, name)]
        same = ("files", "outputs", "runs", "deleted")
        found += [name for name in same if getattr(self, name) != getattr(first, name)]
        return found + ["store_bytes"] * (self.store_bytes > GROWTH * first.store_bytes)


def study(folder: Path, environment: dict[str, str], temporary: Path) -> Remains:
    """Run the study of a checkout from its first stage, in a session of its own, and return what it left.

    Raises
    ------
    RuntimeError
        If it fails; with its output.
    """
    temporary.mkdir(exist_ok=True)
    log = temporary.with_name("soak.log")
    with log.open("w") as output:
        process = subprocess.Popen(
            ["sh", "-c", STUDY],
            cwd=folder,
            env=environment | {"TMPDIR": str(temporary)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        if process.wait():
            raise RuntimeError(log.read_text())
    alive = subprocess.run(["ps", "-o", "pid=", "-s", str(process.pid)], capture_output=True, text=True).stdout
    paths = (path.relative_to(folder) for path in folder.rglob("*"))
    names = sorted(str(path) for path in paths if path.parts[0] not in CACHES)
    held = "\n".join(names).encode() + (folder / "dvc.lock").read_bytes()
    database = folder / "mlflow.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
        runs = dict(store.execute("SELECT lifecycle_stage, COUNT(*) FROM runs GROUP BY lifecycle_stage"))
    return Remains(
        processes=len(alive.split()),
        temporary=len(list(temporary.rglob("*"))),
        files=len(names),
        outputs=hashlib.md5(held, usedforsecurity=False).hexdigest()[:8],
        runs=runs.get("active", 0),
        deleted=runs.get("deleted", 0),
        store_bytes=database.stat().st_size,
    )


def main() -> None:
    """Run the studies and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = arguments.folder or Path(name)
        base.mkdir(parents=True, exist_ok=True)
        checkout = base / "checkout"
        subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
        ours = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": "src"}
        environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE} | ours
        studies: list[Remains] = []
        line = "{:>12}" * (2 + len(fields(Remains)))
        print(line.format("study", "seconds", *(field.name for field in fields(Remains))), flush=True)
        for number in range(1, arguments.studies + 1):
            started = time.perf_counter()
            studies.append(study(checkout, environment, base / "tmp"))
            print(line.format(number, round(time.perf_counter() - started), *astuple(studies[-1])), flush=True)
    left = {number: found for number, each in enumerate(studies, 1) if (found := each.beyond(studies[0]))}
    sys.exit(f"differs from the first study: {left}" if left else 0)


if __name__ == "__main__":
    main()
