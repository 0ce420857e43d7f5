"""Stage acquire: a survey source -> data/raw, with a manifest of every file."""

from __future__ import annotations

import logging
from pathlib import Path

from galmorph.errors import GalmorphError
from galmorph.settings.layout import ARCHIVE, RAW
from galmorph.settings.study import Settings
from galmorph.settings.tracked import require_tracked
from galmorph.sources.fetch import Mirror
from galmorph.sources.manifest import write_manifest
from galmorph.stages.launch import launch
from galmorph.stages.work import stage_work

log = logging.getLogger("galmorph.acquire")


def acquire(settings: Settings, folder: Path) -> dict[str, str]:
    """Fill an empty folder from the survey's source.

    Returns
    -------
    dict
        By path, the address of each frame, tsField file or stamp of the sample; empty if it was not downloaded.

    Raises
    ------
    GalmorphError
        If one of them is not in the folder, or the source refuses.
    """
    require_tracked(settings)
    files = _fill(settings, folder)
    if lost := [path for path in files if not (folder / path).is_file()]:
        raise GalmorphError(
            f"{folder / lost[0]}: {len(lost)} of {len(files)} files of the sample are not there, though they were "
            "written: something else has removed them; run dvc repro again"
        )
    return files


def _fill(settings: Settings, folder: Path) -> dict[str, str]:
    sample = settings.survey.sample
    # Each source imports its own heavy libraries.
    match settings.survey.source:
        case "simulated":
            from galmorph.sources import simulated

            return dict.fromkeys(simulated.acquire(settings.simulated, folder), "")
        case "sdss":
            from galmorph.sources import archive

            return archive.acquire(settings.sdss, sample, folder, Mirror(ARCHIVE.resolve()))
        case "local":
            from galmorph.sources import local

            return dict.fromkeys(local.acquire(settings.local, sample, folder), "")
        case "stamps":
            from galmorph.sources import stamps

            return dict.fromkeys(stamps.acquire(settings.stamps, sample, folder), "")


def main() -> None:
    """Run the stage."""
    with stage_work("acquire") as work:
        output = work.folder / "raw"
        output.mkdir()
        urls = acquire(work.settings, output)
        log.info("acquire: %d files from source %s", write_manifest(output, urls), work.settings.survey.source)
        work.put((output, RAW))


if __name__ == "__main__":
    launch(main)
