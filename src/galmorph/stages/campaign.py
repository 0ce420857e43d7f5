"""Run a campaign: train its runs, show them in MLflow as they end, and move their records into place."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

from galmorph.errors import GalmorphError
from galmorph.settings.layout import EPOCH, LOGS, PARTIAL, store_root
from galmorph.settings.study import Settings
from galmorph.stages.work import Work
from galmorph.tracking.address import default_uri
from galmorph.tracking.store import Store
from galmorph.training.campaign import logged, run_campaign
from galmorph.training.plan import Campaign
from galmorph.training.protocol import selected_epoch
from galmorph.training.records import VALIDATION, load_phase, load_record

log = logging.getLogger("galmorph.train")


def open_store(settings: Settings) -> Store:
    """Open the experiment of the survey, in the store that MLFLOW_TRACKING_URI names or in the project's own."""
    root = store_root()
    return Store(default_uri(root), settings.survey.name, root / "mlartifacts")


def write_epoch(folder: Path, runs: int, name: str) -> int:
    """Select the epoch from the records in `folder`, write it to epoch.json there, and return it."""
    records = load_phase(folder, runs, name, "selected")
    epoch = selected_epoch([record.deciding_accuracy for record in records])
    save_epoch(folder, epoch)
    return epoch


def save_epoch(folder: Path, epoch: int) -> None:
    """Write epoch.json, which `galmorph.training.declared.read_epoch` reads."""
    (folder / EPOCH).write_text(json.dumps({"epoch": epoch}) + "\n", encoding="utf-8")


class LiveStore:
    """The MLflow store during training: a failure is reported once, and training goes on.

    Nothing is lost: the report, or `galmorph sync`, adds the runs later from their records.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store: Store | None = None
        self.failing = False

    def write(self, action: Callable[[Store], None]) -> None:
        """Call `action` with the store, which is opened on first use."""
        try:
            self.store = self.store or open_store(self.settings)
            action(self.store)
            self.failing = False
        except GalmorphError as error:
            if not self.failing:
                log.warning("%s; training goes on, and galmorph sync adds these runs later", error)
            self.failing = True


def run_and_store(work: Work, campaign: Campaign, destination: Path, *, log_runs: bool = True) -> None:
    """Run a campaign, log its runs to MLflow, select the epoch in the selected phase, and move the records into place.

    With `log_runs` false only failed runs are logged; `sync` logs the others later, when their records are complete.

    Raises
    ------
    GalmorphError
        If a run fails; if what the stage started from has been edited, as soon as a run has finished. Finished runs are
        kept under the fingerprint of what they were made from.
    """
    folder = PARTIAL.resolve() / campaign.fingerprint
    name, phase = campaign.name, campaign.phase
    live = LiveStore(work.settings)

    def finished(path: Path, seconds: float) -> None:
        work.require_unchanged()
        if log_runs:
            record = load_record(path)
            live.write(lambda store: store.add(record, path, seconds))

    def failed(run: int, reason: str) -> None:
        work.require_unchanged()  # a worker that was started after an edit refuses its run
        live.write(lambda store: store.add_failure(name, phase, run, campaign.fingerprint, reason))

    with logged(LOGS / f"{name}.{phase}.log"):
        run_campaign(campaign, folder, finished, failed)
    if phase == "selected":
        epoch = write_epoch(folder, campaign.protocol.runs, name)
        part = "test" if campaign.protocol.validation_fraction is None else VALIDATION
        log.info("%s: epoch %d of %d has the highest mean %s accuracy", name, epoch, campaign.epochs, part)
    work.put((folder, destination))
