import os

import pytest

from galmorph.errors import GalmorphError
from galmorph.workers import spread, worker_count


def test_worker_count_is_what_the_environment_says(monkeypatch):
    monkeypatch.setenv("GALMORPH_WORKERS", "3")
    assert worker_count() == 3
    monkeypatch.delenv("GALMORPH_WORKERS")
    assert 1 <= worker_count() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("text", ["", "0", "-1", "two", "1.5"])
def test_a_worker_count_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("GALMORPH_WORKERS", text)
    with pytest.raises(GalmorphError, match="GALMORPH_WORKERS: a whole number of 1 or more"):
        worker_count()


def test_results_come_with_the_place_of_their_job():
    jobs = [(2, power) for power in range(7)]
    assert dict(spread(pow, jobs, label="powers", unit="power")) == {i: 2**i for i in range(7)}


def test_no_jobs_start_no_processes():
    assert list(spread(pow, [], label="nothing", unit="job")) == []


def test_the_error_of_a_job_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        list(spread(divmod, [(1, 1), (1, 0), (2, 1)], label="quotients", unit="quotient"))
