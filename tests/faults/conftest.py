import pytest

from tests.support.dvc_project import Project


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """A small finished study; a test that damages it also repairs it."""
    project = Project(tmp_path_factory.mktemp("galmorph 銀河 undisturbed"))
    project.repro()
    return project
