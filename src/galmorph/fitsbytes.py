"""The bytes of a FITS file, whole and of a plausible size, before astropy makes anything of them."""

from __future__ import annotations

import bz2
import io
import math
from pathlib import Path

from astropy.io import fits
from isal import igzip_lib, isal_zlib

from galmorph.errors import GalmorphError
from galmorph.regular import MOST, file_bytes

BLOCK = 2880  # bytes, of which headers and data are whole multiples
# isal's stubs take its class of errors for an error.
_FAULTS: tuple[type[Exception], ...] = (OSError, EOFError, ValueError, igzip_lib.IsalError)  # type: ignore[assignment]


def decompressed(path: Path) -> bytes:
    """Return the whole content of a compressed file: only at the end of the stream is its checksum compared.

    Raises
    ------
    GalmorphError
        If it is missing, empty, a web page, damaged or cut short.
    """
    try:
        packed = file_bytes(path)
    except OSError as error:
        raise GalmorphError(f"{path}: cannot be read ({error.strerror or error}); put the file in place") from None
    if not packed:
        raise GalmorphError(f"{path}: empty; fetch the file again")
    if packed.lstrip()[:1] == b"<":
        raise GalmorphError(f"{path}: a web page, not a frame (the server had none?); fetch the file again")
    try:
        return inflated(packed, gzipped=path.suffix == ".gz")
    except _FAULTS as error:
        raise GalmorphError(f"{path}: damaged or cut short ({error}); fetch the file again") from None


def inflated(packed: bytes, *, gzipped: bool) -> bytes:
    """Decompress all streams of a file (gzip, or bzip2), to the end and no further than `MOST`.

    Raises
    ------
    OSError, EOFError, ValueError, igzip_lib.IsalError
        If it is damaged, cut short or larger.
    """
    parts: list[bytes] = []
    room = MOST
    while packed:
        stream = isal_zlib.decompressobj(wbits=31) if gzipped else bz2.BZ2Decompressor()
        parts.append(stream.decompress(packed, max_length=room + 1))
        room -= len(parts[-1])
        if room < 0:
            raise ValueError(f"more than {MOST:,} bytes")
        if not stream.eof:
            raise EOFError("it ends before the end of the stream")
        packed = stream.unused_data.lstrip(b"\0")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def check_sizes(content: bytes) -> None:
    """Refuse headers that claim more than the file holds; over a side of less than no pixels astropy never ends.

    Raises
    ------
    ValueError
    """
    stream = io.BytesIO(content)
    while stream.tell() < len(content):
        header = fits.Header.fromfile(stream)
        axes = int(header["NAXIS"])
        sides = [int(header[f"NAXIS{axis}"]) for axis in range(1, axes + 1)]
        further, groups = int(header.get("PCOUNT", 0)), int(header.get("GCOUNT", 1))
        if min([axes, further, groups, *sides]) < 0:
            raise ValueError("a header with a negative size")
        data = abs(int(header["BITPIX"])) // 8 * groups * (further + (math.prod(sides) if sides else 0))
        if stream.tell() + data > len(content):
            raise ValueError(
                f"a header that claims {data} bytes, where {len(content) - stream.tell()} are left; truncated"
            )
        stream.seek(-(-data // BLOCK) * BLOCK, io.SEEK_CUR)
