"""Jobs of tests, which other processes find here."""

import functools
import os
import signal
import time

from ganwalk.errors import GanwalkError
from ganwalk.ledger import Job


def job(k, work, *arguments, **facts):
    return Job(f"job-{k}", {"k": k, **facts}, functools.partial(work, k, *arguments))


def log(turn, text):
    """A line for all processes to add to."""
    with (turn.folder.parent / "log.txt").open("a") as file:
        file.write(f"{text}\n")


def lines(root):
    path = root / "log.txt"
    return path.read_text().splitlines() if path.exists() else []


def square(k, turn):
    log(turn, f"{k} {os.getpid()} {turn.loaded}")
    turn.on_share(0.5)
    return {"square": k * k, "threads": turn.threads}


def slow(k, turn):
    time.sleep(0.3)
    return square(k, turn)


def odd_ones_fail(k, turn):
    if k == 1:
        raise GanwalkError("one is odd")
    if k == 3:
        raise RuntimeError("three is odder")
    return square(k, turn)


def killed_on(count, k, turn):
    """Dies without a word as often as said, then continues."""
    marks = list(turn.folder.glob("mark-*"))
    if k == 0 and len(marks) < count:
        (turn.folder / f"mark-{len(marks)}").write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return {"continued": len(marks)}


def kill_other(k, turn):
    """The first job waits until the process that takes the second is dead and gone."""
    mark = turn.folder.parent / "job-1" / "pid"
    if k == 1 and not mark.exists():
        mark.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    if k == 0:
        while not mark.exists() or os.path.exists(f"/proc/{mark.read_text()}"):
            time.sleep(0.05)
        time.sleep(0.5)
    return k


def endless(k, turn):
    """Says who runs it, and that it was interrupted."""
    (turn.folder / "pid").write_text(str(os.getpid()))
    try:
        while True:
            turn.on_share(0.1)
            time.sleep(0.05)
    finally:
        (turn.folder / "interrupted").write_text("")


def quick_then_endless(k, turn):
    return square(k, turn) if k == 0 else endless(k, turn)


def load():
    return f"loaded by {os.getpid()}"
