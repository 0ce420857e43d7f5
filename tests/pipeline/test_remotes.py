"""The data that DVC keeps: without a second copy on the disk, and pushed to a remote and pulled back."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.support.dvc_project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("remotes"))
    project.write_params({"simulated.galaxies": 8, "simulated.galaxies_per_frame": 2})
    project.run("dvc", "repro", "acquire")
    return project


def files(project: Project) -> dict[str, bytes]:
    raw = project.folder / "data" / "raw"
    return {str(path.relative_to(raw)): path.read_bytes() for path in sorted(raw.rglob("*")) if path.is_file()}


def test_frames_lie_on_the_disk_once(project: Project) -> None:
    cached = {path.stat().st_ino for path in (project.folder / ".dvc" / "cache" / "files").rglob("*") if path.is_file()}
    frames = list((project.folder / "data" / "raw").rglob("fpC-*.fit.gz"))
    assert len(frames) >= 4
    assert all(frame.stat().st_ino in cached for frame in frames)
    # A link to the cache is protected from being written through.
    assert not any(frame.stat().st_mode & stat.S_IWUSR for frame in frames)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server on this machine that speaks S3, with a bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=url).create_bucket(Bucket="galaxies")
    yield url
    server.stop()


def test_push_and_pull_by_s3(project: Project, endpoint: str) -> None:
    before = files(project)
    project.run("dvc", "remote", "add", "bucket", "s3://galaxies/galmorph")
    project.run("dvc", "remote", "modify", "bucket", "endpointurl", endpoint)
    project.run("dvc", "push", "--remote", "bucket", "acquire")
    shutil.rmtree(project.folder / "data" / "raw")
    shutil.rmtree(project.folder / ".dvc" / "cache")
    project.run("dvc", "pull", "--remote", "bucket", "acquire")
    assert files(project) == before
    assert "up to date" in project.run("dvc", "status", "acquire")


def test_dvc_sees_a_file_behind_a_link_change(project: Project) -> None:
    """That is why a folder of links is the way to use an archive elsewhere, and a linked folder is refused."""
    archive = project.folder.parent / "archive"
    (archive / "old").mkdir(parents=True)
    (archive / "old/a.npy").write_bytes(b"1")
    project.run("cp", "-rs", str(archive), "data/external/links")
    (project.folder / "data/external/linked").symlink_to(archive)
    project.run("dvc", "commit", "--force", "--quiet", "acquire")
    assert "up to date" in project.run("dvc", "status", "acquire")
    (archive / "old/b.npy").write_bytes(b"new, of which the folder of links knows nothing")
    assert "up to date" in project.run("dvc", "status", "acquire")
    (archive / "old/a.npy").write_bytes(b"2")
    assert "data/external" in project.run("dvc", "status", "acquire")
