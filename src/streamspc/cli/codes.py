"""Exit codes, with their meanings in the end of each help."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command says to the one who started it."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    UNREACHABLE = 3
    FATAL = 4
    DRAIN = 5
    STUCK = 6
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done: nothing to report, or a drained daemon",
    ExitCode.FINDINGS: "findings: a topic is missing or has wrong settings",
    ExitCode.USAGE: "the command line or the configuration is wrong",
    ExitCode.UNREACHABLE: "Kafka cannot be reached, or does not answer",
    ExitCode.FATAL: "nothing that this process can do will help; the message says the cure",
    ExitCode.DRAIN: "the drain took longer than its deadline: what was open is aborted, and repeated by the next process",
    ExitCode.STUCK: "a role hung for more than half a transaction time-out: the process ended itself, so that another one takes over",
    ExitCode.INTERRUPTED: "Ctrl-C, where there was nothing to drain",
}
EPILOG = "exit codes:\n" + "\n".join(f"  {code:d}  {meaning}" for code, meaning in MEANINGS.items())
