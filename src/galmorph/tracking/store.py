"""MLflow: a view of the records, rebuilt at will.

The experiment of a survey holds one parent run for each condition, with the mean curves, and under it one child for
each run of both phases. `Store.sync` makes the store show exactly the declared records: what is missing is added,
what differs is replaced, what is no longer declared is kept, so that it can be compared, but marked as earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Run

from galmorph.tracking.content import KIND, STATUS, Content, condition_content, run_content
from galmorph.tracking.experiment import DESCRIPTION, Draw, StoredExperiment
from galmorph.tracking.models import KeptNetworks
from galmorph.training.records import ConditionRecords, Record

EARLIER = " (earlier)"


@dataclass
class SyncCounts:
    """What a sync did, in runs of the store."""

    kept: int = 0
    added: int = 0
    replaced: int = 0
    earlier: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kept} runs stood as recorded, {self.added} added, {self.replaced} replaced, "
            f"{self.earlier} of earlier parameters"
        )


class Store(StoredExperiment):
    """The experiment of one survey in an MLflow store, made to show its records; parameters as of its base."""

    def __init__(self, uri: str, survey: str, artifacts: Path, draw: Draw | None = None) -> None:
        super().__init__(uri, survey, artifacts, draw)
        self.open_parents: dict[str, str] = {}

    def add(self, record: Record, file: Path) -> None:
        """Write the run of a record that has just been finished, under a parent that `sync` completes.

        Where the run is there already, `sync` judges whether it is right: a study that is made again must not leave a
        deleted run for each one that it repeats.
        """
        with self.explained():
            name = record.condition
            if self.runs("run", condition=name, fingerprint=record.fingerprint, run=str(record.run)):
                return
            if name not in self.open_parents:
                tags = {KIND: "condition", STATUS: "open", "galmorph.condition": name}
                found = self.runs("condition", condition=name, status="open")
                parent = found[0].info.run_id if found else self.write(Content(name, tags), None)
                self.open_parents[name] = parent
            epoch = record.epochs if record.phase == "confirmed" else None
            self.write(run_content(record, file, epoch), self.open_parents[name])

    def add_failure(self, condition: str, phase: str, run: int, fingerprint: str, reason: str) -> None:
        """Show a run that failed, and why: as a run of its own, with the status FAILED."""
        which = {"condition": condition, "phase": phase, "run": str(run), "fingerprint": fingerprint}
        tags = {KIND: "failure", STATUS: "current", DESCRIPTION: reason}
        tags |= {f"galmorph.{name}": value for name, value in which.items()}
        with self.explained():
            for before in self.runs("failure", **which):
                self.client.delete_run(before.info.run_id)
            self.write(Content(f"{condition} {phase} {run:02d} failed", tags), None, "FAILED")

    def _reconcile(self, claimants: Sequence[Run], content: Content, parent: str | None, counts: SyncCounts) -> str:
        """Make exactly one run hold `content`, one of the claimants if any is right; returns its id."""
        kept: str | None = None
        wrong = 0
        # What people wrote beside a run that is replaced.
        theirs: dict[str, str] = {}
        for run in claimants:
            missing = self.missing(run, content) if kept is None else None
            if missing is None:
                own = DESCRIPTION if not content.description else None
                theirs |= {
                    name: value
                    for name, value in run.data.tags.items()
                    if name == own or not name.startswith(("galmorph.", "mlflow."))
                }
                self.client.delete_run(run.info.run_id)
                wrong += 1
                continue
            kept = str(run.info.run_id)
            self.add_missing(kept, content, missing)
            tags = {STATUS: "current", "mlflow.runName": content.name}
            if content.description:
                tags[DESCRIPTION] = run.data.tags.get(DESCRIPTION) or content.description
            if parent:
                tags["mlflow.parentRunId"] = parent
            self.set_tags(run, tags)
        counts.replaced += wrong
        if kept is None:
            counts.added += not wrong
            return self.write(content, parent, theirs=theirs)
        counts.kept += 1
        return kept

    def sync(self, declared: Sequence[ConditionRecords]) -> SyncCounts:
        """Make the store show exactly the declared records; what it already shows rightly is left alone."""
        counts = SyncCounts()
        with self.explained():
            children: dict[tuple[str | None, ...], list[Run]] = {}
            for run in self.runs("run"):
                key = tuple(run.data.tags.get(f"galmorph.{name}") for name in ("condition", "fingerprint", "run"))
                children.setdefault(key, []).append(run)
            parents = self.runs("condition")
            networks = KeptNetworks(self.client, self.experiment.experiment_id)
            current, shown, earlier = set(), set(), set()
            for condition in declared:
                content = condition_content(condition)
                same = [run for run in parents if content.tags.items() <= (run.data.tags | {STATUS: "current"}).items()]
                parent = self._reconcile(same, content, None, counts)
                current.add(parent)
                for phase, records in condition.phases.items():
                    for record, file in zip(records, condition.files[phase], strict=True):
                        key = (record.condition, record.fingerprint, str(record.run))
                        network = condition.network(record, file)
                        run = run_content(record, file, condition.epoch, condition.data, network)
                        run_id = self._reconcile(children.pop(key, []), run, parent, counts)
                        shown.add(run_id)
                        if network:
                            networks.ensure(run_id, network)
            fingerprints = {records[0].fingerprint for c in declared for records in c.phases.values()}
            for (_, fingerprint, _), runs in children.items():
                for run in runs:
                    # One that claims a declared campaign, but to be no run of it, was edited.
                    if fingerprint in fingerprints:
                        self.client.delete_run(run.info.run_id)
                        counts.replaced += 1
                    else:
                        self._mark_earlier(run)
                        earlier.add(run.info.run_id)
                        counts.earlier += 1
            networks.retire(shown, earlier)
            for run in self.runs("failure"):
                # Its campaign has been finished since, or the parameters are others now.
                if run.data.tags.get("galmorph.fingerprint") in fingerprints:
                    self.client.delete_run(run.info.run_id)
                else:
                    self._mark_earlier(run)
            self._retire([run for run in self.runs("condition") if run.info.run_id not in current])
        self.open_parents.clear()
        return counts

    def _mark_earlier(self, run: Run) -> None:
        # A process that was killed while it wrote leaves its run RUNNING for ever.
        if run.info.status == "RUNNING":
            self.client.set_terminated(run.info.run_id, "KILLED")
        name = str(run.info.run_name).removesuffix(EARLIER) + EARLIER
        self.set_tags(run, {STATUS: "earlier", "mlflow.runName": name})

    def _retire(self, parents: Sequence[Run]) -> None:
        """Mark the parents of earlier runs, and delete those that have no child left."""
        used = {run.data.tags.get("mlflow.parentRunId") for run in self.runs("run")}
        for parent in parents:
            if parent.info.run_id in used:
                self._mark_earlier(parent)
            else:
                self.client.delete_run(parent.info.run_id)
