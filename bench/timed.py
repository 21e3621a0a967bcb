"""Runs commands one after another and prints the seconds and the memory they took, as JSON.

`python timed.py '[["cp", "-r", "a", "b"], ...]'`. A small process of its own: on Linux a child's
peak memory counts from that of the process it was forked from, and the benchmark itself is large.
"""

import json
import os
import sys
import time


def run(command: list[str]) -> tuple[float, int]:
    """Returns seconds and `ru_maxrss`; exits like the command where it fails."""
    started = time.perf_counter()
    null = os.open(os.devnull, os.O_WRONLY)
    quiet = [(os.POSIX_SPAWN_DUP2, null, 1)]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - started
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(code)
    return seconds, usage.ru_maxrss


if __name__ == "__main__":
    costs = [run(command) for command in json.loads(sys.argv[1])]
    print(json.dumps({"seconds": sum(s for s, _ in costs), "maxrss": max(m for _, m in costs)}))
