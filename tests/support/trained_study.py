"""A finished study of made stamps, for tests of what uses trained networks."""

from __future__ import annotations

import dataclasses
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from galmorph.files.reading import file_md5
from galmorph.training.plan import Campaign
from galmorph.training.run import run_one
from tests.support.campaigns import CHANGES, made_campaign
from tests.support.frames import add_galaxy, sky_image, sky_position, write_dr7
from tests.support.parameters import changed, committed

SIZE = 16
CUTOUTS = {
    "stamp_size": SIZE,
    "wide_size": 32,
    "sky_inner": 24,
    "sky_outer": 48,
    "max_rejected_fraction": 0.05,
}
KEPT = 2  # networks
REJECTED = 1000  # an objid
PLACE = (400.0, 600.0)  # of galaxy 0 on the frame


def write_yaml(path: Path, data: Any) -> None:
    text = io.StringIO()
    YAML().dump(data, text)
    path.write_text(text.getvalue(), encoding="utf-8")


def made_trained_study(folder: Path) -> Campaign:
    """Make a study in an empty folder: three confirmed runs of the condition three_class, weights of two of them."""
    params = changed(committed(), CHANGES | {"cutouts": CUTOUTS})
    params["training"]["keep_weights"] = KEPT
    write_yaml(folder / "params.yaml", params)
    for name in ("data/cutouts", "data/splits", "data/raw", "models/three_class"):
        (folder / name).mkdir(parents=True)
    made = made_campaign(folder)
    images, split = folder / "data/cutouts/images.npy", folder / "data/splits/three_class.parquet"
    shutil.move(made.images, images)
    shutil.move(made.split, split)
    image = sky_image()
    add_galaxy(image, *PLACE, peak=300.0, sigma=3.0)
    frame = write_dr7(folder / "data/raw", image=image)
    galaxies(split, frame.name).to_parquet(folder / "data/cutouts/galaxies.parquet", index=False)
    (folder / "data/cutouts/rejected.csv").write_text(
        f"objid,frame,reason\n{REJECTED},{frame.name},too near the edge\n"
    )
    lock_params = {"cutouts": CUTOUTS, "survey.source": "simulated"}
    cutouts = {"params": {"params.yaml": lock_params}, "outs": [{"path": str(images), "md5": file_md5(images)}]}
    write_yaml(folder / "dvc.lock", {"schema": "2.0", "stages": {"cutouts": cutouts}})
    training = made.training.model_copy(update={"keep_weights": KEPT})
    campaign = dataclasses.replace(made, images=images, split=split, training=training)
    confirmed = folder / "models/three_class/confirmed"
    confirmed.mkdir()
    for run in (1, 2, 3):
        run_one(campaign, run, confirmed)
    return campaign


def galaxies(split: Path, frame: str) -> pd.DataFrame:
    """Return galaxies.parquet of the study."""
    known = pd.read_parquet(split)[["objid", "class"]].drop_duplicates("objid").set_index("objid")["class"]
    table = pd.DataFrame({"objid": np.arange(150)})
    table["ra"], table["dec"] = sky_position(*PLACE)
    table["class"] = known.reindex(table["objid"]).fillna("uncertain").to_numpy(dtype=str)
    table["nvote"] = np.int32(40)
    shares = {"p_el": 0.1, "p_cw": 0.5, "p_acw": 0.2, "p_edge": 0.1, "p_dk": 0.05, "p_mg": 0.05, "p_cs": 0.8}
    for name, share in shares.items():
        table[name] = share
    table["p_el_debiased"], table["p_cs_debiased"], table["redshift"] = 0.05, 0.85, 0.0512
    table["frame"], table["x"], table["y"] = frame, *PLACE
    table["psf_fwhm"], table["pixel_scale"], table["sky"], table["noise"] = 1.43, 0.396, 150.0, 5.5
    return table.assign(has_wide=False)
