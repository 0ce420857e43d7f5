import os
import re
import tempfile

import pytest

from galmorph.errors import GalmorphError
from galmorph.parallel.progress import Progress
from galmorph.parallel.workers import spread, tick
from tests.support import jobs


def test_results_come_with_the_place_of_their_job():
    powers = [(2, power) for power in range(7)]
    assert dict(spread(pow, powers, label="powers", unit="power")) == {i: 2**i for i in range(7)}


def test_no_jobs_start_no_processes():
    assert list(spread(pow, [], label="nothing", unit="job")) == []


def test_the_error_of_a_job_reaches_the_caller():
    with pytest.raises(GalmorphError, match="quotients, job 2 failed 3 times: ZeroDivisionError"):
        list(spread(divmod, [(1, 1), (1, 0), (2, 1)], label="quotients", unit="quotient"))


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setenv("GALMORPH_WORKERS", "2")


def counted(folder, number):
    return len(list(folder.glob(f"{number}.*")))


@pytest.mark.usefixtures("two")
def test_a_worker_that_dies_has_its_job_done_elsewhere(tmp_path):
    done = dict(spread(jobs.dies_at_first, [(tmp_path, i) for i in range(4)], label="jobs", unit="job"))
    assert done == {i: i for i in range(4)}
    assert counted(tmp_path, 1) == 2


@pytest.mark.usefixtures("two")
def test_a_job_that_kills_every_worker_ends_with_the_remedy(tmp_path):
    with pytest.raises(
        GalmorphError, match=r"jobs, that one: the worker process that did it died 3 times.*GALMORPH_WORKER_MEMORY"
    ):
        list(spread(jobs.always_dies, [(tmp_path, 0)], label="jobs", unit="job", names=["that one"]))
    assert counted(tmp_path, 0) == 3


@pytest.mark.usefixtures("two")
def test_nothing_temporary_stays_behind(tmp_path, monkeypatch):
    temporary, counts = tmp_path / "tmp", tmp_path / "counts"
    temporary.mkdir()
    counts.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    done = dict(spread(jobs.dies_over_a_temporary_file, [(counts, i) for i in range(2)], label="jobs", unit="job"))
    assert done == {i: i for i in range(2)}
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_worker_that_takes_too_much_memory_is_stopped_and_named(tmp_path, monkeypatch):
    monkeypatch.setenv("GALMORPH_WORKER_MEMORY", "600MiB")
    with pytest.raises(GalmorphError, match="ran out of memory, give each worker more"):
        list(spread(jobs.takes_memory, [(tmp_path, 0)], label="jobs", unit="job"))


@pytest.mark.slow
def test_a_worker_that_keeps_most_of_its_memory_is_given_the_next_job(tmp_path, monkeypatch):
    monkeypatch.setenv("GALMORPH_WORKER_MEMORY", "1GiB")
    monkeypatch.setenv("GALMORPH_WORKERS", "1")
    held = dict(spread(jobs.keeps_memory, [(0.87 * 2**30,)] * 3, label="jobs", unit="job"))
    assert len(set(held.values())) == 1  # one process did them all


@pytest.mark.usefixtures("two")
def test_an_error_that_may_pass_is_tried_again(tmp_path, caplog):
    work = [(tmp_path, i, 3) for i in range(3)]
    assert dict(spread(jobs.fails_before, work, label="jobs", unit="job")) == {0: 0, 1: 1, 2: 2}
    assert "job 1 failed and is done again: ConnectionError('attempt at job 0')" in caplog.text


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("job", "reason"),
    [(jobs.always_dies_if_second, "died 3 times"), (jobs.always_fails_if_second, r"failed 3 times: Connection")],
)
def test_a_job_that_fails_for_good_is_the_callers_to_judge(tmp_path, job, reason, caplog):
    seen = []
    work = [(tmp_path, i) for i in range(4)]
    done = spread(job, work, label="jobs", unit="job", on_failure=lambda i, error: seen.append((i, str(error))))
    assert dict(done) == {0: 0, 2: 2, 3: 3}
    ((index, message),) = seen
    assert index == 1
    assert re.search(reason, message)
    assert ("in always_fails_if_second" in caplog.text) == (job is jobs.always_fails_if_second)


def test_the_third_failure_of_a_job_is_the_callers_with_its_traceback(tmp_path, caplog):
    with pytest.raises(GalmorphError, match="failed 3 times") as caught:
        list(spread(jobs.fails_before, [(tmp_path, 0, 4)], label="jobs", unit="job"))
    assert counted(tmp_path, 0) == 3
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert "in fails_before" in caplog.text


@pytest.mark.usefixtures("two")
def test_what_a_person_can_put_right_is_tried_once(tmp_path):
    with pytest.raises(GalmorphError, match="job 1 can be put right"):
        list(spread(jobs.refuses, [(tmp_path, i) for i in range(9)], label="jobs", unit="job"))
    assert counted(tmp_path, 1) == 1


@pytest.mark.usefixtures("two")
def test_what_the_machine_lacks_is_tried_once_and_said_without_a_traceback(tmp_path, caplog):
    message = r"^jobs, job 1: No space left on device; make room on the disk, and repeat the command"
    with pytest.raises(GalmorphError, match=message):
        list(spread(jobs.lacks_room, [(tmp_path, 1)], label="jobs", unit="job"))
    assert counted(tmp_path, 1) == 1
    assert caplog.text == ""


@pytest.mark.usefixtures("two")
def test_the_others_go_on_where_the_caller_says_so(tmp_path):
    seen = []
    work = [(tmp_path, i) for i in range(4)]
    done = spread(
        jobs.refuses, work, label="jobs", unit="job", on_failure=lambda i, error: seen.append((i, str(error)))
    )
    assert dict(done) == {0: 0, 2: 2, 3: 3}
    assert seen == [(1, "job 1 can be put right")]


@pytest.mark.usefixtures("two")
def test_a_job_tells_how_far_it_is(monkeypatch):
    told = []
    monkeypatch.setattr(Progress, "step", lambda self, index, done: told.append((index, done)))
    list(spread(jobs.steps, [(8,), (8,)], label="runs", unit="epoch", steps=8))
    under_way = {(index, done) for index, done in told if done < 8}
    assert {index for index, _ in under_way} == {0, 1}


def test_outside_a_worker_a_tick_says_nothing():
    tick(3)


def test_the_scheduler_that_the_environment_names_does_the_work(monkeypatch, scheduler):
    monkeypatch.setenv("GALMORPH_SCHEDULER", scheduler.address)
    done = dict(spread(jobs.steps, [(2,)] * 4, label="runs", unit="epoch", steps=2))
    assert len(set(done.values())) == 2
    assert os.getpid() not in done.values()
    assert all(worker.poll() is None for worker in scheduler.workers)  # they outlive the campaign


def test_a_worker_of_several_threads_is_refused(monkeypatch, scheduler):
    scheduler.start_worker(2)
    for worker in scheduler.workers[:2]:
        worker.terminate()
        worker.wait()
    monkeypatch.setenv("GALMORPH_SCHEDULER", scheduler.address)
    with pytest.raises(GalmorphError, match=r"does 2 jobs at once.* start it anew with --nthreads 1"):
        list(spread(pow, [(2, 3)], label="powers", unit="power"))


def test_a_scheduler_that_goes_away_is_named_with_the_remedy(monkeypatch, scheduler):
    monkeypatch.setenv("GALMORPH_SCHEDULER", scheduler.address)
    results = spread(jobs.steps, [(1,)] + [(100,)] * 3, label="runs", unit="epoch", steps=2)
    next(results)
    scheduler.process.kill()
    with pytest.raises(GalmorphError, match=r"runs: the scheduler tcp://.* is gone; start one again"):
        list(results)
