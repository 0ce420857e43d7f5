import io
import json
import logging
import os
import pty
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from ruamel.yaml import YAML

from galmorph import cli
from galmorph.parallel import progress
from galmorph.parallel.progress import Progress
from galmorph.settings import layout
from galmorph.sources.manifest import write_manifest
from galmorph.stages.launch import NORMAL, QUIET, STOPPED_STATUS, VERBOSE, launch, painted
from tests.support.archive_server import serving
from tests.support.frames import objid, table2_row, write_table2
from tests.support.parameters import ROOT, changed, committed


@pytest.fixture(autouse=True)
def _show_progress_again():
    yield
    progress.hidden = False


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working directory with a params.yaml."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


WORKERS_SEEN = """
import json, os, sys
from distributed import Client

with Client(os.environ["GALMORPH_SCHEDULER"]) as client:
    json.dump(client.run(os.getpid), open("seen.json", "w"))
sys.exit(os.path.exists("fail"))
"""


def test_the_stages_of_reproduce_share_worker_processes(project, monkeypatch, capfd):
    (project / "stage.py").write_text(WORKERS_SEEN)
    stages = {"one": {"cmd": f"{sys.executable} stage.py", "outs": ["seen.json"], "deps": ["wanted"]}}
    YAML().dump({"stages": stages}, project / "dvc.yaml")
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], check=True)
    monkeypatch.setenv("GALMORPH_WORKERS", "2")
    monkeypatch.setattr(cli, "sync", lambda arguments: sys.stdout.write("sync\n"))
    monkeypatch.setattr(cli, "summary", lambda arguments: sys.stdout.write("summary\n"))
    (project / "wanted").write_text("1")
    cli.main(["reproduce"])
    assert capfd.readouterr().out.endswith("sync\nsummary\n")
    workers = json.loads((project / "seen.json").read_text())
    assert len(set(workers.values())) == 2
    assert [number for number in workers.values() if Path(f"/proc/{number}").exists()] == []
    # Where a stage fails, the command has its status and goes no further.
    (project / "wanted").write_text("2")
    (project / "fail").touch()
    with pytest.raises(SystemExit) as ended:
        cli.main(["--quiet", "reproduce"])
    assert ended.value.code == 255
    assert "summary" not in capfd.readouterr().out


def test_check_counts_one_and_many(project, capsys):
    params = committed()
    cli.main(["check"])
    assert re.search(
        r" \(simulated\), 4 conditions, \d levels and \d remedies: \d+ runs of at most \d+ epochs\n$",
        capsys.readouterr().out,
    )
    one = {"native": params["resolution"]["levels"]["native"]}
    small = changed(
        params,
        {
            "conditions": {"two_class": params["conditions"]["two_class"]},
            "comparisons": {},
            "training.epochs": 1,
            "resolution.levels": one,
            "resolution.ablations": {},
            "resolution.remedies": {},
            "resolution.oracle": [],
        },
    )
    YAML().dump(small, project / "params.yaml")
    cli.main(["check"])
    assert re.search(r", 1 condition, 1 level and 0 remedies: \d+ runs of at most 1 epoch\n$", capsys.readouterr().out)


def test_check_outside_a_project_says_where_to_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"params\.yaml: no such file; run galmorph in the project's root"):
        cli.main(["check"])


def test_a_command_finds_the_project_from_a_folder_below(project, monkeypatch, capsys):
    below = project / "data/external"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    cli.main(["check"])
    assert "4 conditions" in capsys.readouterr().out
    # Paths are from where the user is.
    given = {}
    monkeypatch.setattr("galmorph.classify.command.classify", lambda condition, **paths: given.update(paths) or "")
    monkeypatch.chdir(below)
    cli.main(["classify", "two_class", "--stamps", "new", "--output", "../classes"])
    assert (given["stamps"], given["output"], given["labels"]) == (
        Path("data/external/new"),
        Path("data/classes"),
        None,
    )


def test_summary_before_any_report_says_how_to_make_one(project):
    with pytest.raises(SystemExit, match="run dvc repro"):
        cli.main(["summary"])


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (None, r"records\.csv: no such file, so nothing says what the report was made from; run dvc repro --force"),
        (
            "three_class,confirmed,2,0123456789abcdef",
            "reports: made from other records of three_class, confirmed, than",
        ),
    ],
)
def test_summary_of_a_report_of_other_records_is_refused(own_study, monkeypatch, records, message):
    summary = own_study / layout.SUMMARY
    (own_study / layout.REPORTED).parent.mkdir(parents=True)
    summary.write_text("condition,metric,phase,epoch,runs,mean,std,binomial\n", encoding="utf-8")
    if records is not None:
        (own_study / layout.REPORTED).write_text(f"condition,phase,runs,fingerprint\n{records}\n", encoding="utf-8")
    monkeypatch.chdir(own_study)
    with pytest.raises(SystemExit, match=message):
        cli.main(["summary"])


@pytest.fixture
def committed_scores(tmp_path, monkeypatch):
    """A git repository with a params.yaml, a summary and the metrics of one condition."""
    for path, text in ((layout.PARAMS, "a: 1\n"), (layout.SUMMARY, "0.9\n"), (layout.METRICS / "one.json", "{}\n")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", "scores"],
    ):
        subprocess.run(["git", *command], check=True)
    return tmp_path


def test_scores_of_the_last_commit(committed_scores):
    assert cli.beside_the_commit().startswith("The same scores, byte for byte, as in git's last commit.")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (layout.PARAMS, "params.yaml is not the one of git's last commit"),
        (layout.SUMMARY, "Other scores than in git's last commit"),
        (layout.METRICS / "one.json", "Other scores than in git's last commit"),
        (layout.METRICS / "two.json", "Other scores than in git's last commit"),
    ],
)
def test_other_scores_than_of_the_last_commit(committed_scores, changed, said):
    (committed_scores / changed).write_text("2\n", encoding="utf-8")
    assert cli.beside_the_commit().startswith(said)


def test_scores_of_a_project_within_a_repository(committed_scores, monkeypatch):
    shutil.copytree(committed_scores, committed_scores / "study", ignore=shutil.ignore_patterns(".git", "study"))
    monkeypatch.chdir(committed_scores / "study")
    assert cli.beside_the_commit() == ""
    subprocess.run(["git", "add", "."], check=True)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, "commit", "--quiet", "--message", "study"], check=True)
    assert cli.beside_the_commit().startswith("The same scores")
    Path("params.yaml").write_text("a: 2\n", encoding="utf-8")
    assert cli.beside_the_commit().startswith("params.yaml is not the one")


def test_scores_outside_git(committed_scores):
    subprocess.run(["git", "rm", "--quiet", "--cached", layout.SUMMARY], check=True)
    assert cli.beside_the_commit() == ""
    Path(".gitignore").write_text(f"{layout.SUMMARY}\n", encoding="utf-8")
    assert cli.beside_the_commit() == ""
    shutil.rmtree(".git")
    assert cli.beside_the_commit() == ""


def test_a_defect_of_ours_keeps_its_traceback():
    def broken():
        raise KeyError("ours")

    with pytest.raises(KeyError):
        launch(broken)


def test_an_interrupted_stage_says_what_happens_next(capsys):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        launch(interrupted)
    assert ended.value.code == STOPPED_STATUS
    assert capsys.readouterr().err == "galmorph: stopped; finished work is kept, and dvc repro continues from there\n"


def test_a_fresh_folder_is_empty_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    left = layout.PARTIAL / "stage" / "left"
    left.mkdir(parents=True)
    folder = None
    try:
        with layout.fresh_folder("stage") as folder:
            assert list(folder.iterdir()) == []
            (folder / "half").touch()
            raise ValueError
    except ValueError:
        pass
    assert folder is not None
    assert list(layout.PARTIAL.iterdir()) == []


def test_plan_is_for_the_archive(project):
    with pytest.raises(SystemExit, match=r"survey\.source is simulated, which downloads nothing"):
        cli.main(["plan"])


def test_plan_prints_what_a_sample_costs(tmp_path, monkeypatch, capsys):
    write_table2(tmp_path / "t.csv", [table2_row(objid(1), 10.0, 5.0), table2_row(objid(2, field=84), 10.1, 5.0)])
    text = (ROOT / "presets/sdss.yaml").read_text().replace("galaxies: 15000  ", "galaxies: 2  ")
    text = re.sub(r"catalogue: https\S+", f"catalogue: {tmp_path / 't.csv'}", text)
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    cli.main(["plan"])
    printed = capsys.readouterr().out
    assert "galaxies          2 of 2 rows of t.csv, rule first\n  spiral          2\n" in printed
    assert "frames            2 of band r, dr7, from https://das.sdss.org\n" in printed
    assert "to download       4 files, about 0.00 GB\n" in printed


def test_verify_says_what_is_wrong_and_repairs_it(tmp_path, monkeypatch, capsys):
    store, raw = tmp_path / "server", tmp_path / "data" / "raw"
    for folder in (store, raw):
        folder.mkdir(parents=True)
        (folder / "one.fit").write_bytes(b"1" * 1000)
    monkeypatch.chdir(tmp_path)
    with serving(store) as archive:
        write_manifest(raw, {"one.fit": f"{archive.url}/one.fit"})
        cli.main(["verify"])
        assert capsys.readouterr().out == "data/raw: 1 file as the manifest says\n"
        (raw / "one.fit").write_bytes(b"2" * 1000)
        with pytest.raises(SystemExit, match="1 file not as the manifest says; galmorph verify --repair"):
            cli.main(["verify"])
        assert "wrong     one.fit: other bytes than the manifest's\n" in capsys.readouterr().out
        cli.main(["verify", "--repair"])
        assert capsys.readouterr().out == "repaired  one.fit\n"
    assert (raw / "one.fit").read_bytes() == b"1" * 1000


NAMES = [command.__name__ for command in cli.COMMANDS]


def run(folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **environment):
    """Run galmorph check as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "galmorph.cli", "check"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")} | environment,
        stdout=stdout,
        stderr=stderr,
        text=True,
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_examples_that_its_parser_takes(name, capsys):
    parser = cli.make_parser()
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([name, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    examples = printed.partition("examples:\n")[2].splitlines()
    assert examples
    for line in examples:
        calls = [part.strip() for part in line.split("&&") if part.strip().startswith("galmorph ")]
        assert calls
        for call in calls:
            assert parser.parse_args(call.split()[1:]).command == name


def test_help_names_all_commands_and_the_exit_statuses(capsys):
    with pytest.raises(SystemExit):
        cli.make_parser().parse_args(["--help"])
    printed = capsys.readouterr().out
    assert all(f"\n    {name}" in printed for name in NAMES)
    assert all(f"\n  {status}  " in printed for status in (0, 1, 2, 130))


def test_a_users_mistake_ends_with_1_and_no_traceback(project):
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("epochs: 8", "epochs: 0"))
    done = run(project)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("galmorph: params.yaml: training.epochs: ")
    assert "Traceback" not in done.stderr
    assert "\033" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("chek",), "invalid choice: 'chek'"),
        (("show", "m31"), "argument OBJID: invalid int value: 'm31'"),
        (("classify", "two_class"), "one of the arguments --stamps --frame is required"),
        (("classify", "two_class", "--frame", "f"), "--frame and --positions go together"),
        (("classify", "two_class", "--stamps", "s", "--positions", "p"), "--frame and --positions go together"),
        (("classify", "two_class", "--frame", "f", "--positions", "p", "--labels", "l"), "--labels goes with --stamps"),
        (("classify", "two_class", "--frame", "f", "--stamps", "s"), "not allowed with argument"),
        (("check", "--quiet", "--verbose"), "not allowed with argument"),
        (("check", "--params"), "unrecognized arguments: --params"),
    ],
)
def test_an_invalid_command_line_ends_with_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("galmorph ")


@pytest.mark.parametrize("arguments", [["--quiet", "check"], ["check", "--quiet"], ["check", "-q"]])
def test_quiet_says_nothing_when_all_is_well(arguments, capsys, project):
    cli.main(arguments)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
    cli.main(["check"])
    assert capsys.readouterr().out.startswith("params.yaml: survey simulated")


@pytest.mark.parametrize(
    ("verbosity", "heard"),
    [(QUIET, ["warning"]), (NORMAL, ["info", "warning"]), (VERBOSE, ["debug", "info", "warning"])],
)
def test_how_much_is_heard(verbosity, heard, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    def talk():
        log = logging.getLogger("galmorph.test")
        for level in ("debug", "info", "warning"):
            getattr(log, level)("%s", level)
        with Progress(1, 1, "the bar", "job").bar:
            pass

    launch(talk, verbosity)
    said = capsys.readouterr().err
    assert [word for word in ("debug", "info", "warning") if word in said.split()] == heard
    assert ("the bar" in said) == (verbosity != QUIET)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "coloured"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_colours_are_for_terminals_whose_user_wants_them(stream, environment, coloured, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert painted("word", "31", stream) == ("\033[31mword\033[0m" if coloured else "word")


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_a_message_on_a_real_terminal(tmp_path, no_colour, coloured):
    ours, theirs = pty.openpty()
    done = run(tmp_path, stderr=theirs, TERM="xterm", NO_COLOR=no_colour)
    os.close(theirs)
    said = os.read(ours, 10_000).decode()
    os.close(ours)
    assert done.returncode == 1
    assert said.startswith(
        "\033[31mgalmorph:\033[0m params.yaml: no such file" if coloured else "galmorph: params.yaml"
    )


def test_a_closed_pipe_ends_without_a_traceback(project):
    reader, writer = os.pipe()
    os.close(reader)
    done = run(project, stdout=writer)
    os.close(writer)
    assert done.stderr == ""


def test_the_page_of_a_server_that_runs_elsewhere_is_named_without_the_password(project, monkeypatch, capsys):
    store = SimpleNamespace(uri="https://me:secret@mlflow.example/", experiment=SimpleNamespace(experiment_id="1"))
    monkeypatch.setattr(cli, "sync", lambda arguments: None)
    monkeypatch.setattr("galmorph.stages.campaign.open_store", lambda settings: store)
    cli.main(["--quiet", "ui"])
    page = "/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=conditions"
    assert capsys.readouterr().out == f"MLflow's page of this study: https://***@mlflow.example{page}\n"


@contextmanager
def server_that_is_stopped(uri, port, log):
    """In place of MLflow's, which takes seconds to start."""

    def wait():
        raise KeyboardInterrupt

    yield f"http://127.0.0.1:{port}", SimpleNamespace(wait=wait)


def test_the_ui_opens_before_the_first_study_is_complete(project, empty_database, monkeypatch, capsys, caplog):
    (project / "mlflow.db").write_bytes(empty_database)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("galmorph.tracking.ui.serving", server_that_is_stopped)
    monkeypatch.setattr("galmorph.tracking.ui.free_port", lambda first: first + 1)
    with caplog.at_level(logging.WARNING, logger="galmorph"):
        cli.main(["ui"])
    assert "http://127.0.0.1:5001/#/experiments/1/runs" in capsys.readouterr().out
    assert "not synced: models/three_class/selected/epoch.json: cannot read the selected epoch" in caplog.text
    with pytest.raises(SystemExit, match="cannot read the selected epoch"):
        cli.main(["sync"])
