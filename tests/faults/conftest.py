from __future__ import annotations

import pytest

from tests.support.dvc_project import Project


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small study that nothing has happened to; whoever spoils it mends it."""
    project = Project(tmp_path_factory.mktemp("galmorph 銀河 undisturbed"))
    project.repro()
    return project
