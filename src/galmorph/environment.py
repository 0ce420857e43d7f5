"""What environment variables say: what belongs to the machine, and so to no parameter of the study."""

from __future__ import annotations

import os

from galmorph.errors import GalmorphError

LONGEST = 20  # digits; more take Python itself too long


def whole_number(variable: str, default: int, most: int) -> int:
    """Return what an environment variable says, or the default.

    Raises
    ------
    GalmorphError
        If it says anything but a whole number from 1 to `most`.
    """
    text = os.environ.get(variable, str(default))
    if not (text.isdecimal() and len(text) < LONGEST and 1 <= int(text) <= most):
        raise GalmorphError(f"{variable}: a whole number from 1 to {most}, not {text[:40]!r}")
    return int(text)
