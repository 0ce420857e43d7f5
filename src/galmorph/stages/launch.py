"""How every stage and command is run: its environment, what a user sees of its work and of an error, its exit status.

0: done. 1: something that the user can put right, said in a line or a few. 2: the command line makes no sense
(argparse). 130: stopped by Ctrl-C; 143: by SIGTERM. A traceback is a defect of ours.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm

from galmorph.errors import GalmorphError, lack
from galmorph.parallel import progress

ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # by default a server that is away holds up each run for four minutes
    "TF_CPP_MIN_LOG_LEVEL": "3",  # TensorFlow greets every process with several lines
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines for each run on a server
    "GIT_PYTHON_REFRESH": "quiet",
}
QUIET, NORMAL, VERBOSE = -1, 0, 1
STOPPED = "stopped; what had finished is kept, dvc repro goes on from there"
STOPPED_STATUS, TERMINATED_STATUS = 130, 143  # as shells have it: 128 and the number of the signal

_LEVELS = {QUIET: logging.WARNING, NORMAL: logging.INFO, VERBOSE: logging.DEBUG}
_RED, _YELLOW = "31", "33"


def painted(text: str, colour: str, stream: TextIO) -> str:
    """Return a text in a colour where the stream is a terminal that has them and the user has not set NO_COLOR."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty()
    return text if plain else f"\033[{colour}m{text}\033[0m"


class AboveBars(logging.StreamHandler[TextIO]):
    """Log lines that do not run into the progress bars; warnings and errors in colour."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line where the bars are not."""
        text = self.format(record)
        if record.levelno >= logging.WARNING:
            text = painted(text, _RED if record.levelno >= logging.ERROR else _YELLOW, self.stream)
        tqdm.write(text, file=self.stream)


class Terminated(KeyboardInterrupt):
    """SIGTERM: a batch system or a person asks the process to end, which it does as after Ctrl-C."""


def _terminate(number: int, frame: object) -> None:
    raise Terminated


def launch(function: Callable[[], None], verbosity: int = NORMAL, stopped: str = STOPPED) -> None:
    """Run a stage or a command; a GalmorphError ends it with its message and status 1, without a traceback.

    Parameters
    ----------
    function
        What is to be done.
    verbosity
        QUIET: no progress, no notices; warnings and errors only. VERBOSE: what else goes to the log files alone.
    stopped
        What is said after Ctrl-C.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # The terminal shows what a person wants to follow, the log file of a campaign all that is said.
    terminal = AboveBars(sys.stderr)
    terminal.setLevel(_LEVELS[verbosity])
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[terminal])
    logging.getLogger("galmorph").setLevel(logging.DEBUG)
    progress.hidden = verbosity == QUIET
    signal.signal(signal.SIGTERM, _terminate)
    try:
        function()
        sys.stdout.flush()
    except GalmorphError as error:
        sys.exit(f"{painted('galmorph:', _RED, sys.stderr)} {error}")
    except KeyboardInterrupt as signalled:
        sys.stderr.write(f"{painted('galmorph:', _RED, sys.stderr)} {stopped}\n")
        sys.exit(TERMINATED_STATUS if isinstance(signalled, Terminated) else STOPPED_STATUS)
    except BrokenPipeError:
        # Whoever read the output has enough of it (`galmorph summary | head -1`). What Python would still write at its
        # end goes nowhere, as its documentation has it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        if (lacking := lack(error)) is None:
            raise
        sys.exit(f"{painted('galmorph:', _RED, sys.stderr)} {lacking}")
