"""Published studies: their parameters, hashes and numbers in git, and any single run of them trained again."""

from __future__ import annotations

import itertools
import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from galmorph.errors import GalmorphError, counted, did_you_mean
from galmorph.files.atomic import move_into_place
from galmorph.files.texttable import find_columns, read_text_table, whole_numbers
from galmorph.parallel.workers import spread
from galmorph.settings import layout
from galmorph.settings.lock import LOCK, read_lock
from galmorph.settings.reading import load_settings
from galmorph.settings.resolution import TRANSFER, recorded_name
from galmorph.settings.study import Settings
from galmorph.stages.records import require_report
from galmorph.tracking.store import provenance
from galmorph.training.declared import campaign_of
from galmorph.training.plan import TRAINING_CODE
from galmorph.training.protocol import PHASES
from galmorph.training.records import load_phase, load_record, record_name, results_sha256
from galmorph.training.run import run_one

STUDIES = Path("published")
RUNS = "records.csv"
MACHINE = "machine.json"
COLUMNS = ("condition", "phase", "run", "epochs", "accuracy", "sha256")
# Instruction sets by which TensorFlow chooses its kernels, the newest first, by their flags in /proc/cpuinfo.
INSTRUCTIONS = {
    "amx_bf16": "AMX",
    "avx512_bf16": "AVX-512 BF16",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
}
# Figures of the network's results; those of single galaxies are in the report.
FIGURES = ("accuracy_*", "loss_*", "confusion_*", "series_*", "resolution_*", "doubt_*")
WIDTH, COLOURS = 800, 64  # of a figure, in pixels and shades: a tenth of the report's size
PAGE = """# {name}

{about}

{made}

```text
{answers}```

- `params.yaml`, `dvc.lock`: the parameters, and the hashes of frames, stamps, splits, records and report
- `records.csv`: each run with its accuracy and the sha256 of its curves, predictions and probabilities
- `summary.csv`, `metrics.json`, `tables/`, `plots/`, `figures/`: the numbers of the report

`galmorph replay published/{name} --random 3` trains three of the runs again and compares the hashes.
"""
COST = (
    "{run_epochs:,} epochs in all, {seconds_per_run_epoch} s each on one core: {core_hours} core hours, and at most "
    "{peak_memory_gb} GB for a process. "
)
MADE = "{processor} ({instructions}), Python {python}, TensorFlow {tensorflow}, commit {commit}."
TRAINED = re.compile(r"run (\d+) finished, .* after epoch (\d+), (\d+) s in .* peak memory ([\d.]+) GB")


def publish(name: str) -> Path:
    """Write the finished study of this folder to published/NAME, and return that folder.

    Raises
    ------
    GalmorphError
        If the report is not of the present parameters, data, code and records.
    """
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise GalmorphError(f"{name}: not a name for a folder in {STUDIES}")
    settings = layout.load_params()
    require_report(settings)
    with layout.fresh_folder("publish") as work:
        made = work / name
        made.mkdir()
        for source in (layout.PARAMS, LOCK, layout.SUMMARY, layout.ANSWERS):
            shutil.copy(source, made)
        metrics = {path.stem: json.loads(path.read_bytes()) for path in sorted(layout.METRICS.glob("*.json"))}
        _write_json(made / "metrics.json", metrics)
        pd.DataFrame(_finished(settings), columns=COLUMNS).to_csv(made / RUNS, index=False, lineterminator="\n")
        _write_json(made / MACHINE, machine() | cost(settings))
        for kind in ("tables", "plots"):
            # Left out: tables for LaTeX, the report's own list of records, and the answers to single galaxies.
            ignore = shutil.ignore_patterns("*.tex", layout.REPORTED.name, "confusion")
            shutil.copytree(layout.REPORTS / kind, made / kind, ignore=ignore)
        _copy_figures(made / "figures")
        (made / "README.md").write_text(_readme(name, made), encoding="utf-8")
        move_into_place(made, STUDIES / name)
    return STUDIES / name


def replay(folder: Path, chosen: pd.DataFrame) -> str:
    """Train runs of a published study again, and say whether their results are the published bytes.

    Parameters
    ----------
    folder
        Of the published study.
    chosen
        Rows of `published_runs`.

    Returns
    -------
    str
        A line for each run, and one for all.

    Raises
    ------
    GalmorphError
        If the data cannot be made, or a run fails.
    """
    settings = load_settings(folder / layout.PARAMS)
    project = _project(folder, settings, sorted(set(chosen["condition"])))
    lines, same = [], 0
    with layout.fresh_folder("replayed") as made:
        for _, rows in chosen.groupby(["condition", "phase"], sort=False):
            trained, phase, epochs = rows.iloc[0][["condition", "phase", "epochs"]]
            campaign = campaign_of(settings, trained, phase, epochs=int(epochs), project=project)
            jobs = [(campaign, int(run), made) for run in rows["run"]]
            label = f"{trained}, {phase}"
            for index, _ in spread(run_one, jobs, label=label, unit="epoch", steps=campaign.epochs, code=TRAINING_CODE):
                expected = rows.iloc[index]
                record = load_record(made / record_name(expected["run"]))
                accuracy = float(record.history["test_accuracy"][-1])
                if results_sha256(record) == expected["sha256"]:
                    same += 1
                    lines.append(f"{label}, run {record.run}: the same bytes, accuracy {accuracy:.4f}")
                else:
                    lines.append(
                        f"{label}, run {record.run}: other bytes, accuracy {accuracy:.4f}, "
                        f"{accuracy - expected['accuracy']:+.4f} from the published one"
                    )
    lines.append(f"{same} of {counted(len(chosen), 'run')} with the published bytes.")
    if same < len(chosen):
        lines.append(_why(folder, project))
    return "\n".join(lines) + "\n"


def published_runs(folder: Path) -> pd.DataFrame:
    """Return the runs of a published study: condition, phase, run, epochs, accuracy after the last, sha256.

    A level or remedy of the resolution study is the condition transfer/NAME.

    Raises
    ------
    GalmorphError
        If the folder holds no published study.
    """
    path = folder / RUNS
    if not path.exists():
        there = ", ".join(f"{STUDIES}/{one.parent.name}" for one in sorted(STUDIES.glob(f"*/{RUNS}"))) or "none"
        raise GalmorphError(f"{folder}: not a published study, which has a file {RUNS}; here are: {there}")
    table = find_columns(read_text_table(path), path, COLUMNS)
    for column in ("run", "epochs"):
        table[column] = whole_numbers(table, column, path)
    return table.assign(accuracy=table["accuracy"].astype(float))


def choose(
    runs: pd.DataFrame, condition: str | None, phase: str | None, run: int | None, count: int | None
) -> pd.DataFrame:
    """Return the runs of a condition, phase and number, each where given; of these, `count` at random.

    Raises
    ------
    GalmorphError
        If there are none.
    """
    for column, wanted in {"condition": condition, "phase": phase, "run": run}.items():
        if wanted is None:
            continue
        found = runs[runs[column] == wanted]
        if found.empty:
            known = [str(name) for name in runs[column].drop_duplicates()]
            raise GalmorphError(f"{column} {wanted}: not among the published runs{did_you_mean(str(wanted), known)}")
        runs = found
    return runs if count is None else runs.sample(min(count, len(runs)))


def machine() -> dict[str, Any]:
    """Return what decides the bytes of a network beside parameters, data and code, and the commit of the code."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    model = re.search(r"model name\s*: (.*)", text)
    flags = set((re.search(r"flags\s*: (.*)", text) or [""])[0].split())
    return {
        "commit": provenance().get("mlflow.source.git.commit"),
        "processor": model[1].strip() if model else platform.processor(),
        "instructions": next((name for flag, name in INSTRUCTIONS.items() if flag in flags), platform.machine()),
        "python": platform.python_version(),
        "tensorflow": metadata.version(metadata.packages_distributions()["tensorflow"][0]),
    }


def cost(settings: Settings) -> dict[str, Any]:
    """Return what the runs cost, by the logs of this folder, each when it was trained last; nothing of others."""
    seconds = epochs = 0
    memory = 0.0
    for trained, phase, _ in _trained(settings):
        log = layout.LOGS / f"{recorded_name(trained)}.{phase}.log"
        found = TRAINED.findall(log.read_text(encoding="utf-8") if log.exists() else "")
        for after, taken, most in {run: numbers for run, *numbers in found}.values():
            epochs, seconds, memory = epochs + int(after), seconds + int(taken), max(memory, float(most))
    if not epochs:
        return {}
    return {
        "run_epochs": epochs,
        "core_hours": round(seconds / 3600, 1),
        "seconds_per_run_epoch": round(seconds / epochs, 2),
        "peak_memory_gb": memory,
    }


def _trained(settings: Settings) -> Iterator[tuple[str, str, Path]]:
    """Yield what is trained from initial weights, the phase, and the folder of its records, as training left them.

    Fine-tuning starts from the weights of other runs, which are not published.
    """
    for condition in settings.conditions:
        for phase in PHASES:
            yield condition, phase, layout.records_folder(condition, phase)
    mixed = [name for name, remedy in settings.resolution.remedies.items() if remedy.kind == "mixed"]
    for name in (*settings.resolution.levels, *mixed):
        for phase in PHASES:
            yield f"{TRANSFER}/{name}", phase, layout.transfer_folder(name, phase)


def _finished(settings: Settings) -> Iterator[tuple[str, str, int, int, float, str]]:
    for trained, phase, folder in _trained(settings):
        runs = settings.protocol.runs if trained in settings.conditions else settings.resolution.runs
        for record in load_phase(folder, runs, recorded_name(trained), phase):
            accuracy = float(record.history["test_accuracy"][-1])
            yield trained, phase, record.run, record.epochs, accuracy, results_sha256(record)


def _project(folder: Path, settings: Settings, trained: list[str]) -> Path:
    """Make a project with the study's params.yaml and data; what this project's DVC cache has is taken from there."""
    project = Path(".galmorph/replay") / folder.name
    external = project / layout.EXTERNAL
    for path in (external.parent, project / ".dvc"):
        path.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(project / "src", ignore_errors=True)
    shutil.copytree("src", project / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", ".dvc/config"):
        shutil.copy(name, project / name)
    shutil.copy(folder / layout.PARAMS, project)
    if not external.exists():
        external.symlink_to(layout.EXTERNAL.resolve())
    (project / ".dvc/config.local").write_text(
        f"[core]\n    no_scm = true\n[cache]\n    dir = {Path('.dvc/cache').resolve()}\n", encoding="utf-8"
    )
    stages = [stage for name in trained for stage in _data_stages(settings, name)]
    done = subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet", *stages], cwd=project)
    if done.returncode:
        raise GalmorphError(f"{folder}: its data could not be made; the message above says why")
    return project


def _data_stages(settings: Settings, trained: str) -> list[str]:
    """Return the stages that make what a condition, or transfer/NAME, is trained on and tested at."""
    if trained in settings.conditions:
        return [f"splits@{trained}"]
    name = trained.removeprefix(f"{TRANSFER}/")
    remedy = settings.resolution.remedies.get(name)
    return [f"parts@{name}"] if remedy is None else [f"mix@{name}", f"parts@{remedy.levels[-1]}"]


def _why(folder: Path, project: Path) -> str:
    """Say where other bytes come from, as far as it can be told."""
    before = read_lock(folder)
    for stage, now in read_lock(project).items():
        for path, md5 in now.outs.items():
            if stage in before and before[stage].outs.get(path) not in (None, md5):
                return f"{path} is not what it was: other data, or other code that makes them."
    published, here = json.loads((folder / MACHINE).read_text(encoding="utf-8")), machine()
    names = ("instructions", "python", "tensorflow")
    if differs := [f"{name} {published[name]} (here {here[name]})" for name in names if published[name] != here[name]]:
        return f"Published with {', '.join(differs)}; networks are the same bytes on one instruction set."
    return f"Data, processor and versions are the same: the code that trains has changed since {published['commit']}."


def _copy_figures(folder: Path) -> None:
    folder.mkdir()
    for pattern in FIGURES:
        for path in sorted((layout.REPORTS / "figures").glob(f"{pattern}.png")):
            with Image.open(path) as figure:
                small = figure.convert("RGB")
                small.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
                small.quantize(COLOURS).save(folder / path.name, optimize=True)


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _readme(name: str, folder: Path) -> str:
    """Return the page of a published study."""
    known = json.loads((folder / MACHINE).read_text(encoding="utf-8"))
    params = (folder / layout.PARAMS).read_text(encoding="utf-8").splitlines()
    comment = itertools.takewhile(lambda line: line.startswith("#"), params)
    return PAGE.format(
        name=name,
        about="\n".join(f"    {line.removeprefix('#').strip()}" for line in comment),
        made=(COST.format(**known) if "run_epochs" in known else "") + MADE.format(**known),
        answers=(folder / layout.ANSWERS.name).read_text(encoding="utf-8"),
    )
