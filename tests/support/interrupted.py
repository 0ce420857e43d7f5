"""Work that is stopped before its end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def stopped_before_the_blocks_are_joined(
    monkeypatch: pytest.MonkeyPatch, cut: Callable[..., object], raw: Path, folder: Path, *settings: Any
) -> None:
    """Make all blocks of a set of stamps in `folder`/partial, and stop as by Ctrl-C before they are joined."""

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("galmorph.stamps.blocks.write_stamp_set", stop)
        with pytest.raises(KeyboardInterrupt):
            cut(raw, folder / "set", *settings, folder / "partial")
