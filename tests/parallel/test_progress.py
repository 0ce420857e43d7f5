from galmorph.parallel.progress import Progress


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
