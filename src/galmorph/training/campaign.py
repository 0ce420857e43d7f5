"""Train the runs of a campaign, spread over processes; each finished run is kept at once."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from galmorph.errors import GalmorphError
from galmorph.files.atomic import PARTIAL
from galmorph.files.reading import file_sha256
from galmorph.parallel.workers import spread
from galmorph.training.plan import TRAINING_CODE, Campaign
from galmorph.training.records import load_record, record_name, weights_name
from galmorph.training.run import run_one

log = logging.getLogger(__name__)


def finished_runs(folder: Path, fingerprint: str, runs: int) -> set[int]:
    """Return the runs whose complete record is in `folder`; damaged or foreign records are removed, with a warning."""
    found = set()
    for run in range(1, runs + 1):
        path = folder / record_name(run)
        if not path.exists():
            continue
        if (reason := _fault(path, folder / weights_name(run), fingerprint, run)) is None:
            found.add(run)
        else:
            log.warning("%s is %s: removed; the run is repeated", path, reason)
            path.unlink()
    return found


def _fault(path: Path, weights: Path, fingerprint: str, run: int) -> str | None:
    """Return why a record cannot be used, or None if it can."""
    try:
        record = load_record(path)
    except GalmorphError:
        return "damaged"
    if (record.fingerprint, record.run) != (fingerprint, run):
        return "from another campaign or run"
    if record.weights and not (weights.exists() and file_sha256(weights) == record.weights):
        return "without its weights"
    return None


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Write the project's log to a file as well, with times, while the block runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    project = logging.getLogger("galmorph")
    project.addHandler(handler)
    try:
        yield
    except BaseException as error:
        log.debug("stopped by %r", error, exc_info=not isinstance(error, GalmorphError))
        raise
    finally:
        project.removeHandler(handler)
        handler.close()


def run_campaign(
    campaign: Campaign,
    folder: Path,
    on_finished: Callable[[Path, float], None],
    on_failed: Callable[[int, str], None] = lambda run, reason: None,
) -> None:
    """Train every run whose record is not yet in `folder`, where a campaign that was stopped has left some.

    Parameters
    ----------
    on_finished
        Called in this process with the path of each new record, and the seconds that its run took.
    on_failed
        Called in this process with the number of a run that failed, and why.

    Raises
    ------
    GalmorphError
        If a run fails. The records of the others stay; with GALMORPH_KEEP_GOING the rest is trained first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runs = campaign.protocol.runs
    for leftover in folder.glob(f"{PARTIAL}*"):
        shutil.rmtree(leftover, ignore_errors=True)  # its process may still be writing it
    done = finished_runs(folder, campaign.fingerprint, runs)
    missing = [run for run in range(1, runs + 1) if run not in done]
    label = f"{campaign.name}, {campaign.phase}"
    log.info("%s: %d runs of %d epochs, %d of them finished before", label, runs, campaign.epochs, len(done))
    failures: list[str] = []

    def failed(index: int, error: GalmorphError) -> None:
        log.error("%s: run %d failed: %s", label, missing[index], error)
        on_failed(missing[index], str(error))
        failures.append(str(error))
        if os.environ.get("GALMORPH_KEEP_GOING", "") in ("", "0"):
            raise error

    trained = spread(
        run_one,
        [(campaign, run, folder) for run in missing],
        label=label,
        unit="epoch",
        steps=campaign.epochs,
        names=[f"run {run}" for run in missing],
        on_failure=failed,
        code=TRAINING_CODE,
    )
    for index, (summary, seconds) in trained:
        log.debug("%s: run %d finished, %s", label, missing[index], summary)
        on_finished(folder / record_name(missing[index]), seconds)
    if failures:
        raise GalmorphError(f"{label}: {len(failures)} of {runs} runs failed; the others are kept; {failures[0]}")
    log.debug("%s: all %d runs are finished", label, runs)
