"""Stage acquire: a survey source -> data/raw, with a manifest of every file."""

from __future__ import annotations

import logging
from pathlib import Path

from galmorph.files.atomic import move_into_place
from galmorph.settings.layout import ARCHIVE, RAW, fresh_folder, load_params
from galmorph.settings.study import Settings
from galmorph.settings.tracked import require_tracked
from galmorph.sources.fetch import Mirror
from galmorph.sources.manifest import write_manifest
from galmorph.stages.launch import launch

log = logging.getLogger("galmorph.acquire")


def acquire(settings: Settings, folder: Path) -> dict[str, str]:
    """Fill an empty folder from the survey's source; return the addresses of the files that were downloaded."""
    require_tracked(settings)
    sample = settings.survey.sample
    # Each source imports its own heavy libraries.
    match settings.survey.source:
        case "simulated":
            from galmorph.sources import simulated

            simulated.acquire(settings.simulated, folder)
        case "sdss":
            from galmorph.sources import archive

            return archive.acquire(settings.sdss, sample, folder, Mirror(ARCHIVE.resolve()))
        case "local":
            from galmorph.sources import local

            local.acquire(settings.local, sample, folder)
        case "stamps":
            from galmorph.sources import stamps

            stamps.acquire(settings.stamps, sample, folder)
    return {}


def main() -> None:
    """Run the stage."""
    settings = load_params()
    with fresh_folder("acquire") as folder:
        output = folder / "raw"
        output.mkdir()
        urls = acquire(settings, output)
        log.info("acquire: %d files from source %s", write_manifest(output, urls), settings.survey.source)
        move_into_place(output, RAW)


if __name__ == "__main__":
    launch(main)
