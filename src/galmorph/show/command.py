"""galmorph show: one galaxy of the study -> a picture and what is known of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from galmorph.errors import GalmorphError
from galmorph.report.figures.style import save_png
from galmorph.sdss.frame_index import find_frames
from galmorph.sdss.frames import read_frame
from galmorph.settings.layout import RAW
from galmorph.show.dossier import ConditionAnswers, Dossier, gather, votes_of
from galmorph.show.portrait import portrait

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
        return description(dossier)
    path = output or SHOWN / f"{objid}.png"
    if output is None:
        path.parent.mkdir(exist_ok=True)
    elif not path.parent.is_dir():
        raise GalmorphError(f"{path.parent}: no such folder; make it, or name another file with --output")
    save_png(portrait(dossier, _frame(dossier, project / RAW)), path)
    return f"{description(dossier)}\nPicture: {path}\n"


def _frame(dossier: Dossier, raw: Path) -> NDArray[np.float32] | None:
    """Return the pixels of the frame that a galaxy was cut from; None if it is not here."""
    named = str(dossier.facts["frame"])
    if not raw.is_dir():
        log.warning("%s: not here, so the frame is not drawn; dvc pull data/raw brings it", raw)
        return None
    found = [frame.path for frame in find_frames(raw) if frame.path.name == named]
    if not found:
        return None
    return read_frame(found[0]).image


def description(dossier: Dossier) -> str:
    """Return what is known of a galaxy as text for a terminal."""
    lines = [f"{dossier.objid}", *_facts(dossier)]
    if dossier.stamp is not None:
        lines += ["", *_answers(dossier)]
    if dossier.stale:
        lines.append(
            f"Trained on other splits or stamps than the present ones, and not read: {', '.join(dossier.stale)}"
        )
    return "\n".join(lines) + "\n"


def _facts(dossier: Dossier) -> list[str]:
    facts = dossier.facts
    rows: list[tuple[str, str]] = []
    if dossier.rejected is not None:
        rows.append(("rejected", dossier.rejected))
    if "class" in facts:
        rows.append(("class", str(facts["class"])))
    if _known(facts, "ra", "dec"):
        rows.append(("position", f"RA {facts['ra']:.5f}, Dec {facts['dec']:+.5f} degrees"))
    redshift = f"{facts['redshift']:.4f}" if _known(facts, "redshift") else "unknown"
    if dossier.rejected is None:
        rows.append(("redshift", redshift))
    if facts.get("nvote"):
        shares = ", ".join(f"{words} {share:.2f}" for words, share in votes_of(facts).items())
        rows.append(("votes", f"{facts['nvote']}: {shares}"))
        if _known(facts, "p_el_debiased", "p_cs_debiased"):
            debiased = f"elliptical {facts['p_el_debiased']:.2f}, spiral {facts['p_cs_debiased']:.2f}"
            rows.append(("debiased", debiased))
    place = f", x {facts['x']:.1f}, y {facts['y']:.1f}" if _known(facts, "x", "y") else ""
    if facts.get("frame"):
        rows.append(("frame", f"{facts['frame']}{place}"))
    if _known(facts, "psf_fwhm"):
        rows.append(("seeing", f"{facts['psf_fwhm']:.2f} arcsec (FWHM)"))
    elif dossier.rejected is None:
        rows.append(("seeing", "unknown"))
    if _known(facts, "pixel_scale"):
        rows.append(("pixel", f"{facts['pixel_scale']:.3f} arcsec"))
    if _known(facts, "sky", "noise"):
        rows.append(("sky", f"{facts['sky']:.1f} DN, noise {facts['noise']:.1f} DN a pixel"))
    return [f"  {name:<10}{value}" for name, value in rows]


def _known(facts: Mapping[str, object], *names: str) -> bool:
    return all(isinstance(value := facts.get(name), float) and math.isfinite(value) for name in names)


def _answers(dossier: Dossier) -> list[str]:
    if not dossier.answers:
        return ["No confirmed run had it in its test part."]
    classes = list(dict.fromkeys(name for answers in dossier.answers for name in answers.classes))
    table = [
        [answers.name, f"{len(answers.runs)}", f"{answers.right}", *_means(answers, classes)]
        for answers in dossier.answers
    ]
    headers = ["trained", "runs that tested it", "right", *classes]
    text = tabulate(table, headers=headers, tablefmt="github", disable_numparse=True)
    return [*text.splitlines(), "", "Mean probabilities, of the confirmed runs that had it in their test part."]


def _means(answers: ConditionAnswers, classes: list[str]) -> list[str]:
    mean = dict(zip(answers.classes, answers.probabilities.mean(axis=0, dtype=float), strict=True))
    return [f"{mean[name]:.3f}" if name in mean else "" for name in classes]
