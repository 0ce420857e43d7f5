"""A galaxy in a picture and in words."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from galmorph.show.command import describe
from galmorph.show.dossier import ConditionPredictions, Dossier
from galmorph.show.portrait import portrait
from galmorph.stamps.pixels import cut

VOTES = {"p_el": 0.6, "p_cw": 0.1, "p_acw": 0.1, "p_edge": 0.1, "p_dk": 0.05, "p_mg": 0.05}
FACTS: dict[str, object] = {
    **{"class": "elliptical", "ra": 10.5, "dec": -1.25, "redshift": 0.0512, "nvote": 31, **VOTES},
    **{"p_el_debiased": 0.55, "p_cs_debiased": 0.4, "frame": "fpC-001729-r3-0083.fit.gz", "x": 140.6, "y": 99.4},
    **{"psf_fwhm": 1.43, "pixel_scale": 0.396, "sky": 150.0, "noise": 5.5},
}
FRAME = np.random.default_rng(0).normal(150, 5, (200, 300)).astype(np.float32)
STAMP = cut(FRAME, 140.6, 99.4, 64)
PREDICTIONS = (
    ConditionPredictions(
        "two_class", ("spiral", "elliptical"), (3, 9), np.array([[0.2, 0.8], [0.7, 0.3]], np.float32), "elliptical"
    ),
    ConditionPredictions(
        "three_class", ("spiral", "elliptical", "uncertain"), (4,), np.array([[0.2, 0.3, 0.5]]), "elliptical"
    ),
)
DOSSIER = Dossier(587727178986356823, FACTS, STAMP, PREDICTIONS, ())


def test_the_box_is_where_the_stamp_was_cut() -> None:
    frame_axes, stamp_axes, votes, bars = portrait(DOSSIER, FRAME).axes
    (box,) = [patch for patch in frame_axes.patches if isinstance(patch, Rectangle)]
    left, bottom = (int(edge + 0.5) for edge in box.get_xy())
    np.testing.assert_array_equal(FRAME[bottom : bottom + 64, left : left + 64], STAMP)
    assert (box.get_width(), box.get_height()) == (64, 64)
    shown: Any = stamp_axes.images[0].get_array()
    assert shown.shape == (64, 64)
    assert [bar.get_width() for bar in votes.patches] == [0.6, 0.1, 0.1, 0.1, 0.05, 0.05]  # type: ignore[attr-defined]
    assert [label.get_text() for label in bars.get_yticklabels()] == [
        "two_class, 1 of 2 right",
        "three_class, 0 of 1 right",
    ]
    widths = [bar.get_width() for bar in bars.patches]  # type: ignore[attr-defined]
    np.testing.assert_allclose(widths, [0.45, 0.55, 0.2, 0.3, 0.5])


def test_a_survey_without_frames_votes_or_predictions() -> None:
    nobody = dict.fromkeys(VOTES, math.nan) | {"nvote": 0, "redshift": math.nan, "psf_fwhm": math.nan}
    bare = dataclasses.replace(DOSSIER, facts=FACTS | nobody, predictions=())
    stamp_axes, votes, bars = portrait(bare, None).axes
    assert len(stamp_axes.images) == 1
    assert not votes.axison
    assert not bars.axison
    text = describe(bare)
    assert "  redshift  unknown\n" in text
    assert "  seeing    unknown\n" in text
    assert "votes" not in text
    assert "No confirmed run had it in its test part." in text


def test_words() -> None:
    text = describe(DOSSIER)
    for line in (
        "  class     elliptical",
        "  position  RA 10.50000, Dec -1.25000 degrees",
        "  redshift  0.0512",
        "  votes     31: elliptical 0.60, clockwise 0.10, anticlockwise 0.10, edge-on 0.10, merger 0.05, "
        "don't know 0.05",
        "  debiased  elliptical 0.55, spiral 0.40",
        "  frame     fpC-001729-r3-0083.fit.gz, x 140.6, y 99.4",
        "  seeing    1.43 arcsec (FWHM)",
        "  sky       150, noise 5.5 a pixel, in DN",
        "| two_class   | 2                     | 1       | 0.450    | 0.550        |             |",
        "| three_class | 1                     | 0       | 0.200    | 0.300        | 0.500       |",
    ):
        assert f"{line}\n" in text


@pytest.mark.parametrize(
    ("name", "unit", "origin"), [("a.jpg", "grey levels", "upper"), ("a.fits", "the unit of the file", "lower")]
)
def test_a_stamp_from_elsewhere_is_not_in_dn(name: str, unit: str, origin: str) -> None:
    dossier = dataclasses.replace(DOSSIER, facts=FACTS | {"frame": name, "sky": 4.25, "noise": 0.0123})
    assert f"  sky       4.25, noise 0.0123 a pixel, in {unit}\n" in describe(dossier)
    assert portrait(dossier, None).axes[0].images[0].origin == origin


@pytest.mark.parametrize("stale", [(), ("balanced", "transfer/coarse")])
def test_what_is_stale_is_named(stale: tuple[str, ...]) -> None:
    text = describe(dataclasses.replace(DOSSIER, stale=stale))
    assert ("not read: balanced, transfer/coarse" in text) == bool(stale)
