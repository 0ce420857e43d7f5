from galmorph.parallel.progress import Progress


def test_steps_of_a_job_that_is_tried_again_count_once():
    with Progress(2, 20, "training", "epoch", "runs") as progress:
        progress.step(0, 4)
        progress.step(1, 1)
        progress.step(0, 2)
        assert progress.bar.n == 5
        progress.step(0, 10)
        progress.finish(0, 10)
        assert progress.bar.n == 11
        assert progress.bar.total == 20
        assert "1 of 2 runs" in str(progress.bar)


def test_the_total_follows_the_sizes_that_files_turn_out_to_have():
    with Progress(2, 2000, "download", "B", "files") as progress:
        progress.add("a", 700)
        progress.add("a", 800)
        progress.finish("a", 1000)
        assert (progress.bar.n, progress.bar.total) == (1500, 2500)
        progress.finish("b", 1000)  # not downloaded
        assert (progress.bar.n, progress.bar.total) == (1500, 1500)
