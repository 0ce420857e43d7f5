"""The one error type of the project, and what a machine may lack."""

from __future__ import annotations

import errno
import os
import re

# What helps, by the number of the system's error.
_REMEDIES = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room in your share of the disk",
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.EROFS: "make the folder writable",
    errno.EACCES: "make the folder writable",
    errno.EPERM: "make the folder writable",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "name a folder that is one",
    errno.EISDIR: "name a file that is one",
    errno.ELOOP: "mend the link, which leads to itself",
    errno.EIO: "look after the disk, which fails",
    errno.ESTALE: "look after the network's disk, which went away",
    errno.EBUSY: "let go of the folder (a mount point cannot be replaced)",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "let other programs end, or allow more open files",
}


class GalmorphError(Exception):
    """Something that a person can put right.

    The message names the file, row, galaxy or parameter at fault and says what to do about it. Everything the
    project refuses is refused with this type; any other exception that reaches a user is a defect of ours.
    """


def lack(error: OSError) -> GalmorphError | None:
    """Return what the machine lacks (room, permission, file handles), with the remedy; None for any other error."""
    number, said = error.errno, error.strerror
    if number is None and re.fullmatch(r"\d+ requested and \d+ written", str(error)):
        # How numpy says that a file did not become whole, without the system's number.
        number, said = errno.ENOSPC, os.strerror(errno.ENOSPC)
    if number not in _REMEDIES:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return GalmorphError(f"{where}{said}; {_REMEDIES[number]}, and repeat the command: what had finished is kept")
