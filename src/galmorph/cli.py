"""galmorph: commands for use by hand; dvc repro runs the pipeline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from galmorph import __version__
from galmorph.errors import GalmorphError
from galmorph.parallel import progress
from galmorph.settings import layout
from galmorph.stages.launch import NORMAL, QUIET, VERBOSE, launch

STOPPED = "stopped; run the same command again: what the stages had finished is kept"
ENDING = """
exit status:
  0    done
  1    an error that you can correct: the message says what and how
  2    invalid command line
  130  stopped with Ctrl-C
A traceback is a bug in galmorph. NO_COLOR=1 turns colours off.
"""


def notice(text: str) -> None:
    """Print a message unless --quiet was given."""
    if not progress.hidden:
        sys.stdout.write(text)


def check() -> None:
    """Check params.yaml before any work."""
    chosen = layout.load_params()
    seen = chosen.resolution
    levels = f", {len(seen.levels)} levels and {len(seen.remedies)} remedies" if seen.levels else ""
    # Fine-tuning has its epochs given: no runs select them.
    phases = 2 * len(seen.levels) + sum(2 if way.kind == "mixed" else 1 for way in seen.remedies.values())
    runs = 2 * chosen.protocol.runs * len(chosen.conditions) + seen.runs * (phases + len(seen.oracle))
    notice(
        f"params.yaml: survey {chosen.survey.name} ({chosen.survey.source}), {len(chosen.conditions)} conditions"
        f"{levels}: {runs} runs of at most {chosen.training.epochs} epochs\n"
    )


def sync(ui: str | None = None) -> None:
    """Make the MLflow store show exactly the records of the declared conditions; --ui prints their address."""
    from galmorph.stages.campaign import open_store
    from galmorph.stages.records import declared_records, declared_transfers
    from galmorph.tracking.address import without_password

    chosen = layout.load_params()
    store = open_store(chosen)
    counts = store.sync([*declared_records(chosen), *declared_transfers(chosen).values()])
    notice(f"MLflow: {counts}\n")
    if ui is not None:
        # Without the last part MLflow may open its pages for language models.
        page = f"/#/experiments/{store.experiment.experiment_id}/runs?workflowType=machine_learning"
        sys.stdout.write(f"MLflow's page of this study: {without_password(ui.rstrip('/'))}{page}\n")


def plan() -> None:
    """Describe the sample of survey.source sdss and its downloads; only tables are fetched."""
    from galmorph.sources import archive
    from galmorph.sources.fetch import Mirror

    chosen = layout.load_params()
    if chosen.survey.source != "sdss":
        raise GalmorphError(f"survey.source is {chosen.survey.source}, which downloads nothing; plan is for sdss")
    mirror = Mirror(layout.ARCHIVE.resolve())
    request = archive.make_request(chosen.sdss, chosen.survey.sample, mirror)
    sys.stdout.write(f"{archive.describe(request, chosen.sdss, chosen.survey.sample, mirror)}\n")


def verify(again: bool = False) -> None:
    """Compare the files of data/raw, byte by byte, with its manifest; --repair fetches again those that differ."""
    from galmorph.sources.fetch import Mirror
    from galmorph.sources.manifest import repair
    from galmorph.sources.manifest import verify as compare

    if again:
        repaired, wrong = repair(layout.RAW, Mirror(layout.ARCHIVE.resolve()))
        sys.stdout.write("".join(f"repaired  {path}\n" for path in repaired))
        remedy = "dvc repro --force acquire makes data/raw anew"
    else:
        files, wrong = compare(layout.RAW)
        remedy = "galmorph verify --repair fetches them again (those made here: dvc repro --force acquire)"
        if not wrong:
            notice(f"{layout.RAW}: {files} files, all of them as the manifest says\n")
    sys.stdout.write("".join(f"wrong     {path}: {reason}\n" for path, reason in wrong.items()))
    if wrong:
        raise GalmorphError(f"{layout.RAW}: {len(wrong)} files are not what the manifest says; {remedy}")


def summary() -> None:
    """Print the summary of the last report and the location of the full report."""
    from galmorph.report.table import read_summary, short_summary

    chosen = layout.load_params()
    table = read_summary(layout.SUMMARY)
    simulated = "Simulated survey, tuned towards the thesis's numbers: agreement is no evidence.\n"
    part = "same test" if chosen.protocol.validation_fraction is None else "validation"
    sys.stdout.write(
        f"\n{short_summary(table)}\n\nMean ± standard deviation over the runs. The first accuracy is at the epoch that "
        f"was selected on the\n{part} parts; the confirmed one is of fresh runs. "
        f"Baseline: always answering the commonest class.\n{simulated if chosen.survey.source == 'simulated' else ''}\n"
        f"Report: {layout.PAGE}\nEvery run: make ui\n"
    )


def classify(asked: argparse.Namespace) -> None:
    """Classify new galaxies with the kept networks of a condition: a folder of stamps, or positions on a frame."""
    from galmorph.classify.command import Asked
    from galmorph.classify.command import classify as answer

    notice(answer(Asked(**{name: getattr(asked, name) for name in Asked.__dataclass_fields__})))


def show(objid: int, output: Path | None) -> None:
    """Show a galaxy of the study: its stamp in its frame, its votes, and the answers of the runs that tested it."""
    from galmorph.show.command import show as describe

    sys.stdout.write(describe(objid, output))


@dataclass(frozen=True)
class Command:
    """A command: what it does with the parsed arguments, the function that says it in words, and examples."""

    run: Callable[[argparse.Namespace], None]
    described: Callable[..., None]
    examples: tuple[str, ...]


COMMANDS = {
    "check": Command(lambda asked: check(), check, ("galmorph check", "galmorph check --quiet && dvc repro")),
    "plan": Command(lambda asked: plan(), plan, ("cp presets/sdss.yaml params.yaml && galmorph plan",)),
    "verify": Command(lambda asked: verify(asked.repair), verify, ("galmorph verify", "galmorph verify --repair")),
    "sync": Command(
        lambda asked: sync(asked.ui),
        sync,
        ("galmorph sync", "rm mlflow.db && galmorph sync", "galmorph sync --ui http://127.0.0.1:5000"),
    ),
    "summary": Command(lambda asked: summary(), summary, ("galmorph summary",)),
    "classify": Command(
        classify,
        classify,
        (
            "galmorph classify two_class --stamps new_stamps",
            "galmorph classify two_class --stamps new_stamps --labels new_stamps.csv --output answers",
            "galmorph classify three_class --frame fpC-001729-r3-0083.fit.gz --positions galaxies.csv",
            "galmorph classify transfer/coarse --stamps coarse_stamps",
        ),
    ),
    "show": Command(
        lambda asked: show(asked.objid, asked.output),
        show,
        ("galmorph show 587724087142055967", "galmorph show 587724087142055967 --output galaxy.png"),
    ),
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    # Before or after the command's name; the later one must not undo the earlier.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    amount = common.add_mutually_exclusive_group()
    amount.add_argument(
        "-q",
        "--quiet",
        dest="verbosity",
        action="store_const",
        const=QUIET,
        help="no progress and no notices, only warnings, errors and requested output",
    )
    amount.add_argument("-v", "--verbose", dest="verbosity", action="store_const", const=VERBOSE, help="more messages")
    raw = argparse.RawDescriptionHelpFormatter
    whole = argparse.ArgumentParser(
        prog="galmorph",
        description=__doc__,
        parents=[common],
        formatter_class=raw,
        epilog=_examples(("galmorph check", "dvc repro", "galmorph summary", "galmorph classify --help")) + ENDING,
    )
    whole.add_argument("--version", action="version", version=f"galmorph {__version__}")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        words = command.described.__doc__
        commands.add_parser(
            name,
            help=words,
            description=words,
            parents=[common],
            formatter_class=raw,
            epilog=_examples(command.examples),
        )
    commands.choices["verify"].add_argument("--repair", action="store_true", help="fetch again what differs")
    commands.choices["sync"].add_argument(
        "--ui", metavar="ADDRESS", help="of an MLflow server or UI: print the page of this study there"
    )
    _classify_arguments(commands.choices["classify"])
    commands.choices["show"].add_argument(
        "objid", metavar="OBJID", type=int, help="as in data/cutouts/galaxies.parquet"
    )
    commands.choices["show"].add_argument(
        "--output", metavar="FILE", type=Path, help="the picture; by default shown/OBJID.png"
    )
    return whole


def _classify_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("condition", metavar="CONDITION", help="what was trained: a condition, or transfer/LEVEL")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--stamps", metavar="FOLDER", type=Path, help="FITS, npy, PNG or JPEG stamps")
    what.add_argument("--frame", metavar="FILE", type=Path, help="an SDSS frame, with --positions")
    command.add_argument(
        "--labels", metavar="CSV", type=Path, help="of the stamps: stamp; optional name, ra, dec, pixel_scale, class"
    )
    command.add_argument(
        "--positions", metavar="CSV", type=Path, help="on the frame: ra, dec; optional name or objid, class"
    )
    command.add_argument("--sky-subtracted", action="store_true", help="leave the sky of the stamps as it is")
    command.add_argument(
        "--output",
        metavar="FOLDER",
        type=Path,
        help="by default classified/CONDITION; an earlier answer there is replaced",
    )


def _examples(lines: tuple[str, ...]) -> str:
    return "examples:\n" + "".join(f"  {line}\n" for line in lines)


def main() -> None:
    """Parse the command line and run the command."""
    whole = parser()
    asked = whole.parse_args()
    if asked.command == "classify" and (asked.frame is None) != (asked.positions is None):
        whole.error("classify: --frame and --positions go together")
    if asked.command == "classify" and asked.labels and asked.stamps is None:
        whole.error("classify: --labels goes with --stamps")
    launch(lambda: COMMANDS[asked.command].run(asked), getattr(asked, "verbosity", NORMAL), STOPPED)


if __name__ == "__main__":
    main()
