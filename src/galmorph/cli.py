"""galmorph: what a person calls by hand."""

from __future__ import annotations

import argparse
import functools
import sys

from galmorph import __version__
from galmorph.errors import GalmorphError
from galmorph.stages import layout
from galmorph.stages.launch import launch


def check() -> None:
    """Check params.yaml before any work."""
    chosen = layout.settings()
    runs = 2 * chosen.protocol.runs * len(chosen.conditions)
    sys.stdout.write(
        f"params.yaml: survey {chosen.survey.name} ({chosen.survey.source}), {len(chosen.conditions)} conditions, "
        f"{runs} runs of at most {chosen.training.epochs} epochs\n"
    )


def sync() -> None:
    """Make the MLflow store show exactly the records of the declared conditions."""
    from galmorph.stages.declared import declared_records, declared_transfers
    from galmorph.stages.store import open_store

    chosen = layout.settings()
    counts = open_store(chosen).sync([*declared_records(chosen), *declared_transfers(chosen).values()])
    sys.stdout.write(f"MLflow: {counts}\n")


def plan() -> None:
    """Say what the sample of survey.source sdss is and what it would download; only tables are fetched."""
    from galmorph.download import Mirror
    from galmorph.sources import sdss

    chosen = layout.settings()
    if chosen.survey.source != "sdss":
        raise GalmorphError(f"survey.source is {chosen.survey.source}, which downloads nothing; plan is for sdss")
    mirror = Mirror(layout.ARCHIVE.resolve())
    request = sdss.make_request(chosen.sdss, chosen.survey.sample, mirror)
    sys.stdout.write(f"{sdss.describe(request, chosen.sdss, chosen.survey.sample, mirror)}\n")


def verify(again: bool = False) -> None:
    """Compare the files of data/raw, byte by byte, with its manifest; --repair fetches again those that differ."""
    from galmorph.download import Mirror
    from galmorph.verification import repair
    from galmorph.verification import verify as compare

    if again:
        repaired, wrong = repair(layout.RAW, Mirror(layout.ARCHIVE.resolve()))
        sys.stdout.write("".join(f"repaired  {path}\n" for path in repaired))
        remedy = "dvc repro --force acquire makes data/raw anew"
    else:
        files, wrong = compare(layout.RAW)
        remedy = "galmorph verify --repair fetches them again (those made here: dvc repro --force acquire)"
        if not wrong:
            sys.stdout.write(f"{layout.RAW}: {files} files, all of them as the manifest says\n")
    sys.stdout.write("".join(f"wrong     {path}: {reason}\n" for path, reason in wrong.items()))
    if wrong:
        raise GalmorphError(f"{layout.RAW}: {len(wrong)} files are not what the manifest says; {remedy}")


def summary() -> None:
    """Print the summary of the last report, and where the rest of it is."""
    import pandas as pd

    from galmorph.report.terminal import short_summary

    chosen = layout.settings()
    try:
        table = pd.read_csv(layout.SUMMARY)
    except FileNotFoundError:
        raise GalmorphError(f"{layout.SUMMARY}: no such file; run dvc repro, which makes it") from None
    simulated = "Simulated survey, tuned towards the thesis's numbers: agreement is no evidence.\n"
    sys.stdout.write(
        f"\n{short_summary(table)}\n\nMean ± standard deviation over the runs. The first accuracy is at the epoch that "
        "was selected on the\nsame test parts; the confirmed one is of fresh runs. "
        f"Baseline: always answering the commonest class.\n{simulated if chosen.survey.source == 'simulated' else ''}\n"
        f"Report: {layout.PAGE}\nEvery run: make ui, then open http://127.0.0.1:5000\n"
    )


COMMANDS = {"check": check, "plan": plan, "verify": verify, "sync": sync, "summary": summary}


def main() -> None:
    """Parse the command line and run the command."""
    parser = argparse.ArgumentParser(prog="galmorph", description=__doc__)
    parser.add_argument("--version", action="version", version=f"galmorph {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.__doc__, description=command.__doc__)
    commands.choices["verify"].add_argument("--repair", action="store_true", help="fetch again what differs")
    asked = parser.parse_args()
    launch(functools.partial(verify, asked.repair) if asked.command == "verify" else COMMANDS[asked.command])


if __name__ == "__main__":
    main()
