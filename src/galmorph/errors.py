"""The error type of the project, words for its messages, and remedies for errors of the operating system."""

from __future__ import annotations

import difflib
import errno
import os
import re
from collections.abc import Iterable

# Remedies by errno.
_REMEDIES = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room in your share of the disk",
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.EROFS: "make the folder writable",
    errno.EACCES: "make the folder writable",
    errno.EPERM: "make the folder writable",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "name a folder, not a file",
    errno.EISDIR: "name a file, not a folder",
    errno.ELOOP: "repair the link, which points to itself",
    errno.EIO: "check the disk, which reports errors",
    errno.ESTALE: "check the network file system, which has gone away",
    errno.EBUSY: "choose another folder (a mount point or a folder in use cannot be replaced)",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "let other programs end, or allow more open files",
}


class GalmorphError(Exception):
    """An error that the user can correct.

    The message names the file, row, galaxy or parameter at fault and the remedy. Any other exception that reaches a
    user is a bug.
    """


class NotRegularFileError(OSError):
    """Something that is a pipe, a device or a folder where a file should be."""


def own_words(error: Exception) -> str:
    """Return what an error says, in brackets for the middle of a message, if the words are ours or the system's.

    Those of other libraries are left out: they change with the version, hold addresses in memory, and their advice is
    for other programs.
    """
    if isinstance(error, GalmorphError | NotRegularFileError):
        return f" ({error})"
    # Not its strerror, into which other libraries write their own words.
    return f" ({os.strerror(error.errno)})" if isinstance(error, OSError) and error.errno else ""


def counted(number: int, one: str, several: str = "") -> str:
    """Return a number with its noun.

    Parameters
    ----------
    one, several
        The noun for one and for any other number; by default the second has an s more.

    Examples
    --------
    >>> counted(1, "run"), counted(3000, "galaxy", "galaxies")
    ('1 run', '3,000 galaxies')
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question, in brackets for the end of a message, where a name is nearly one that is known.

    Examples
    --------
    >>> did_you_mean("two_clas", ["two_class", "balanced"]), did_you_mean("x", ["two_class"])
    (' (did you mean two_class?)', '')
    """
    guess = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {guess[0]}?)" if guess else ""


def with_remedy(error: OSError) -> GalmorphError | None:
    """Return an error of the operating system (no room, no permission) with its remedy; None if there is none."""
    number, said = error.errno, error.strerror
    if number is None and re.fullmatch(r"\d+ requested and \d+ written", str(error)):
        # numpy reports an incomplete write without an errno.
        number, said = errno.ENOSPC, os.strerror(errno.ENOSPC)
    if number not in _REMEDIES:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return GalmorphError(f"{where}{said}; {_REMEDIES[number]}, and repeat the command: finished work is kept")
