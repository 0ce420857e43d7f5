import os
import signal

import pytest

from galmorph.errors import GalmorphError
from galmorph.parallel.cluster import client, worker_count, worker_memory


def test_worker_count_is_what_the_environment_says(monkeypatch):
    monkeypatch.setenv("GALMORPH_WORKERS", "3")
    assert worker_count() == 3
    monkeypatch.delenv("GALMORPH_WORKERS")
    assert 1 <= worker_count() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("text", ["", "0", "-1", "two", "1.5", "5000", "9" * 5000])
def test_a_worker_count_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("GALMORPH_WORKERS", text)
    with pytest.raises(GalmorphError, match="GALMORPH_WORKERS: a whole number from 1 to 4096"):
        worker_count()


@pytest.mark.parametrize("text", ["", "much", "-1GiB", "1MiB", "1e400"])
def test_a_memory_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("GALMORPH_WORKER_MEMORY", text)
    with pytest.raises(GalmorphError, match="GALMORPH_WORKER_MEMORY: a size such as 2GiB"):
        worker_memory()


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("GALMORPH_SCHEDULER", "tcp://127.0.0.1:9")
    monkeypatch.setattr("galmorph.parallel.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(GalmorphError, match=r"GALMORPH_SCHEDULER: nobody answers at tcp://127\.0\.0\.1:9"):
        client(1).__enter__()


@pytest.mark.parametrize("address", ["nonsense", "ftp://x:1", "tls://127.0.0.1:9"])
def test_a_scheduler_address_that_is_none_is_refused(monkeypatch, address):
    monkeypatch.setenv("GALMORPH_SCHEDULER", address)
    monkeypatch.setattr("galmorph.parallel.cluster.CONNECT_SECONDS", 1)
    with pytest.raises(GalmorphError, match=f"GALMORPH_SCHEDULER: nobody answers at {address}"):
        client(1).__enter__()


def test_ctrl_c_is_for_the_main_process_alone(monkeypatch):
    monkeypatch.setenv("GALMORPH_WORKERS", "1")
    before = signal.getsignal(signal.SIGINT)
    with client(1) as connected:
        ignored = connected.run(lambda: signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
    assert list(ignored.values()) == [True]
    assert signal.getsignal(signal.SIGINT) == before
