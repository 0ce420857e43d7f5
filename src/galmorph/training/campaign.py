"""Many runs of one condition: spread over processes, each finished run kept at once, so that a stop loses little."""

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
from galmorph.training.plan import Campaign, code_hash
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
        try:
            record = load_record(path)
            if (record.fingerprint, record.run) != (fingerprint, run):
                reason = "from another campaign or run"
            elif record.weights and file_sha256(folder / weights_name(run)) != record.weights:
                reason = "without its weights"
            else:
                found.add(run)
                continue
        except FileNotFoundError:
            reason = "without its weights"
        except GalmorphError:
            reason = "damaged"
        log.warning("%s is %s: removed; the run is repeated", path, reason)
        path.unlink()
    return found


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


def keep_going() -> bool:
    """Return whether a campaign finishes its other runs when one fails (GALMORPH_KEEP_GOING)."""
    return os.environ.get("GALMORPH_KEEP_GOING", "") not in ("", "0")


def run_campaign(
    campaign: Campaign,
    folder: Path,
    on_finished: Callable[[Path], None],
    on_failed: Callable[[int, str], None] = lambda run, reason: None,
) -> None:
    """Train every run that `folder` does not hold yet.

    Parameters
    ----------
    campaign
        The runs.
    folder
        Receives one record for each run; may hold records of the same campaign, stopped earlier.
    on_finished
        Called in this process with the path of each new record.
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
    label = f"{campaign.name}, {campaign.phase}"
    log.info("%s: %d runs of %d epochs, %d of them finished before", label, runs, campaign.epochs, len(done))
    missing = [run for run in range(1, runs + 1) if run not in done]
    failures: list[str] = []

    def failed(index: int, error: GalmorphError) -> None:
        log.error("%s: run %d failed: %s", label, missing[index], error)
        on_failed(missing[index], str(error))
        failures.append(str(error))
        if not keep_going():
            raise error

    jobs = [(campaign, code_hash(), run, folder) for run in missing]
    names = [f"run {run}" for run in missing]
    trained = spread(run_one, jobs, label=label, unit="epoch", steps=campaign.epochs, names=names, on_failure=failed)
    for _, finished in trained:
        log.debug(
            "%s: run %d finished, test accuracy %.4f after epoch %d, %.0f s in process %s, peak memory %.2f GB",
            *(label, finished.run, finished.accuracy, campaign.epochs, finished.seconds, finished.place),
            finished.peak_memory / 1e9,
        )
        on_finished(folder / record_name(finished.run))
    if failures:
        raise GalmorphError(f"{label}: {len(failures)} of {runs} runs failed; the others are kept; {failures[0]}")
    log.debug("%s: all %d runs are finished", label, runs)
