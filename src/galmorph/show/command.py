"""galmorph show: one galaxy of the study -> a picture and what is known of it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galmorph.errors import GalmorphError
from galmorph.report.figures.png import save_png
from galmorph.sdss.frame_index import find_frames
from galmorph.sdss.frames import read_frame
from galmorph.settings.layout import RAW
from galmorph.show.dossier import Dossier, gather
from galmorph.show.portrait import portrait
from galmorph.show.telling import told

log = logging.getLogger(__name__)

SHOWN = Path("shown")


def show(objid: int, output: Path | None, project: Path = Path(".")) -> str:
    """Draw a galaxy, and return what is said of it; a rejected one has no picture.

    Raises
    ------
    GalmorphError
        If there is no such galaxy, or the picture cannot be written.
    """
    dossier = gather(objid, project)
    if dossier.stamp is None:
        return told(dossier)
    path = output or SHOWN / f"{objid}.png"
    if output is None:
        path.parent.mkdir(exist_ok=True)
    elif not path.parent.is_dir():
        raise GalmorphError(f"{path.parent}: no such folder; make it, or name another file with --output")
    save_png(portrait(dossier, _frame(dossier, project / RAW)), path)
    return f"{told(dossier)}\nPicture: {path}\n"


def _frame(dossier: Dossier, raw: Path) -> NDArray[np.float32] | None:
    """Return the pixels of the frame that a galaxy was cut from; None where it is not at hand."""
    named = str(dossier.facts["frame"])
    if not raw.is_dir():
        log.warning("%s: not here, so the frame is not drawn; dvc pull data/raw brings it", raw)
        return None
    found = [frame.path for frame in find_frames(raw) if frame.path.name == named]
    if not found:
        return None
    return read_frame(found[0]).image
