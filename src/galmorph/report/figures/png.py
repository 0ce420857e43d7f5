"""A figure as a PNG file."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from galmorph.errors import GalmorphError
from galmorph.files.atomic import atomic_file
from galmorph.report.figures import style

DPI = 200


@style.house()
def save_png(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Write a figure, cropped to what is drawn; the same bytes for the same numbers.

    Raises
    ------
    GalmorphError
        If the name is that of another kind of file, or the file cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise GalmorphError(f"{path}: the picture is a PNG; give it a name that ends in .png")
    with atomic_file(path) as partial:
        figure.savefig(partial, dpi=dpi, bbox_inches="tight", pad_inches=0.06, metadata={"Software": None})
