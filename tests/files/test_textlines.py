import bz2
import gzip
import io
import zipfile

import pytest
from astropy.io import fits

from galmorph.errors import GalmorphError
from galmorph.files.texttable import copy_rows, read_text_table

TEXT = "stamp,class\né.png,spiral\nb.png,elliptical\n"


def zipped(*names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return stream.getvalue()


def damaged_within(name):
    """Return a zip archive whose compressed data are no deflate stream."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, TEXT * 20)
    content = bytearray(stream.getvalue())
    start = 30 + len(name)
    content[start : start + 8] = b"\xff" * 8
    return bytes(content)


def fits_table():
    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU()]).writeto(stream)
    return stream.getvalue()


READ = {
    "UTF-8": TEXT.encode(),
    "UTF-8 with a byte order mark": TEXT.encode("utf-8-sig"),
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16, big-endian": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "gzip": gzip.compress(TEXT.encode()),
    "gzip of UTF-16": gzip.compress(TEXT.encode("utf-16")),
    "zip": zipped("labels.csv"),
    "zip of a Mac": zipped("labels.csv", "__MACOSX/._labels.csv"),
    "Windows": TEXT.replace("\n", "\r\n").encode(),
    "old Mac": TEXT.replace("\n", "\r").encode(),
    "a Latin-1 comment": "# José\n".encode("latin-1") + TEXT.encode(),
}


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
@pytest.mark.parametrize("content", READ.values(), ids=READ)
def test_files_are_read_by_their_content(tmp_path, content, ending):
    path = tmp_path / f"labels.{ending}"
    path.write_bytes(content)
    table = read_text_table(path)
    assert table.to_dict("list") == {"stamp": ["é.png", "b.png"], "class": ["spiral", "elliptical"]}
    copy_rows(path, [0], 2, tmp_path / "copy.csv")
    assert (tmp_path / "copy.csv").read_bytes() == "stamp,class\né.png,spiral\n".encode()


REFUSED = {
    "Latin-1": (TEXT.encode("latin-1"), r"line 2: not UTF-8 \(byte 0xE9, in Latin-1 'é'\); save the table as UTF-8"),
    "Shift-JIS": ("stamp,class\n\nb.png,渦巻\n".encode("cp932"), r"line 3: not UTF-8 \(byte 0x89\)"),
    "UTF-16 without a mark": (TEXT.encode("utf-16-le"), "line 1: not text, or UTF-16 without its byte order mark"),
    "FITS": (fits_table(), r"a FITS file, not a CSV table; write its table as CSV"),
    "gzipped FITS": (gzip.compress(fits_table()), "a FITS file"),
    "bzip2": (bz2.compress(TEXT.encode()), "compressed with bzip2, not a CSV table; unpack it"),
    "zip of two": (zipped("a.csv", "b.csv"), r"a zip archive of 2 files \(a\.csv, b\.csv\); unpack the table"),
    "xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook, .*save it as CSV UTF-8, the ids as"),
    "a zip cut short": (zipped("a.csv")[:60], "a zip archive that cannot be unpacked"),
    "a zip damaged within": (damaged_within("a.csv"), "a zip archive that cannot be unpacked: damaged"),
    "a web page": (b"\n<!DOCTYPE html><html>moved</html>", "a web page or XML, not a CSV table; fetch the file again"),
    "VOTable": (b'<?xml version="1.0"?><VOTABLE>', "a VOTable"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_other_files_are_refused_by_what_they_are(tmp_path, content, message):
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(GalmorphError, match=rf"labels\.csv: {message}"):
        read_text_table(path)
