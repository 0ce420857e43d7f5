"""Run a stage or a command: environment, log, signals, error messages and exit status.

0: success. 1: an error that the user can correct, explained in a few lines. 2: an invalid command line (argparse).
130: stopped by Ctrl-C; 143: by SIGTERM. A traceback is a bug.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

from galmorph.environment import require_settled
from galmorph.errors import GalmorphError, with_remedy
from galmorph.parallel import progress
from galmorph.stages import PARENT

ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # by default an unreachable server delays each run by four minutes
    "TF_CPP_MIN_LOG_LEVEL": "3",  # TensorFlow greets every process with several lines
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines for each run on a server
    "GIT_PYTHON_REFRESH": "quiet",
}
QUIET, NORMAL, VERBOSE = -1, 0, 1
STOPPED = "stopped; finished work is kept, and dvc repro continues from there"
STOPPED_STATUS, TERMINATED_STATUS = 130, 143  # as shells have it: 128 and the number of the signal

_LEVELS = {QUIET: logging.WARNING, NORMAL: logging.INFO, VERBOSE: logging.DEBUG}
_RED, _YELLOW = "31", "33"
_REPEAT_SECONDS = 0.05
_PARENT_SECONDS = 1.0  # between two looks


def painted(text: str, colour: str, stream: TextIO) -> str:
    """Return a text in a colour where the stream is a terminal that has them and the user has not set NO_COLOR."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty()
    return text if plain else f"\033[{colour}m{text}\033[0m"


class AboveBars(logging.StreamHandler[TextIO]):
    """Write log lines above the progress bars; warnings and errors in colour."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        text = self.format(record)
        if record.levelno >= logging.WARNING:
            text = painted(text, _RED if record.levelno >= logging.ERROR else _YELLOW, self.stream)
        tqdm.write(text, file=self.stream)


class Terminated(KeyboardInterrupt):
    """SIGTERM, handled as Ctrl-C is."""


def _terminate(number: int, frame: object) -> None:
    raise Terminated


@contextmanager
def _repeated_signals() -> Iterator[None]:
    """Send a signal again whose exception Python dropped.

    It does that to any exception within a weakref callback or a `__del__`, and the program would go on.
    """
    report = sys.unraisablehook

    def repeat(dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, KeyboardInterrupt):
            report(dropped)
            return
        number = signal.SIGTERM if isinstance(dropped.exc_value, Terminated) else signal.SIGINT
        main = threading.main_thread().ident
        assert main is not None
        # Later, when the callback has ended.
        timer = threading.Timer(_REPEAT_SECONDS, signal.pthread_kill, (main, number))
        timer.daemon = True
        timer.start()

    sys.unraisablehook = repeat
    try:
        yield
    finally:
        sys.unraisablehook = report


def _end_with_parent() -> None:
    """Wait until the DVC that started this stage is gone, and end the stage as SIGTERM does."""
    while os.getppid() == PARENT:
        time.sleep(_PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def launch(function: Callable[[], None], verbosity: int = NORMAL, stopped: str = STOPPED) -> None:
    """Run a stage or a command; a GalmorphError ends it with its message and status 1, without a traceback.

    Parameters
    ----------
    function
        The work of the stage or command.
    verbosity
        QUIET: warnings and errors only. VERBOSE: also what otherwise goes to the log files only.
    stopped
        The message after Ctrl-C.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # The log file of a campaign gets every line, the terminal those of `verbosity`.
    terminal = AboveBars(sys.stderr)
    terminal.setLevel(_LEVELS[verbosity])
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[terminal])
    logging.getLogger("galmorph").setLevel(logging.DEBUG)
    progress.hidden = verbosity == QUIET
    signal.signal(signal.SIGTERM, _terminate)
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    galmorph = painted("galmorph:", _RED, sys.stderr)
    try:
        with _repeated_signals():
            require_settled()
            function()
        sys.stdout.flush()
    except GalmorphError as error:
        sys.exit(f"{galmorph} {error}")
    except KeyboardInterrupt as signalled:
        sys.stderr.write(f"{galmorph} {stopped}\n")
        sys.exit(TERMINATED_STATUS if isinstance(signalled, Terminated) else STOPPED_STATUS)
    except BrokenPipeError:
        # The reader of the output has closed it (`galmorph summary | head -1`). Discard what Python flushes at exit, as
        # its documentation recommends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if (explained := with_remedy(error)) is None:
            raise
        sys.exit(f"{galmorph} {explained}")
