"""How a stage or a command starts: its log, its environment, and what a user sees of an error."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import TextIO

from tqdm import tqdm

from galmorph.errors import GalmorphError

ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # by default a server that is away holds up each run for four minutes
    "TF_CPP_MIN_LOG_LEVEL": "3",  # TensorFlow greets every process with several lines
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # two lines for each run on a server
    "GIT_PYTHON_REFRESH": "quiet",
}


class AboveBars(logging.StreamHandler[TextIO]):
    """Log lines that do not run into the progress bars."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line where the bars are not."""
        tqdm.write(self.format(record), file=self.stream)


def launch(function: Callable[[], None]) -> None:
    """Run a stage or a command; a GalmorphError ends it with its message and status 1, without a traceback."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    # The terminal shows what a person wants to follow, the log file of a campaign all that is said.
    terminal = AboveBars(sys.stderr)
    terminal.setLevel(logging.INFO)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[terminal])
    logging.getLogger("galmorph").setLevel(logging.DEBUG)
    try:
        function()
    except GalmorphError as error:
        sys.exit(f"galmorph: {error}")
    except KeyboardInterrupt:
        sys.exit("galmorph: stopped; what had finished is kept, dvc repro goes on from there")
