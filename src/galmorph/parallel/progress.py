"""Progress bars of jobs and of downloads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Hashable
from typing import Self

from tqdm import tqdm

hidden = False  # set by galmorph --quiet


class Progress:
    """A bar over the parts of many items, such as the epochs of runs or the bytes of files. Thread-safe.

    On a terminal it shows the time left; elsewhere it prints a line now and then.

    Parameters
    ----------
    items
        Number of items.
    total
        Number of parts of all items, as far as it is known beforehand.
    label
        Name of the work.
    unit
        Name of a part; "B" gets prefixes such as k and M.
    noun
        Plural of an item, to count the finished ones beside the bar; by default they are not counted.
    """

    def __init__(self, items: int, total: int, label: str, unit: str, noun: str = "") -> None:
        terminal = sys.stderr.isatty()
        self.items, self.total, self.noun = items, total, noun
        self.finished = 0
        self.done: dict[Hashable, int] = {}
        self.lock = threading.RLock()
        self.bar = tqdm(
            total=total,
            desc=label,
            unit=unit,
            unit_scale=unit == "B",
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

    def step(self, item: Hashable, done: int) -> None:
        """Set how many parts of an item are done; a job that is tried again does not move the bar back."""
        with self.lock:
            ahead = done - self.done.get(item, 0)
            if ahead > 0:
                self.done[item] = done
                self.bar.update(ahead)

    def add(self, item: Hashable, count: int) -> None:
        """Add to the parts of an item that are done."""
        with self.lock:
            self.step(item, self.done.get(item, 0) + count)

    def finish(self, item: Hashable, expected: int) -> None:
        """Count an item as finished, and correct the total, in which it had `expected` parts."""
        with self.lock:
            self.finished += 1
            self.total += self.done.get(item, 0) - expected
            self.bar.total = self.total
            if self.noun:
                self.bar.set_postfix_str(f"{self.finished} of {self.items} {self.noun}", refresh=False)
            self.bar.update(0)
