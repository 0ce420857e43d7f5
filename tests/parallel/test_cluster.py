import os
import signal

import dask
import pytest

from galmorph.errors import GalmorphError
from galmorph.parallel.cluster import client, processes, worker_count, worker_memory


def test_worker_count_of_the_environment(monkeypatch):
    monkeypatch.setenv("GALMORPH_WORKERS", "3")
    assert worker_count() == 3
    monkeypatch.delenv("GALMORPH_WORKERS")
    assert 1 <= worker_count() <= (os.cpu_count() or 1)


def test_the_quota_of_a_container_limits_the_worker_count(monkeypatch):
    monkeypatch.delenv("GALMORPH_WORKERS", raising=False)
    monkeypatch.setattr("dask.system._try_extract_cgroup_cpu_quota", lambda: (100_000, 100_000))
    assert worker_count() == 1


@pytest.mark.parametrize("text", ["", "0", "two", "1.5", "5000"])
def test_an_invalid_worker_count(monkeypatch, text):
    monkeypatch.setenv("GALMORPH_WORKERS", text)
    with pytest.raises(GalmorphError, match="GALMORPH_WORKERS: a whole number from 1 to 4096"):
        worker_count()


@pytest.mark.parametrize("text", ["", "much", "-1GiB", "1MiB"])
def test_an_invalid_memory_limit(monkeypatch, text):
    monkeypatch.setenv("GALMORPH_WORKER_MEMORY", text)
    with pytest.raises(GalmorphError, match="GALMORPH_WORKER_MEMORY: a size such as 2GiB"):
        worker_memory()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "ftp://x:1", "tls://127.0.0.1:9"])
def test_a_scheduler_that_does_not_answer(monkeypatch, address):
    monkeypatch.setenv("GALMORPH_SCHEDULER", address)
    monkeypatch.setattr("galmorph.parallel.cluster.CONNECT_SECONDS", 0.3)
    with pytest.raises(GalmorphError, match=f"GALMORPH_SCHEDULER: nobody answers at {address}; start one there"):
        client(1).__enter__()


def test_workers_ignore_ctrl_c_and_the_user_s_dask_settings(tmp_path, monkeypatch):
    # One test, because a worker takes seconds to start.
    own = tmp_path / ".config/dask"
    own.mkdir(parents=True)
    (own / "distributed.yaml").write_text("distributed: {worker: {lifetime: {duration: 3s}}}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    before = signal.getsignal(signal.SIGINT)
    lifetime = "distributed.worker.lifetime.duration"
    with dask.config.set({lifetime: "3s"}):
        with client(1) as connected:
            ignored = connected.run(lambda: signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
            lived = connected.run(lambda name: dask.config.get(name), lifetime)
        assert dask.config.get(lifetime) == "3s"
    assert list(ignored.values()) == [True]
    assert list(lived.values()) == [None]
    assert signal.getsignal(signal.SIGINT) == before


def test_workers_that_do_not_end_in_time_fail_no_finished_work(monkeypatch):
    class Late:
        def __init__(self, **options):
            self.closed = False

        def close(self):
            self.closed = True
            raise TimeoutError

    monkeypatch.setattr("distributed.LocalCluster", Late)
    with processes(2) as cluster:
        pass
    assert cluster.closed
    with pytest.raises(ValueError, match="of the work"), processes(2):
        raise ValueError("of the work")
