"""Many galaxies at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from numpy.typing import NDArray

from galmorph.classify import Ensemble, batch
from galmorph.classify.targets import Targets, stamp_targets
from galmorph.errors import GalmorphError


@pytest.fixture(scope="module")
def targets(ensemble: Ensemble, study_images: NDArray[np.float32], tmp_path_factory: pytest.TempPathFactory) -> Targets:
    folder = tmp_path_factory.mktemp("new")
    lines = ["stamp,name,class,pixel_scale"]
    for number, image in enumerate(study_images[:40]):
        side = 10 if number == 3 else 16
        if number == 7:
            image = np.full_like(image, 3.0)
        fits.PrimaryHDU(image[:side, :side]).writeto(folder / f"{number}.fits")
        lines.append(f"{number}.fits,g{number},spiral,{0.8 if number == 5 else 0.396}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return stamp_targets(folder, folder / "labels.csv", ensemble.stamps, ensemble.cutouts, sky_subtracted=True)


def test_every_galaxy_is_classified_or_rejected_with_its_reason(
    targets: Targets, ensemble: Ensemble, study: Path, study_images: NDArray[np.float32]
) -> None:
    galaxies, rejected, warnings = batch.classify_targets(targets, ensemble, study)
    assert warnings == []
    assert sorted([*galaxies.index, *rejected.index]) == list(range(40))
    assert rejected["name"].tolist() == ["g3", "g5", "g7"]
    assert rejected["reason"].tolist() == [
        "stamp too small: 10 x 10 pixels, cutouts.stamp_size is 16",
        "wrong pixel scale: 0.800 arcsec, that of the training is 0.396",
        "all pixels the same",
    ]
    assert batch.count_reasons(rejected) == "1 all pixels the same, 1 stamp too small, 1 wrong pixel scale"
    expected = ensemble.classify(study_images[galaxies.index.to_numpy()])
    for column in ("p_spiral", "std_spiral", "agreeing"):
        np.testing.assert_allclose(galaxies[column], expected[column], atol=1e-5)
    assert (galaxies["class"] == "spiral").all()
    assert galaxies["frame"].iloc[0] == "0.fits"


def test_the_same_numbers_from_many_processes(
    targets: Targets, ensemble: Ensemble, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "BLOCK", 12)
    alone = batch.classify_targets(targets, ensemble, study)
    monkeypatch.setattr(batch, "FEW", 0)
    monkeypatch.setenv("GALMORPH_WORKERS", "2")
    together = batch.classify_targets(targets, ensemble, study)
    pd.testing.assert_frame_equal(alone[0], together[0], check_exact=True)
    pd.testing.assert_frame_equal(alone[1], together[1])


def test_nothing_left_to_classify(targets: Targets, ensemble: Ensemble, study: Path) -> None:
    none = dataclasses.replace(targets, table=targets.table.loc[[3, 5]], hint="look there")
    message = r"1 stamp too small, 1 wrong pixel scale \(stamp too small: 10 x 10 .*\); look there"
    with pytest.raises(GalmorphError, match=message):
        batch.classify_targets(none, ensemble, study)


def test_a_worker_that_finds_other_networks_refuses(targets: Targets, study: Path) -> None:
    with pytest.raises(GalmorphError, match="the networks of three_class changed while they were used"):
        batch.classify_block(targets.table, targets.read, "three_class", study, "of before")
