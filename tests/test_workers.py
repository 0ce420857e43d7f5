import os
import traceback

import pytest

import jobs
from galmorph.errors import GalmorphError
from galmorph.workers import Progress, spread, tick, worker_count, worker_memory


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
    powers = [(2, power) for power in range(7)]
    assert dict(spread(pow, powers, label="powers", unit="power")) == {i: 2**i for i in range(7)}


def test_no_jobs_start_no_processes():
    assert list(spread(pow, [], label="nothing", unit="job")) == []


def test_the_error_of_a_job_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
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


@pytest.mark.slow
def test_a_worker_that_takes_too_much_memory_is_stopped_and_named(tmp_path, monkeypatch):
    monkeypatch.setenv("GALMORPH_WORKER_MEMORY", "600MiB")
    with pytest.raises(GalmorphError, match="ran out of memory, give each worker more"):
        list(spread(jobs.takes_memory, [(tmp_path, 0)], label="jobs", unit="job"))


@pytest.mark.parametrize("text", ["", "much", "-1GiB", "1MiB"])
def test_a_memory_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("GALMORPH_WORKER_MEMORY", text)
    with pytest.raises(GalmorphError, match="GALMORPH_WORKER_MEMORY: a size such as 2GiB"):
        worker_memory()


@pytest.mark.usefixtures("two")
def test_an_error_that_may_pass_is_tried_again(tmp_path, caplog):
    work = [(tmp_path, i, 3) for i in range(3)]
    assert dict(spread(jobs.fails_before, work, label="jobs", unit="job")) == {0: 0, 1: 1, 2: 2}
    assert "job 1 failed and is done again: ConnectionError('attempt at job 0')" in caplog.text


def test_the_third_failure_of_a_job_is_the_callers_with_its_traceback(tmp_path):
    with pytest.raises(ConnectionError) as caught:
        list(spread(jobs.fails_before, [(tmp_path, 0, 4)], label="jobs", unit="job"))
    assert counted(tmp_path, 0) == 3
    assert "fails_before" in "".join(traceback.format_tb(caught.value.__traceback__))


@pytest.mark.usefixtures("two")
def test_what_a_person_can_put_right_is_tried_once(tmp_path):
    with pytest.raises(GalmorphError, match="job 1 can be put right"):
        list(spread(jobs.refuses, [(tmp_path, i) for i in range(9)], label="jobs", unit="job"))
    assert counted(tmp_path, 1) == 1


@pytest.mark.usefixtures("two")
def test_the_others_go_on_where_the_caller_says_so(tmp_path):
    seen = []
    work = [(tmp_path, i) for i in range(4)]
    done = spread(
        jobs.refuses, work, label="jobs", unit="job", on_failure=lambda i, error: seen.append((i, str(error)))
    )
    assert dict(done) == {0: 0, 2: 2, 3: 3}
    assert seen == [(1, "job 1 can be put right")]


def test_progress_counts_the_steps_of_jobs_under_way_and_none_twice():
    progress = Progress(2, 10, "runs", "epoch")
    progress.step(0, 4)
    progress.step(1, 1)
    assert progress.bar.n == 5
    progress.step(0, 2)  # done again elsewhere, from its beginning
    assert progress.bar.n == 5
    progress.step(0, 5)
    progress.finish(1)
    assert progress.bar.n == 15
    assert "1 of 2 runs" in progress.bar.desc
    progress.finish(0)
    assert progress.bar.n == 20
    progress.bar.close()


@pytest.mark.usefixtures("two")
def test_a_job_tells_how_far_it_is(monkeypatch):
    told = []
    monkeypatch.setattr(Progress, "step", lambda self, index, done: told.append((index, done)))
    list(spread(jobs.steps, [(8,), (8,)], label="runs", unit="epoch", steps=8))
    under_way = {(index, done) for index, done in told if done < 8}
    assert {index for index, _ in under_way} == {0, 1}


def test_outside_a_worker_a_tick_says_nothing():
    tick(3)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("GALMORPH_SCHEDULER", "tcp://127.0.0.1:9")
    monkeypatch.setattr("galmorph.workers.CONNECT_SECONDS", 1)
    with pytest.raises(GalmorphError, match=r"GALMORPH_SCHEDULER: nobody answers at tcp://127\.0\.0\.1:9"):
        list(spread(pow, [(2, 3)], label="powers", unit="power"))


@pytest.mark.parametrize("address", ["nonsense", "ftp://x:1"])
def test_a_scheduler_address_that_is_none_is_refused(monkeypatch, address):
    monkeypatch.setenv("GALMORPH_SCHEDULER", address)
    monkeypatch.setattr("galmorph.workers.CONNECT_SECONDS", 1)
    with pytest.raises(GalmorphError, match=f"GALMORPH_SCHEDULER: nobody answers at {address}"):
        list(spread(pow, [(2, 3)], label="powers", unit="power"))


def test_the_scheduler_that_the_environment_names_does_the_work(monkeypatch, scheduler):
    monkeypatch.setenv("GALMORPH_SCHEDULER", scheduler.address)
    done = dict(spread(jobs.steps, [(2,)] * 4, label="runs", unit="epoch", steps=2))
    assert len(set(done.values())) == 2
    assert os.getpid() not in done.values()
    assert all(worker.poll() is None for worker in scheduler.workers)  # they outlive the campaign
