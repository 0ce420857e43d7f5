"""Names in the SDSS imaging archive: object ids, file names and paths.

The files are those of the DR7 data model (fpC, tsField) and the DR8+ data model (frame); the bits of object ids are
described by SkyServer under ObjID.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self

from galmorph.errors import GalmorphError

Release = Literal["dr7", "dr8"]
Place = tuple[int, int, int]  # run, camcol and field

BANDS = "ugriz"
PIXEL_SCALE = 0.396  # arcsec
DR8_RERUN = 301
BEST_SKY = 1  # sky version of the best imaging; 0 is that of the target selection, 15 that of single runs

# Numbers of bits in an object id from the highest: 1 empty, then these.
_ID_BITS = {"sky_version": 4, "rerun": 11, "run": 16, "camcol": 3, "first_field": 1, "field": 12, "obj": 16}

_NAMES: dict[Release, re.Pattern[str]] = {
    "dr7": re.compile(r"fpC-(?P<run>\d{6})-(?P<band>[ugriz])(?P<camcol>[1-6])-(?P<field>\d{4})\.fit(\.gz)?"),
    "dr8": re.compile(r"frame-(?P<band>[ugriz])-(?P<run>\d{6})-(?P<camcol>[1-6])-(?P<field>\d{4})\.fits(\.bz2)?"),
}
_TSFIELD_NAME = re.compile(r"tsField-(?P<run>\d{6})-(?P<camcol>[1-6])-(?P<rerun>\d+)-(?P<field>\d{4})\.fit")


@dataclass(frozen=True)
class ObjectId:
    """A DR7 object id: the frame in which an object was found, and its number there.

    Examples
    --------
    >>> objid = ObjectId.decode(587722981736906801)
    >>> objid.run, objid.rerun, objid.camcol, objid.field, objid.obj
    (752, 40, 1, 195, 49)
    >>> objid.encode()
    587722981736906801
    """

    sky_version: int
    rerun: int
    run: int
    camcol: int
    first_field: int
    field: int
    obj: int

    def __post_init__(self) -> None:
        for name, bits in _ID_BITS.items():
            if not 0 <= getattr(self, name) < 2**bits:
                raise GalmorphError(f"object id: {name} {getattr(self, name)} does not fit in {bits} bits")
        if not 1 <= self.camcol <= 6:
            raise GalmorphError(f"object id: camcol {self.camcol}: the camera has columns 1 to 6")
        if self.run == 0 or self.field == 0:
            raise GalmorphError(f"object id: run {self.run}, field {self.field}: both count from 1")
        if self.rerun == DR8_RERUN:
            raise GalmorphError(f"object id: rerun {DR8_RERUN} marks DR8 or later; Galaxy Zoo 1 has DR7 ids")

    def encode(self) -> int:
        """Return the 64-bit integer."""
        number = 0
        for name, bits in _ID_BITS.items():
            number = number << bits | int(getattr(self, name))
        return number

    @classmethod
    def decode(cls, objid: int) -> Self:
        """Decode a 64-bit integer.

        Raises
        ------
        GalmorphError
            If it is not a DR7 object id.
        """
        number = int(objid)
        if not 0 < number < 2**63:
            raise GalmorphError(f"{number} is not an SDSS object id: those are positive and below 2^63")
        parts = {}
        rest = number
        for name, bits in reversed(_ID_BITS.items()):
            parts[name] = rest & (2**bits - 1)
            rest >>= bits
        try:
            return cls(**parts)
        except GalmorphError as error:
            raise GalmorphError(f"{number} is not a DR7 object id ({error})") from None

    @classmethod
    def parse(cls, objid: int) -> Self | None:
        """Decode a 64-bit integer; return None if it is not a DR7 object id."""
        try:
            return cls.decode(objid)
        except GalmorphError:
            return None

    @property
    def place(self) -> Place:
        """Run, camcol and field."""
        return self.run, self.camcol, self.field


@dataclass(frozen=True)
class FrameName:
    """The name of a frame.

    Examples
    --------
    >>> FrameName.parse("fpC-001729-r3-0083.fit.gz")
    FrameName(release='dr7', run=1729, camcol=3, field=83, band='r')
    >>> FrameName("dr7", 1729, 3, 83, "r").path(rerun=40)
    'imaging/1729/40/corr/3/fpC-001729-r3-0083.fit.gz'
    >>> FrameName("dr8", 94, 1, 131, "g").path()
    'frames/301/94/1/frame-g-000094-1-0131.fits.bz2'
    """

    release: Release
    run: int
    camcol: int
    field: int
    band: str

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Parse a file name of either release, compressed or not; return None if it is not a frame's."""
        for release, pattern in _NAMES.items():
            if match := pattern.fullmatch(name):
                run, camcol, field = (int(match[key]) for key in ("run", "camcol", "field"))
                return cls(release, run, camcol, field, match["band"])
        return None

    @property
    def place(self) -> Place:
        """Run, camcol and field."""
        return self.run, self.camcol, self.field

    @property
    def file(self) -> str:
        """The file name in the archive."""
        if self.release == "dr7":
            return f"fpC-{self.run:06d}-{self.band}{self.camcol}-{self.field:04d}.fit.gz"
        return f"frame-{self.band}-{self.run:06d}-{self.camcol}-{self.field:04d}.fits.bz2"

    def path(self, rerun: int = DR8_RERUN) -> str:
        """Return the path below the archive's root: for DR8+ its photoObj folder."""
        if self.release == "dr7":
            return f"imaging/{self.run}/{rerun}/corr/{self.camcol}/{self.file}"
        return f"frames/{DR8_RERUN}/{self.run}/{self.camcol}/{self.file}"


def tsfield_path(run: int, rerun: int, camcol: int, field: int) -> str:
    """Return the path of a DR7 field's calibration below the archive's root.

    Examples
    --------
    >>> tsfield_path(6377, 40, 4, 399)
    'imaging/6377/40/calibChunks/4/tsField-006377-4-40-0399.fit'
    """
    return f"imaging/{run}/{rerun}/calibChunks/{camcol}/tsField-{run:06d}-{camcol}-{rerun}-{field:04d}.fit"


def parse_tsfield_name(name: str) -> tuple[int, int, int, int] | None:
    """Parse the file name of a tsField into run, rerun, camcol and field; return None if it is not one.

    Examples
    --------
    >>> parse_tsfield_name("tsField-006377-4-41-0399.fit")
    (6377, 41, 4, 399)
    """
    match = _TSFIELD_NAME.fullmatch(name)
    return (int(match["run"]), int(match["rerun"]), int(match["camcol"]), int(match["field"])) if match else None
