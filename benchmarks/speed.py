"""Run-epochs per second compared with plain Keras and with the machine's rate of matrix products."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks.work import MATRIX, ROOT, floating_point, has_bf16, settings

ROUNDS = 3
EPOCHS = 4
PRODUCTS = 12


class Child:
    """A process that waits for work."""

    def __init__(self, kind: str, precision: str, onednn: str | None = "1") -> None:
        environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-m", "benchmarks.child", kind, precision, *([] if onednn is None else [onednn])]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        self.expect()

    def expect(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended")
        return line

    def begin(self, amount: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{amount}\n")
        self.process.stdin.flush()


@contextmanager
def children(*kinds: tuple[Any, ...]) -> Iterator[list[Child]]:
    with ExitStack() as stack:
        started = []
        for kind in kinds:
            child = Child(*kind)
            stack.callback(child.process.wait)
            stack.callback(child.process.kill)
            started.append(child)
        yield started


def together(workers: list[Child], amount: int) -> float:
    """Return the seconds that the workers need at the same time, each for `amount` of its work."""
    for worker in workers:
        worker.begin(amount)
    return max(float(worker.expect()) for worker in workers)


def measure(precision: str) -> list[tuple[str, float, float]]:
    """Return rows of (what, ratio, its target), each ratio the median over rounds."""
    from galmorph.training.engine import seen_side

    side = seen_side(settings().network, 64)
    cores = 2
    # Plain Keras uses all available cores: on a larger machine both sides get the first two.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    kinds: list[tuple[Any, ...]] = [("plain_keras", "float32"), ("plain_keras", "float32", None)]
    kinds += [("engine", precision)] * cores + [("matrix_product", precision)] * cores + [("augmented", precision)]
    ratios: dict[str, list[float]] = {}
    with children(*kinds) as started:
        plain, plain_without, engines, products, augmented = (
            started[0],
            started[1],
            started[2:4],
            started[4:6],
            started[6],
        )
        for _ in range(ROUNDS):
            keras = together([plain], EPOCHS) / EPOCHS
            keras_without = together([plain_without], EPOCHS) / EPOCHS
            one = together(engines[:1], EPOCHS) / EPOCHS
            both = together(engines, EPOCHS) / EPOCHS / cores
            turned = together([augmented], EPOCHS) / EPOCHS
            rate = cores * PRODUCTS * 2.0 * MATRIX**3 / together(products, PRODUCTS)
            print(
                f"  {precision}: seconds per run and epoch: plain Keras {keras:.2f} (as TensorFlow comes "
                f"{keras_without:.2f}), one worker {one:.2f} (augmented {turned:.2f}), two workers {both:.2f}; "
                f"matrix products {rate / 1e9:.0f} GFLOP/s",
                flush=True,
            )
            row = {
                "plain": keras / both,
                "plain_without": keras_without / both,
                "rate": floating_point(64) / both / rate,
                "done": floating_point(side) / both / rate,
                "scaling": one / both,
                "augmented": one / turned,
            }
            for name, value in row.items():
                ratios.setdefault(name, []).append(value)
    median = {name: statistics.median(values) for name, values in ratios.items()}
    if precision != "float32":
        return [(f"{precision}: run-epochs per second over plain Keras in float32", median["plain"], 3.3)]
    return [
        ("run-epochs per second over plain Keras with oneDNN", median["plain"], 2.2),
        ("run-epochs per second over plain Keras as TensorFlow comes", median["plain_without"], 2.2),
        ("floating-point rate of the network over that of tf.matmul", median["rate"], 0.6),
        (f"the same, counting the {side} x {side} pixels that are computed", median["done"], 0.6),
        ("two workers over one", median["scaling"], 1.75),
        ("with flips, turns and class weights over without", median["augmented"], 0.9),
    ]


def rows() -> list[tuple[str, float, float]]:
    result = measure("float32")
    if has_bf16():
        result += measure("mixed_bfloat16")
    else:
        print("  mixed_bfloat16: this processor has no bf16 instructions; not measured", flush=True)
    return result
