"""How far many jobs are, on the terminal."""

from __future__ import annotations

import sys
import threading

from tqdm import tqdm


class Progress:
    """A bar over the steps of all jobs, with the time left; where the output is no terminal, a line now and then."""

    def __init__(self, jobs: int, steps: int, label: str, unit: str) -> None:
        terminal = sys.stderr.isatty()
        self.steps, self.label = steps, label
        self.done: dict[int, int] = {}
        self.jobs, self.finished = jobs, 0
        self.lock = threading.Lock()
        self.bar = tqdm(
            total=jobs * steps,
            desc=label,
            unit=unit,
            dynamic_ncols=terminal,
            mininterval=0.5 if terminal else 10.0,
            maxinterval=30,
            smoothing=0.05,
        )

    def step(self, index: int, done: int) -> None:
        """Move the bar to where a job is; a job that is done again starts from what it had."""
        with self.lock:
            ahead = min(done, self.steps) - self.done.get(index, 0)
            if ahead > 0:
                self.done[index] = min(done, self.steps)
                self.bar.update(ahead)

    def finish(self, index: int) -> None:
        """Count a job as finished."""
        self.finished += 1
        if self.steps > 1:
            self.bar.set_description(f"{self.label}: {self.finished} of {self.jobs} runs", refresh=False)
        self.step(index, self.steps)
