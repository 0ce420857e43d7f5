"""Where the time of an epoch goes: TensorFlow's own profile of one worker, by operation.

python -m benchmarks.profile
"""

from __future__ import annotations

import collections
import re
import tempfile
from pathlib import Path

from tabulate import tabulate

from benchmarks.child import engine
from benchmarks.work import processor
from galmorph.training.backend import tf

LAYERS = {
    "MatMul": "dense layers",
    "Conv2DBackpropFilter": "convolutions, gradient of the kernel",
    "Conv2DBackpropInput": "convolutions, gradient of the input",
    "Conv2D": "convolutions, forward",
    "ResourceApplyAdam": "Adam",
    "MaxPoolGrad": "pooling, gradient",
    "MaxPool": "pooling, forward",
    "Bias": "bias and ReLU",
    "Relu": "bias and ReLU",
}


def kind(operation: str) -> str:
    """Return the row of the table that an operation, such as _MklNativeConv2D, is counted in."""
    return next((row for name, row in LAYERS.items() if name in operation), "the rest")


def main() -> None:
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    work = engine("float32")
    work(1)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        work(1)
        tf.profiler.experimental.stop()
        (path,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    seconds: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # Operations are named "path/name:Kind"; everything else there contains them.
                match = re.fullmatch(r"[^:]+:_?(\w+)", plane.event_metadata[event.metadata_id].name)
                if match and match[1] != "Run":
                    seconds[kind(match[1])] += event.duration_ps / 1e12
    total = sum(seconds.values())
    rows = [(name, f"{value:.2f}", f"{value / total:.0%}") for name, value in seconds.most_common()]
    print(processor())
    print(tabulate(rows, headers=["one epoch, one worker", "seconds", "share"], tablefmt="github"))


if __name__ == "__main__":
    main()
