"""Stage acquire: a survey source -> data/raw, with a manifest of every file."""

from __future__ import annotations

import logging
from pathlib import Path

from galmorph.files.atomic import move_into_place
from galmorph.settings.layout import ARCHIVE, RAW, fresh_folder, load_params
from galmorph.settings.study import Settings
from galmorph.sources.fetch import Mirror
from galmorph.sources.manifest import write_manifest
from galmorph.stages.launch import launch

log = logging.getLogger("galmorph.acquire")


def acquire(settings: Settings, folder: Path) -> dict[str, str]:
    """Let the survey's source leave its files in an empty folder; return the addresses of those that it downloaded."""
    # Each source brings its own heavy libraries.
    if settings.survey.source == "simulated":
        from galmorph.sources import simulated

        simulated.acquire(settings.simulated, folder)
    elif settings.survey.source == "sdss":
        from galmorph.sources import archive

        return archive.acquire(settings.sdss, settings.survey.sample, folder, Mirror(ARCHIVE.resolve()))
    elif settings.survey.source == "local":
        from galmorph.sources import local

        local.acquire(settings.local, settings.survey.sample, folder)
    else:
        from galmorph.sources import stamps

        stamps.acquire(settings.stamps, settings.survey.sample, folder)
    return {}


def main() -> None:
    """Run the stage."""
    settings = load_params()
    with fresh_folder("acquire") as folder:
        made = folder / "raw"
        made.mkdir()
        urls = acquire(settings, made)
        log.info("acquire: %d files from source %s", write_manifest(made, urls), settings.survey.source)
        move_into_place(made, RAW)


if __name__ == "__main__":
    launch(main)
