"""A Dask scheduler on this machine whose workers are jobs of SLURM, which dask-jobqueue submits."""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from galmorph.environment import PINNED
from galmorph.errors import GalmorphError
from galmorph.parallel.cluster import CONFIG

IDLE_SECONDS = 300  # before a job without work ends; a stage and the next are less apart
MARGIN = 0.1  # of the time limit: a worker ends by itself so long before SLURM kills it
LOST = 20  # workers that may end under one run; a job that SLURM takes away counts


@contextmanager
def slurm_jobs(
    most: int,
    *,
    queue: str | None = None,
    account: str | None = None,
    walltime: str,
    memory: str,
    interface: str | None = None,
    options: Sequence[str] = (),
    logs: Path,
) -> Iterator[Any]:
    """Start a scheduler here, and as many jobs of one worker each as there is work for.

    Yields a `dask_jobqueue.SLURMCluster`; scheduler and jobs end with the block.

    Parameters
    ----------
    most
        Jobs at a time.
    queue, account
        SLURM's partition and account; None: the user's default.
    walltime
        Time limit of a job, as [D-]HH:MM:SS.
    memory
        Of a job, such as 3GB.
    interface
        Network interface of this machine that the jobs can reach; None: the one of its name.
    options
        Further options of sbatch, such as "--constraint=avx2".
    logs
        Folder for what the jobs print.

    Raises
    ------
    GalmorphError
        If dask-jobqueue or SLURM is not installed, or SLURM refuses such a job.
    """
    try:
        import dask
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise GalmorphError("dask-jobqueue is not installed: pip install -e '.[cluster]'") from None
    if most < 1:
        raise GalmorphError(f"--workers {most}: one or more")
    if shutil.which("sbatch") is None:
        raise GalmorphError("sbatch not found: run this on a machine from which SLURM accepts jobs")
    seconds = walltime_seconds(walltime)
    try:
        dask.utils.parse_bytes(memory)
    except ValueError:
        raise GalmorphError(f"--memory {memory}: a size such as 3GB") from None
    # The workers read Dask's settings from their environment, and NumPy reads its own before galmorph is imported.
    settings = {
        f"DASK_{key.upper().replace('.', '__').replace('-', '_')}": str(value)
        for key, value in CONFIG.items()
        if key.startswith("distributed.worker.")
    }
    for name in ("distributed", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with dask.config.set(CONFIG | {"distributed.scheduler.allowed-failures": LOST}):
        try:
            cluster = SLURMCluster(
                cores=1,
                processes=1,
                memory=memory,
                walltime=walltime,
                queue=queue,
                account=account,
                interface=interface,
                job_name="galmorph",
                log_directory=str(logs),
                job_extra_directives=list(options),
                job_script_prologue=[f"export {name}='{value}'" for name, value in (settings | PINNED).items()],
                worker_extra_args=[
                    *("--lifetime", f"{seconds * (1 - MARGIN):.0f}s"),
                    *("--lifetime-stagger", f"{seconds * MARGIN / 2:.0f}s"),
                ],
                scheduler_options={"dashboard": False},
                silence_logs="critical",
            )
        except RuntimeError as error:  # an unknown network interface
            raise GalmorphError(f"the cluster cannot start: {error}") from None
        with cluster:
            require_accepted(cluster.job_script())
            # A job for each run that waits: by default Dask would start with one for ten.
            cluster.adapt(minimum=0, maximum=most, target_duration="50ms", interval="1s", wait_count=IDLE_SECONDS)
            yield cluster


def walltime_seconds(text: str) -> int:
    """Return the seconds of SLURM's [D-]HH:MM:SS.

    >>> walltime_seconds("1-06:00:00")
    108000

    Raises
    ------
    GalmorphError
        If it is no such time.
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", text)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0, 0)
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total < 60:
        raise GalmorphError(f"--walltime {text}: a time such as 06:00:00 or 1-12:00:00, of a minute or more")
    return total


def require_accepted(script: str) -> None:
    """Raise GalmorphError unless SLURM would accept a job, in SLURM's words."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write(script)
        file.flush()
        answer = subprocess.run(["sbatch", "--test-only", file.name], capture_output=True, text=True)
    if answer.returncode:
        said = " ".join(answer.stderr.split())
        raise GalmorphError(f"SLURM accepts no such job: {said}; correct --queue, --account, --walltime or --memory")
