"""galmorph: commands for use by hand; dvc repro runs the pipeline."""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from galmorph import __version__
from galmorph.errors import GalmorphError, counted
from galmorph.parallel import progress
from galmorph.settings import layout
from galmorph.stages.launch import NORMAL, QUIET, VERBOSE, Terminated, launch

log = logging.getLogger(__name__)

STOPPED = "stopped; run the same command again: what the stages had finished is kept"
EXIT_STATUS = """
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


def check(arguments: argparse.Namespace) -> None:
    """Check params.yaml before any work."""
    from galmorph.settings.tracked import require_tracked

    settings = layout.load_params()
    resolution = settings.resolution
    remedies = counted(len(resolution.remedies), "remedy", "remedies")
    levels = f", {counted(len(resolution.levels), 'level')} and {remedies}" if resolution.levels else ""
    # Fine-tuning has its epochs given: no runs select them.
    phases = 2 * len(resolution.levels) + sum(2 if r.kind == "mixed" else 1 for r in resolution.remedies.values())
    runs = 2 * settings.protocol.runs * len(settings.conditions) + resolution.runs * (phases + len(resolution.oracle))
    epochs = max(settings.training.epochs, *(settings.training_of(name).epochs for name in settings.conditions))
    notice(
        f"params.yaml: survey {settings.survey.name} ({settings.survey.source}), "
        f"{counted(len(settings.conditions), 'condition')}{levels}: {counted(runs, 'run')} of at most "
        f"{counted(epochs, 'epoch')}\n"
    )
    require_tracked(settings)
    if settings.survey.source == "local":
        from galmorph.sources import local

        if agreement := local.check(settings.local):
            notice(f"{agreement}\n")


def plan(arguments: argparse.Namespace) -> None:
    """Describe the sample of survey.source sdss and its downloads; only tables are fetched."""
    from galmorph.sources import archive
    from galmorph.sources.fetch import Mirror

    settings = layout.load_params()
    if settings.survey.source != "sdss":
        raise GalmorphError(f"survey.source is {settings.survey.source}, which downloads nothing; plan is for sdss")
    mirror = Mirror(layout.ARCHIVE.resolve())
    request = archive.make_request(settings.sdss, settings.survey.sample, mirror)
    sys.stdout.write(f"{archive.describe(request, settings.sdss, settings.survey.sample, mirror)}\n")


def verify(arguments: argparse.Namespace) -> None:
    """Compare the files of data/raw, byte by byte, with its manifest; --repair fetches again those that differ."""
    from galmorph.sources import manifest
    from galmorph.sources.fetch import Mirror

    if arguments.repair:
        repaired, wrong = manifest.repair(layout.RAW, Mirror(layout.ARCHIVE.resolve()))
        sys.stdout.write("".join(f"repaired  {path}\n" for path in repaired))
        remedy = "dvc repro --force acquire makes data/raw anew"
    else:
        files, wrong = manifest.verify(layout.RAW)
        remedy = "galmorph verify --repair fetches them again (those made here: dvc repro --force acquire)"
        if not wrong:
            notice(f"{layout.RAW}: {counted(files, 'file')} as the manifest says\n")
    sys.stdout.write("".join(f"wrong     {path}: {reason}\n" for path, reason in wrong.items()))
    if wrong:
        raise GalmorphError(f"{layout.RAW}: {counted(len(wrong), 'file')} not as the manifest says; {remedy}")


def sync(arguments: argparse.Namespace) -> None:
    """Make the MLflow store show exactly the records of the declared conditions."""
    from galmorph.stages.campaign import open_store
    from galmorph.stages.records import read_declared

    settings = layout.load_params()
    conditions, transfers = read_declared(settings)
    notice(f"MLflow: {open_store(settings).sync([*conditions, *transfers.values()])}\n")


def ui(arguments: argparse.Namespace) -> None:
    """Sync the MLflow store, print the address of the study's page, and serve it on this machine until Ctrl-C."""
    from galmorph.stages.campaign import open_store
    from galmorph.tracking.address import without_password
    from galmorph.tracking.ui import free_port, serving
    from galmorph.tracking.views import page

    try:
        sync(arguments)
    except GalmorphError as error:
        # A study that is incomplete, or of other parameters by now, can be looked at.
        log.warning("not synced: %s; MLflow shows the runs that it holds", error)
    store = open_store(layout.load_params())
    experiment = store.experiment.experiment_id
    if store.uri.startswith(("http:", "https:")):
        sys.stdout.write(f"MLflow's page of this study: {page(without_password(store.uri), experiment)}\n")
        return
    port, said = free_port(arguments.port), layout.LOGS / "mlflow.log"
    with suppress(KeyboardInterrupt), serving(store.uri, port, said) as (address, process):
        sys.stdout.write(f"MLflow's page of this study: {page(address, experiment)}\nCtrl-C ends it\n")
        sys.stdout.flush()
        process.wait()
        raise GalmorphError(f"MLflow's server has ended; {said} has what it said")


def summary(arguments: argparse.Namespace) -> None:
    """Print the scores and answers of the last report, and the location of the full report."""
    from galmorph.report.table import read_summary, short_summary
    from galmorph.stages.records import require_report

    settings = layout.load_params()
    require_report(settings)
    scores = short_summary(read_summary(layout.SUMMARY))
    simulated = "Simulated survey, tuned towards the thesis's numbers: agreement is no evidence.\n"
    reading = (
        f"Mean ± standard deviation over {counted(settings.protocol.runs, 'run')} that stop at the selected epoch.\n"
        f"Commonest class: always answering it. Best baseline: of three classifiers without a network, on\n"
        f"the same galaxies. Every score: {layout.SUMMARY}\n"
        f"{simulated if settings.survey.source == 'simulated' else ''}{beside_the_commit()}"
    )
    answers = layout.ANSWERS.read_text(encoding="utf-8") if layout.ANSWERS.exists() else ""
    places = f"Report: {layout.PAGE}\nEvery run: make ui\n"
    sys.stdout.write("\n" + "\n".join([f"{scores}\n", reading, answers, places]))


def beside_the_commit() -> str:
    """Say whether git's last commit has these scores; nothing where they are not in git."""
    names = (layout.PARAMS, layout.SUMMARY, layout.ANSWERS, layout.METRICS)
    asked = ["git", "status", "--porcelain", "--ignored", "--untracked-files=all", "--", *map(os.fspath, names)]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True)
    except OSError:  # no git
        return ""
    # Git names them from its own root, which may be above the project's.
    states = {name: line[:2] for line in answer.stdout.splitlines() for name in names[:2] if line.endswith(str(name))}
    if answer.returncode or states.get(layout.SUMMARY) in ("??", "!!"):
        return ""
    if not answer.stdout:
        return "The same scores, byte for byte, as in git's last commit.\n"
    if layout.PARAMS in states:
        return "params.yaml is not the one of git's last commit; dvc metrics diff compares the scores.\n"
    return (
        "Other scores than in git's last commit, with the same params.yaml: dvc metrics diff compares them. Networks\n"
        "are the same bytes on one instruction set (docs/architecture.md); other code or data change them, too.\n"
    )


def reproduce(arguments: argparse.Namespace) -> None:
    """Check params.yaml, run dvc repro with one set of worker processes, sync the MLflow store, print the summary."""
    from galmorph.parallel import cluster

    check(arguments)
    with ExitStack() as stack:
        variables = dict(os.environ)
        if cluster.scheduler_address() is None:
            # Each stage would start its own, and each of these import TensorFlow and compile the network.
            workers = stack.enter_context(cluster.processes(cluster.worker_count()))
            variables["GALMORPH_SCHEDULER"] = workers.scheduler_address
        quiet = ["--quiet"] if progress.hidden else []
        dvc = subprocess.Popen([sys.executable, "-m", "dvc", "repro", *quiet], env=variables)
        try:
            status = dvc.wait()
        except KeyboardInterrupt as signalled:
            # A terminal sends Ctrl-C to all processes; SIGTERM comes to this one alone.
            if isinstance(signalled, Terminated):
                dvc.terminate()
            dvc.wait()
            raise
    if status:
        sys.exit(status)  # the stage or DVC has said why
    sync(arguments)
    summary(arguments)


def cluster(arguments: argparse.Namespace) -> None:
    """Start a scheduler whose workers are jobs of SLURM, print its address, and serve it until Ctrl-C."""
    from galmorph.parallel import slurm

    with slurm.slurm_jobs(
        arguments.workers,
        queue=arguments.queue,
        account=arguments.account,
        walltime=arguments.walltime,
        memory=arguments.memory,
        interface=arguments.interface,
        options=arguments.option,
        logs=layout.LOGS / "slurm",
    ) as jobs:
        sys.stdout.write(
            f"Up to {counted(arguments.workers, 'job')} when there is work; what they print: {layout.LOGS / 'slurm'}\n"
            f"In another shell, and then make reproduce:\n"
            f"  export GALMORPH_SCHEDULER={jobs.scheduler_address}\n"
            f"Ctrl-C ends the scheduler and its jobs\n"
        )
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def classify(arguments: argparse.Namespace) -> None:
    """Classify new galaxies with the kept networks of a condition: a folder of stamps, or positions on a frame."""
    from galmorph.classify.command import classify

    notice(
        classify(
            arguments.condition,
            stamps=arguments.stamps,
            labels=arguments.labels,
            sky_subtracted=arguments.sky_subtracted,
            frame=arguments.frame,
            positions=arguments.positions,
            output=arguments.output,
        )
    )


def show(arguments: argparse.Namespace) -> None:
    """Show a galaxy of the study: its stamp in its frame, its votes, and the predictions of the runs that tested it."""
    from galmorph.show.command import show

    sys.stdout.write(show(arguments.objid, arguments.output))


def publish(arguments: argparse.Namespace) -> None:
    """Write the finished study to published/NAME: parameters, hashes, numbers, the sha256 of each run."""
    from galmorph import published

    notice(f"{published.publish(arguments.name)}\n")


def replay(arguments: argparse.Namespace) -> None:
    """Train runs of a published study again and compare the bytes of their results."""
    from galmorph import published

    runs = published.published_runs(arguments.study)
    chosen = published.choose(runs, arguments.condition, arguments.phase, arguments.run_number, arguments.random)
    sys.stdout.write(published.replay(arguments.study, chosen))


# Each command with its examples; its name is that of the function, its help the docstring.
COMMANDS: dict[Callable[[argparse.Namespace], None], tuple[str, ...]] = {
    check: ("galmorph check", "galmorph check --quiet && dvc repro"),
    reproduce: ("galmorph reproduce",),
    plan: ("cp presets/sdss.yaml params.yaml && galmorph plan",),
    verify: ("galmorph verify", "galmorph verify --repair"),
    sync: ("galmorph sync", "rm mlflow.db && galmorph sync"),
    ui: ("galmorph ui", "galmorph ui --port 8000"),
    summary: ("galmorph summary",),
    classify: (
        "galmorph classify two_class --stamps new_stamps",
        "galmorph classify two_class --stamps new_stamps --labels new_stamps.csv --output classes",
        "galmorph classify three_class --frame fpC-001729-r3-0083.fit.gz --positions galaxies.csv",
        "galmorph classify transfer/coarse --stamps coarse_stamps",
    ),
    cluster: (
        "galmorph cluster slurm --workers 30",
        "galmorph cluster slurm --workers 30 --queue short --walltime 02:00:00 --option=--constraint=avx512f",
    ),
    publish: ("galmorph publish my_study",),
    replay: ("galmorph replay published/quick two_class confirmed 17", "galmorph replay published/quick --random 3"),
    show: ("galmorph show 587724087142055967", "galmorph show 587724087142055967 --output galaxy.png"),
}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    # Before or after the command's name; the default of the one must not undo the other.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    verbosity = common.add_mutually_exclusive_group()
    verbosity.add_argument(
        "-q",
        "--quiet",
        dest="verbosity",
        action="store_const",
        const=QUIET,
        help="no progress and no notices, only warnings, errors and requested output",
    )
    verbosity.add_argument(
        "-v", "--verbose", dest="verbosity", action="store_const", const=VERBOSE, help="more messages"
    )
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="galmorph",
        description=__doc__,
        parents=[common],
        formatter_class=raw,
        epilog=_examples(("galmorph check", "dvc repro", "galmorph summary", "galmorph classify --help")) + EXIT_STATUS,
    )
    parser.add_argument("--version", action="version", version=f"galmorph {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for function, examples in COMMANDS.items():
        text = function.__doc__
        command = commands.add_parser(
            function.__name__,
            help=text,
            description=text,
            parents=[common],
            formatter_class=raw,
            epilog=_examples(examples),
        )
        command.set_defaults(run=function)
    add = commands.choices["verify"].add_argument
    add("--repair", action="store_true", help="fetch again what differs")
    add = commands.choices["ui"].add_argument
    add("--port", metavar="PORT", type=int, default=5000, help="the first that is tried (5000)")
    add = commands.choices["show"].add_argument
    add("objid", metavar="OBJID", type=int, help="as in data/cutouts/galaxies.parquet")
    add("--output", metavar="FILE", type=Path, help="the picture; by default shown/OBJID.png")
    add = commands.choices["cluster"].add_argument
    add("kind", choices=["slurm"], help="what starts the workers")
    add("--workers", metavar="N", type=int, required=True, help="the most jobs at a time; a phase has 30 runs")
    add("--queue", metavar="PARTITION", help="SLURM's partition, if not the default")
    add("--account", metavar="ACCOUNT", help="SLURM's account, if not the default")
    add("--walltime", metavar="TIME", default="06:00:00", help="time limit of a job (06:00:00)")
    add("--memory", metavar="SIZE", default="3GB", help="memory of a job (3GB)")
    add("--interface", metavar="NAME", help="network interface that the jobs can reach, such as ib0")
    add("--option", metavar="OPTION", action="append", default=[], help="further options of sbatch, one each")
    add = commands.choices["publish"].add_argument
    add("name", metavar="NAME", help="the folder in published; an earlier one is replaced")
    add = commands.choices["replay"].add_argument
    add("study", metavar="FOLDER", type=Path, help="a folder in published")
    add("condition", metavar="CONDITION", nargs="?", help="what was trained: a condition, or transfer/LEVEL")
    add("phase", metavar="PHASE", nargs="?", help="selected or confirmed")
    add("run_number", metavar="RUN", nargs="?", type=int, help="from 1")
    add("--random", metavar="N", type=int, help="any N of them; without it, all")
    add = commands.choices["classify"].add_argument
    add("condition", metavar="CONDITION", help="what was trained: a condition, or transfer/LEVEL")
    galaxies = commands.choices["classify"].add_mutually_exclusive_group(required=True)
    galaxies.add_argument("--stamps", metavar="FOLDER", type=Path, help="FITS, npy, PNG or JPEG stamps")
    galaxies.add_argument("--frame", metavar="FILE", type=Path, help="an SDSS frame, with --positions")
    add("--labels", metavar="CSV", type=Path, help="of the stamps: stamp; optional name, ra, dec, pixel_scale, class")
    add("--positions", metavar="CSV", type=Path, help="on the frame: ra, dec; optional name or objid, class")
    add("--sky-subtracted", action="store_true", help="leave the sky of the stamps as it is")
    add(
        "--output",
        metavar="FOLDER",
        type=Path,
        help="by default classified/CONDITION; earlier results there are replaced",
    )
    return parser


def _examples(lines: tuple[str, ...]) -> str:
    return "examples:\n" + "".join(f"  {line}\n" for line in lines)


def enter_project(arguments: argparse.Namespace) -> None:
    """Go to the project's root, if it is above; paths of the command line stay those that the user named."""
    here = Path.cwd()
    root = next((folder for folder in here.parents if (folder / layout.PARAMS).is_file()), None)
    if layout.PARAMS.exists() or root is None:
        return
    log.info("the project is in %s", root)
    for name, value in vars(arguments).items():
        if isinstance(value, Path):
            setattr(arguments, name, Path(os.path.relpath(here / value, root)))
    os.chdir(root)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and run the command."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "classify" and (arguments.frame is None) != (arguments.positions is None):
        parser.error("classify: --frame and --positions go together")
    if arguments.command == "classify" and arguments.labels and arguments.stamps is None:
        parser.error("classify: --labels goes with --stamps")

    def run() -> None:
        enter_project(arguments)
        arguments.run(arguments)

    launch(run, getattr(arguments, "verbosity", NORMAL), STOPPED)


if __name__ == "__main__":
    main()
