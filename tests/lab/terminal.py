#!/usr/bin/env python3
"""Plays keys to a program on a terminal of its own.

usage: terminal.py STEPS COMMAND...   STEPS is JSON: a list of [what the screen must show first, the keys to send]

What is awaited must come after the last step's keys, within 20 seconds. A control key waits, for 5 seconds at most,
until the terminal is raw: the output of a command over a control master comes on the screen by itself, and may be
earlier than the ssh that then takes the keys. Prints all that the terminal showed; the exit
code is the program's (128+n after signal n), 124 where something was awaited in vain.
"""
import json
import os
import pty
import select
import sys
import termios
import time

LIMIT_S = 20
RAW_LIMIT_S = 5


def is_canonical(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ICANON)


def main(steps, argv):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(argv[0], argv)
    shown = b""
    seen = 0

    def read(until):
        nonlocal shown
        ready, _, _ = select.select([terminal], [], [], max(0, until - time.monotonic()))
        try:
            piece = os.read(terminal, 65536) if ready else b""
        except OSError:
            return False
        shown += piece
        return piece != b""

    missing = None
    for awaited, keys in steps:
        until = time.monotonic() + LIMIT_S
        while missing is None:
            at = shown.find(awaited.encode(), seen)
            if at >= 0:
                seen = at + len(awaited.encode())
                break
            if not read(until):
                missing = awaited
        if missing is not None:
            break
        if keys and keys[0] < " " and keys[0] != "\r":
            until = time.monotonic() + RAW_LIMIT_S
            while is_canonical(terminal) and time.monotonic() < until:
                time.sleep(0.01)
        if keys:
            seen = len(shown)
            os.write(terminal, keys.encode())
    if missing is None:
        until = time.monotonic() + LIMIT_S
        while read(until):
            pass
    else:
        os.kill(pid, 9)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    sys.stdout.buffer.write(shown)
    sys.stdout.flush()
    if missing is not None:
        print(f"\nawaited in vain: {missing!r}", file=sys.stderr)
        return 124
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


sys.exit(main(json.loads(sys.argv[1]), sys.argv[2:]))
