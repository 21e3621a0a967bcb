"""Runs commands and prints the seconds and the memory they took, as JSON.

`python timed.py '[["cp", "-r", "a", "b"], ...]' [together]`: one after another, or all at the same time.
A small process of its own: on Linux a child's peak memory counts from that of the process it was
forked from, and the benchmark itself is large.
"""

import json
import os
import sys
import time


def start(command: list[str]) -> int:
    null = os.open(os.devnull, os.O_WRONLY)
    quiet = [(os.POSIX_SPAWN_DUP2, null, 1)]
    return os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)


def run(commands: list[list[str]]) -> tuple[float, int]:
    """Starts them all; returns seconds and `ru_maxrss`; exits like a command that fails."""
    started = time.perf_counter()
    largest = 0
    for pid in [start(command) for command in commands]:
        _, status, usage = os.wait4(pid, 0)
        largest = max(largest, usage.ru_maxrss)
        if code := os.waitstatus_to_exitcode(status):
            sys.exit(code)
    return time.perf_counter() - started, largest


def main() -> None:
    commands = json.loads(sys.argv[1])
    groups = [commands] if "together" in sys.argv[2:] else [[command] for command in commands]
    costs = [run(group) for group in groups]
    print(json.dumps({"seconds": sum(s for s, _ in costs), "maxrss": max(m for _, m in costs)}))


if __name__ == "__main__":
    main()
