"""The error type of the project, and remedies for errors of the operating system."""

from __future__ import annotations

import errno
import os
import re

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
