"""Jobs spread over workers: in a thread of the test process, in real processes if they die."""

import logging
import re
import tempfile

import pytest
from distributed import Client, LocalCluster

from galmorph.errors import GalmorphError
from galmorph.parallel import workers
from galmorph.parallel.progress import Progress
from galmorph.parallel.workers import spread, tick
from tests.support import jobs


def attempts_at(folder, number):
    return len(list(folder.glob(f"{number}.*")))


def test_results_come_with_the_index_of_their_job():
    powers = [(2, power) for power in range(7)]
    assert dict(spread(pow, powers, label="powers", unit="power")) == {i: 2**i for i in range(7)}


def test_no_jobs_start_no_workers(monkeypatch):
    monkeypatch.setattr(workers, "client", None)
    assert list(spread(pow, [], label="nothing", unit="job")) == []


@pytest.mark.fault
@pytest.mark.usefixtures("processes")
def test_the_job_of_a_worker_that_dies_is_done_by_another_at_most_three_times(tmp_path, monkeypatch):
    temporary, counts = tmp_path / "tmp", tmp_path / "counts"
    temporary.mkdir()
    counts.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("GALMORPH_WORKERS", "2")
    failures = []
    done = spread(
        jobs.dies,
        [(counts, i) for i in range(4)],
        label="jobs",
        unit="job",
        names=["a", "b", "c", "d"],
        on_failure=lambda *failure: failures.append(failure),
    )
    assert dict(done) == {0: 0, 1: 1, 3: 3}
    assert attempts_at(counts, 1) >= 2  # a worker that dies takes results along that were not yet fetched
    assert attempts_at(counts, 2) == 3
    ((index, error),) = failures
    assert index == 2
    assert re.search(r"^jobs, c: the worker process that did it died 3 times.*GALMORPH_WORKER_MEMORY", str(error))
    assert list(temporary.iterdir()) == []  # their temporary files are removed


@pytest.mark.slow
def test_a_worker_that_takes_too_much_memory_is_stopped(tmp_path, monkeypatch, processes):
    monkeypatch.setenv("GALMORPH_WORKER_MEMORY", "600MiB")
    with pytest.raises(GalmorphError, match="ran out of memory, give each worker more"):
        list(spread(jobs.takes_memory, [(tmp_path, 0)], label="jobs", unit="job"))


@pytest.mark.slow
def test_a_worker_that_keeps_most_of_its_memory_gets_the_next_job(monkeypatch, processes):
    monkeypatch.setenv("GALMORPH_WORKER_MEMORY", "1GiB")
    monkeypatch.setenv("GALMORPH_WORKERS", "1")
    pids = dict(spread(jobs.keeps_memory, [(0.87 * 2**30,)] * 3, label="jobs", unit="job"))
    assert len(set(pids.values())) == 1


def test_a_job_that_fails_is_tried_again(tmp_path, caplog):
    work = [(tmp_path, i, 3) for i in range(3)]
    assert dict(spread(jobs.fails_before, work, label="jobs", unit="job")) == {0: 0, 1: 1, 2: 2}
    assert "job 1 failed (ConnectionError) and is done again" in caplog.text


def test_the_third_failure_of_a_job_is_raised_with_its_traceback(tmp_path, caplog):
    with pytest.raises(
        GalmorphError, match=r"jobs, job 1 failed 3 times \(ConnectionError\); the traceback above"
    ) as caught:
        list(spread(jobs.fails_before, [(tmp_path, 0, 4)], label="jobs", unit="job"))
    assert attempts_at(tmp_path, 0) == 3
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert "in fails_before" in caplog.text


def test_an_error_that_the_user_can_fix_is_raised_at_once(tmp_path):
    with pytest.raises(GalmorphError, match="job 1 can be fixed"):
        list(spread(jobs.refuses, [(tmp_path, i) for i in range(9)], label="jobs", unit="job"))
    assert attempts_at(tmp_path, 1) == 1


def test_a_full_disk_is_reported_at_once_and_without_a_traceback(tmp_path, caplog):
    message = r"^jobs, job 1: No space left on device; make room on the disk, and repeat the command"
    with pytest.raises(GalmorphError, match=message):
        list(spread(jobs.lacks_room, [(tmp_path, 1)], label="jobs", unit="job"))
    assert attempts_at(tmp_path, 1) == 1
    assert caplog.text == ""


def test_the_other_jobs_go_on_if_on_failure_returns(tmp_path):
    failures = []
    work = [(tmp_path, i) for i in range(4)]
    done = spread(jobs.refuses, work, label="jobs", unit="job", on_failure=lambda i, e: failures.append((i, str(e))))
    assert dict(done) == {0: 0, 2: 2, 3: 3}
    assert failures == [(1, "job 1 can be fixed")]


def test_a_job_reports_its_steps_at_most_once_in_a_while(monkeypatch):
    seen = []
    monkeypatch.setattr(Progress, "step", lambda self, index, done: seen.append((index, done)))
    monkeypatch.setattr(workers, "TICK_SECONDS", 0.0)
    list(spread(jobs.steps, [(3,), (3,)], label="runs", unit="epoch", steps=3))
    assert {(index, done) for index in (0, 1) for done in (1, 2)} <= set(seen)
    seen.clear()
    monkeypatch.setattr(workers, "TICK_SECONDS", 60.0)
    list(spread(jobs.steps, [(3,), (3,)], label="runs", unit="epoch", steps=3))
    assert set(seen) == {(0, 3), (1, 3)}


def test_outside_a_worker_a_tick_does_nothing():
    tick(3)


def test_a_worker_with_other_code_is_refused(monkeypatch):
    codes = iter(["ours", "the worker's"])
    monkeypatch.setattr(workers, "source_hash", lambda parts: next(codes))
    with pytest.raises(GalmorphError, match=r"has other code than this project: sdss or stamps differs; update it"):
        list(spread(pow, [(2, 3)], label="powers", unit="power", code=("sdss", "stamps")))


def test_a_worker_with_two_threads_is_refused(monkeypatch):
    # It would train two networks in one process.
    address = "127.0.0.1:0"
    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=address, silence_logs=logging.CRITICAL
    ) as cluster:
        monkeypatch.setattr(workers, "client", lambda count: Client(cluster))
        with pytest.raises(GalmorphError, match=r"does 2 jobs at once.* start it anew with --nthreads 1"):
            list(spread(pow, [(2, 3)], label="powers", unit="power"))


@pytest.mark.fault
def test_the_workers_of_a_scheduler_do_the_work_until_it_goes_away(monkeypatch, scheduler):
    monkeypatch.setenv("GALMORPH_SCHEDULER", scheduler.address)
    pids = set(dict(spread(jobs.steps, [(2, 0.1)] * 8, label="runs", unit="epoch", steps=2)).values())
    assert pids == {worker.pid for worker in scheduler.workers}
    assert all(worker.poll() is None for worker in scheduler.workers)  # they go on after the jobs
    results = spread(jobs.steps, [(1,)] + [(100, 0.1)] * 3, label="runs", unit="epoch", steps=2)
    next(results)
    scheduler.process.kill()
    with pytest.raises(GalmorphError, match=r"runs: the scheduler tcp://.* is gone; start one again"):
        list(results)
