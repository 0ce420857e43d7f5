"""How far many jobs are, on the terminal."""

from __future__ import annotations

import sys
import threading
from typing import Self

from tqdm import tqdm

hidden = False  # with galmorph --quiet; whoever runs a command sets it


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
            disable=hidden,
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


class Bytes:
    """A bar over the bytes of many files, with the rate and the time left; safe to be moved by many threads."""

    def __init__(self, total: int, files: int, label: str) -> None:
        terminal = sys.stderr.isatty()
        self.files, self.finished, self.total = files, 0, total
        self.moved: dict[str, int] = {}
        self.lock = threading.Lock()
        self.bar = tqdm(
            total=total,
            desc=label,
            unit="B",
            unit_scale=True,
            dynamic_ncols=terminal,
            mininterval=0.5 if terminal else 10.0,
            maxinterval=30,
            disable=hidden,
            smoothing=0.05,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def move(self, file: str, count: int) -> None:
        """Say that bytes of a file have come."""
        with self.lock:
            self.moved[file] = self.moved.get(file, 0) + count
            self.bar.update(count)

    def finish(self, file: str, expected: int) -> None:
        """Say that a file is dealt with, and how many bytes it had been thought to have."""
        with self.lock:
            self.finished += 1
            self.total += self.moved.pop(file, 0) - expected
            self.bar.total = self.total
            self.bar.set_postfix_str(f"{self.finished} of {self.files} files", refresh=False)
            self.bar.update(0)
