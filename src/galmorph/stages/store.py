"""The MLflow store of the checkout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from galmorph.address import default_uri
from galmorph.settings import Settings
from galmorph.stages.layout import store_root
from galmorph.tracking import Store


def open_store(chosen: Settings) -> Store:
    """Open the experiment of the survey, in the store that MLFLOW_TRACKING_URI names or in the project's own."""
    root = store_root()
    return Store(default_uri(root), chosen.survey.name, root / "mlartifacts", confusion_figure)


def confusion_figure(matrices: Any, classes: Sequence[str], title: str) -> Any:
    """Draw the report's confusion matrix; only a run that lacks one needs the drawing library."""
    from galmorph.report.figures.confusion import confusion_matrix

    return confusion_matrix(matrices, classes, title)
