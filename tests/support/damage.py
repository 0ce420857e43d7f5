"""What happens to files: each returns other bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><form>Password</form></body></html>\n"


def truncated(content: bytes) -> bytes:
    """Cut at two thirds."""
    return content[: 2 * len(content) // 3]


def without_its_end(content: bytes) -> bytes:
    """Eight bytes short: of gzip just the checksum and the length."""
    return content[:-8]


def flipped(content: bytes) -> bytes:
    """One bit in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 16]) + content[middle + 1 :]


def empty(content: bytes) -> bytes:
    return b""


def page(content: bytes) -> bytes:
    """What a server says instead of what was asked for."""
    return PAGE


DAMAGES: tuple[Callable[[bytes], bytes], ...] = (truncated, without_its_end, flipped, empty, page)


def damage(path: Path, how: Callable[[bytes], bytes]) -> None:
    """Write a file anew, so that no other name of the same bytes is damaged as well."""
    content = how(path.read_bytes())
    path.unlink()
    path.write_bytes(content)
