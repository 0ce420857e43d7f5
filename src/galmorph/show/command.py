"""galmorph show: one galaxy of the study -> a picture and what is known of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from galmorph.errors import GalmorphError
from galmorph.report.figures.style import save_png
from galmorph.sdss.frame_index import find_frames
from galmorph.sdss.frames import read_frame
from galmorph.settings.layout import RAW
from galmorph.show.dossier import Dossier, gather
from galmorph.show.portrait import portrait
from galmorph.stamps.origin import pixel_unit

log = logging.getLogger(__name__)

SHOWN = Path("shown")


def show(objid: int, output: Path | None, project: Path = Path(".")) -> str:
    """Draw a galaxy and return its description; a rejected galaxy has no picture.

    Raises
    ------
    GalmorphError
        If there is no such galaxy, or the picture cannot be written.
    """
    dossier = gather(objid, project)
    if dossier.stamp is None:
        return describe(dossier)
    path = output or SHOWN / f"{objid}.png"
    if output is None:
        path.parent.mkdir(exist_ok=True)
    elif not path.parent.is_dir():
        raise GalmorphError(f"{path.parent}: no such folder; make it, or name another file with --output")
    save_png(portrait(dossier, _frame(str(dossier.facts["frame"]), project / RAW)), path)
    return f"{describe(dossier)}\nPicture: {path}\n"


def _frame(name: str, raw: Path) -> NDArray[np.float32] | None:
    """Return the pixels of a frame; None if it is not there."""
    if not raw.is_dir():
        log.warning("%s: not here, so the frame is not drawn; dvc pull data/raw brings it", raw)
        return None
    path = next((frame.path for frame in find_frames(raw) if frame.path.name == name), None)
    return None if path is None else read_frame(path).image


def describe(dossier: Dossier) -> str:
    """Return what is known of a galaxy as text for a terminal."""
    lines = [f"{dossier.objid}", *(f"  {name:<10}{value}" for name, value in _facts(dossier).items())]
    if dossier.stamp is not None:
        lines += ["", *_predictions(dossier)]
    if dossier.stale:
        stale = ", ".join(dossier.stale)
        lines.append(f"Trained with other parameters, splits or stamps than the present ones, and not read: {stale}")
    return "\n".join(lines) + "\n"


def _facts(dossier: Dossier) -> dict[str, str]:
    facts = dossier.facts
    found: dict[str, str] = {}
    if dossier.rejected is not None:
        found["rejected"] = dossier.rejected
    if "class" in facts:
        found["class"] = str(facts["class"])
    if _known(facts, "ra", "dec"):
        found["position"] = f"RA {facts['ra']:.5f}, Dec {facts['dec']:+.5f} degrees"
    if dossier.rejected is None:
        found["redshift"] = f"{facts['redshift']:.4f}" if _known(facts, "redshift") else "unknown"
    if facts.get("nvote"):
        found["votes"] = f"{facts['nvote']}: " + ", ".join(f"{kind} {p:.2f}" for kind, p in dossier.votes.items())
        if _known(facts, "p_el_debiased", "p_cs_debiased"):
            found["debiased"] = f"elliptical {facts['p_el_debiased']:.2f}, spiral {facts['p_cs_debiased']:.2f}"
    if facts.get("frame"):
        place = f", x {facts['x']:.1f}, y {facts['y']:.1f}" if _known(facts, "x", "y") else ""
        found["frame"] = f"{facts['frame']}{place}"
    if _known(facts, "psf_fwhm"):
        found["seeing"] = f"{facts['psf_fwhm']:.2f} arcsec (FWHM)"
    elif dossier.rejected is None:
        found["seeing"] = "unknown"
    if _known(facts, "pixel_scale"):
        found["pixel"] = f"{facts['pixel_scale']:.3f} arcsec"
    if _known(facts, "sky", "noise"):
        unit = pixel_unit(str(facts["frame"]))
        found["sky"] = f"{facts['sky']:.4g}, noise {facts['noise']:.3g} a pixel, in {unit}"
    return found


def _known(facts: Mapping[str, Any], *names: str) -> bool:
    return all(isinstance(value := facts.get(name), float) and math.isfinite(value) for name in names)


def _predictions(dossier: Dossier) -> list[str]:
    if not dossier.predictions:
        return ["No confirmed run had it in its test part."]
    classes = list(dict.fromkeys(name for condition in dossier.predictions for name in condition.classes))
    table = [
        [condition.name, len(condition.runs), condition.right]
        + [f"{condition.means[name]:.3f}" if name in condition.means else "" for name in classes]
        for condition in dossier.predictions
    ]
    headers = ["trained", "runs that tested it", "right", *classes]
    text = tabulate(table, headers=headers, tablefmt="github", disable_numparse=True)
    return [*text.splitlines(), "", "Mean probabilities, of the confirmed runs that had it in their test part."]
