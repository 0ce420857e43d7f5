"""The MLflow store of the checkout."""

from __future__ import annotations

from galmorph.settings import Settings
from galmorph.stages.layout import store_root
from galmorph.tracking import Store, default_uri


def open_store(chosen: Settings) -> Store:
    """Open the experiment of the survey, in the store that MLFLOW_TRACKING_URI names or in the project's own."""
    root = store_root()
    return Store(default_uri(root), chosen.survey.name, root / "mlartifacts")
