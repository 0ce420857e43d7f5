"""Kept networks as logged models of MLflow, which `mlflow.pyfunc.load_model` loads."""

from __future__ import annotations

import logging
import tempfile
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

from galmorph.errors import GalmorphError
from galmorph.files.datafiles import open_stamps
from galmorph.files.reading import file_md5
from galmorph.tracking.address import every_page
from galmorph.tracking.content import STATUS
from galmorph.tracking.pyfunc import RECORD, SIDE, WARNING, WEIGHTS
from galmorph.training.records import KeptNetwork

# Imported by galmorph.tracking.pyfunc; the package itself goes with the model.
PACKAGES = ("h5py", "keras", "mlflow", "numpy", "pandas", "pydantic", "ruamel.yaml", "tensorflow-cpu", "tensorflow")

OURS = "galmorph.fingerprint"  # the tag of every logged model that is this project's
REGISTERED, ALIAS = "galmorph-", "confirmed"  # models:/galmorph-CONDITION@confirmed
MODEL = "galmorph.model"  # the tag of a registered version with the id of its logged model


class KeptNetworks:
    """The logged models of an experiment, by the run that they belong to.

    Parameters
    ----------
    client
        The client of the store.
    experiment
        The id of the experiment.
    """

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        self.client = client
        self.experiment = experiment
        self.unclaimed: dict[str | None, list[LoggedModel]] = {}
        self.kept: dict[str, dict[int, str]] = {}  # by condition and run, the id of the model
        for model in every_page(lambda token: client.search_logged_models([experiment], page_token=token)):
            if OURS in model.tags:  # a user may have logged models of their own
                self.unclaimed.setdefault(model.source_run_id, []).append(model)

    def ensure(self, run_id: str, network: KeptNetwork) -> None:
        """Make exactly one logged model of a run hold a network."""
        tags = {
            STATUS: "current",
            "galmorph.condition": network.record.condition,
            "galmorph.run": str(network.record.run),
            OURS: network.record.fingerprint,
            "galmorph.weights_md5": file_md5(network.weights),
        }
        kept = None
        for model in self.unclaimed.pop(run_id, []):
            same = tags.items() <= (model.tags | {STATUS: "current"}).items()
            if kept is None and same and model.status == LoggedModelStatus.READY:
                kept = model
                self._set_status(model, "current")
            else:
                self.client.delete_logged_model(model.model_id)
        kept_id = self._log(run_id, network, tags) if kept is None else kept.model_id
        self.kept.setdefault(network.record.condition, {})[network.record.run] = kept_id

    def _log(self, run_id: str, network: KeptNetwork, tags: dict[str, str]) -> str:
        # Not mlflow.pyfunc.log_model: it needs the run to be active again (RUNNING, another end time), and the store to
        # be the tracking URI of the whole process and its children.
        params = {name: str(value) for name, value in network.record.parameters.items()}
        model = self.client.create_logged_model(self.experiment, network.name, run_id, tags, params, "classifier")
        with tempfile.TemporaryDirectory(prefix="galmorph-") as name:
            save_model(network, Path(name) / "model", run_id, model.model_id)
            self.client.log_model_artifacts(model.model_id, str(Path(name) / "model"))
        self.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        self.client.log_outputs(run_id, [LoggedModelOutput(model.model_id, network.record.epochs)])
        return str(model.model_id)

    def register(self) -> None:
        """Make the networks of each condition versions of a registered model; that of the first run has the alias."""
        for condition, networks in self.kept.items():
            name = f"{REGISTERED}{condition}"
            try:
                registered = self.client.get_registered_model(name)
            except MlflowException as error:
                if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
                    raise
                registered = self.client.create_registered_model(name, description=WARNING)
            versions = {version.tags.get(MODEL): version.version for version in self._versions(name)}
            for run, model_id in sorted(networks.items()):
                if model_id not in versions:
                    model = self.client.get_logged_model(model_id)
                    tags = {MODEL: model_id, "galmorph.run": str(run)}
                    version = self.client.create_model_version(
                        name, model.artifact_location, model.source_run_id, tags, model_id=model_id
                    )
                    versions[model_id] = version.version
            first = versions[networks[min(networks)]]
            if registered.aliases.get(ALIAS) != first:
                self.client.set_registered_model_alias(name, ALIAS, first)

    def _versions(self, name: str) -> list[ModelVersion]:
        """Return the versions of a registered model."""
        return every_page(lambda token: self.client.search_model_versions(f"name = '{name}'", page_token=token))

    def retire(self, current: set[str], earlier: set[str]) -> None:
        """Mark the models of earlier runs, and delete those whose run is gone.

        Models of current runs are left alone: without the weights at hand they cannot be compared.
        """
        for run_id, models in self.unclaimed.items():
            for model in models if run_id not in current else ():
                if run_id in earlier:
                    self._set_status(model, "earlier")
                else:
                    self.client.delete_logged_model(model.model_id)
        self.unclaimed.clear()

    def _set_status(self, model: LoggedModel, status: str) -> None:
        if model.tags.get(STATUS) != status:
            self.client.set_logged_model_tags(model.model_id, {STATUS: status})


def save_model(network: KeptNetwork, folder: Path, run_id: str, model_id: str) -> None:
    """Write a network to a new folder in MLflow's pyfunc format.

    Parameters
    ----------
    network
        The record and the weights are copied; one stamp of its test part is the input example.
    folder
        The folder, which does not exist yet.
    run_id, model_id
        MLflow's ids of the run and the model.

    Raises
    ------
    GalmorphError
        If there are fewer stamps than the record refers to.
    """
    # This import takes a second, and only a store that lacks a model needs it.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType")  # MLflow's own hints
        import mlflow.pyfunc
        from mlflow.models import Model, ModelSignature
        from mlflow.types import ColSpec, Schema, TensorSpec

    logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)
    record = network.record
    images = open_stamps(network.images)
    row = int(record.sets["test"].rows[0])
    if row >= len(images):
        raise GalmorphError(
            f"{network.images}: {len(images):,} stamps, the record {network.file} refers to number {row}; run dvc repro"
        )
    stamps = TensorSpec(np.dtype(np.float32), (-1, *images.shape[1:]))
    metadata = {name: getattr(record, name) for name in ("condition", "run", "epochs", "fingerprint")}
    metadata |= {"classes": list(record.classes), "warning": WARNING}
    with tempfile.TemporaryDirectory(prefix="galmorph-") as name:
        data = Path(name) / "network"
        data.mkdir()
        (data / RECORD).symlink_to(network.file.resolve())
        (data / WEIGHTS).symlink_to(network.weights.resolve())
        mlflow.pyfunc.save_model(
            folder,
            loader_module="galmorph.tracking.pyfunc",
            data_path=str(data),
            code_paths=[str(Path(__file__).parents[1])],
            mlflow_model=Model(run_id=run_id, model_id=model_id, metadata=metadata),
            model_config={SIDE: int(images.shape[1])},
            signature=ModelSignature(Schema([stamps]), Schema([ColSpec("float", name) for name in record.classes])),
            input_example=np.array(images[row : row + 1]),
            pip_requirements=_requirements(),
        )


def _requirements() -> list[str]:
    """Return the packages that a model needs, in the versions of this environment."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name}=={version(name)}")
        except PackageNotFoundError:  # TensorFlow goes by one of two names
            continue
    return found
