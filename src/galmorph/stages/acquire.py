"""Stage acquire: a survey source -> data/raw, with a manifest of every file."""

from __future__ import annotations

import csv
import hashlib
import logging
from pathlib import Path

from galmorph.settings import Settings
from galmorph.stages.launch import launch
from galmorph.stages.layout import RAW, fresh_folder, replace, settings

log = logging.getLogger("galmorph.acquire")


def acquire(chosen: Settings, folder: Path) -> None:
    """Let the survey's source leave its files in an empty folder."""
    # Each source brings its own heavy libraries.
    if chosen.survey.source == "simulated":
        from galmorph.sources import simulated

        simulated.acquire(chosen.simulated, folder)
    elif chosen.survey.source == "local":
        from galmorph.sources import local

        local.acquire(chosen.local, chosen.survey.sample, folder)
    else:
        from galmorph.sources import stamps

        stamps.acquire(chosen.stamps, chosen.survey.sample, folder)


def write_manifest(folder: Path) -> int:
    """Write manifest.csv (path, size, sha256) of every file below `folder`; returns the number of files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["path", "size", "sha256"])
        for path in files:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            writer.writerow([path.relative_to(folder).as_posix(), path.stat().st_size, digest])
    return len(files)


def main() -> None:
    """Run the stage."""
    chosen = settings()
    with fresh_folder("acquire") as folder:
        made = folder / "raw"
        made.mkdir()
        acquire(chosen, made)
        log.info("acquire: %d files from source %s", write_manifest(made), chosen.survey.source)
        replace(made, RAW)


if __name__ == "__main__":
    launch(main)
