from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from textwrap import dedent

import pytest
import structlog

from driving import LOCAL
from streamspc.cli.codes import ExitCode
from streamspc.errors import Fatal, Fenced, Transient
from streamspc.model import View
from streamspc.roles import loop as module
from streamspc.roles.loop import EXIT_STUCK, Loop
from streamspc.roles.pulse import LONG, Pulse, commit_deadline, longest_step

PATIENCE = 5.0  # seconds after which a test gives up


class Actor:
    """A role that does what a script says, and remembers what was asked of it."""

    name = "actor"

    def __init__(self, *script: Callable[[], bool]) -> None:
        self.script = list(script)
        self.asked: list[str] = []
        self.pulse = Pulse()
        self.view = View("actor", ready=True)
        self.open = False

    def connect(self) -> None:
        """Open."""
        self.asked.append("connect")
        self.open = True

    def turn(self) -> bool:
        """The next line of the script; after the last one nothing happens."""
        assert self.open
        self.asked.append("turn")
        if self.script:
            return self.script.pop(0)()
        time.sleep(0.001)
        return False

    def disconnect(self) -> None:
        """Close."""
        self.asked.append("disconnect")
        self.open = False


def fails(error: BaseException) -> Callable[[], bool]:
    """A turn that raises."""

    def turn() -> bool:
        raise error

    return turn


def goes_on() -> bool:
    """A turn."""
    return False


def finishes() -> bool:
    """The last turn."""
    return True


@pytest.fixture
def running(monkeypatch):
    """Start a loop around a role; all are stopped afterwards."""
    monkeypatch.setattr(module, "FIRST_WAIT", 0.001)
    loops: list[Loop] = []

    def start(role: Actor) -> Loop:
        loops.append(Loop(role, threading.Event(), threading.Event()))
        loops[-1].start()
        return loops[-1]

    yield start
    for loop in loops:
        loop.stopping.set()
        assert loop.join(PATIENCE)


def test_it_turns_until_the_role_has_finished(running):
    """Connect, turns, disconnect, once."""
    role = Actor(goes_on, goes_on, finishes)
    loop = running(role)

    assert loop.ended.wait(PATIENCE)
    assert loop.join(PATIENCE)
    assert role.asked == ["connect", "turn", "turn", "turn", "disconnect"]
    assert (loop.finished, loop.failure, loop.restarts) == (True, None, 0)


def test_a_transient_error_makes_new_clients(running):
    """The old ones are closed before new ones are made, and restarts are counted."""
    role = Actor(fails(Transient("away")), fails(Fenced("lost")), finishes)
    loop = running(role)

    assert loop.ended.wait(PATIENCE)
    assert role.asked == ["connect", "turn", "disconnect"] * 3
    assert loop.restarts == 2


def test_waits_grow_while_it_does_not_get_well(running, monkeypatch):
    """Each attempt waits twice as long as the one before, up to a bound; connecting alone is no recovery."""
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.004)
    with structlog.testing.capture_logs() as logs:
        loop = running(Actor(*[fails(Transient("away"))] * 5, finishes))
        assert loop.ended.wait(PATIENCE)

    assert [entry["wait_seconds"] for entry in logs if "again" in entry["event"]] == [0.001, 0.002, 0.004, 0.004, 0.004]


def test_waits_begin_again_after_a_good_time(running, monkeypatch):
    """A role that has worked for longer than the longest wait is well."""
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.02)

    def works() -> bool:
        threading.Event().wait(0.05)
        return False

    with structlog.testing.capture_logs() as logs:
        away = fails(Transient("away"))
        loop = running(Actor(away, away, works, away, finishes))
        assert loop.ended.wait(PATIENCE)

    assert [entry["wait_seconds"] for entry in logs if "again" in entry["event"]] == [0.001, 0.002, 0.001]


@pytest.mark.parametrize("error", [Fatal("a cure"), ValueError("a mistake"), SystemExit(1)])
def test_any_other_error_ends_the_loop_and_is_reported(running, error):
    """Fatal or not foreseen: clients are closed, the failure is kept, and who waits for an end is woken."""
    role = Actor(fails(error))
    loop = running(role)

    assert loop.ended.wait(PATIENCE)
    assert loop.join(PATIENCE)
    assert loop.failure is error
    assert role.asked == ["connect", "turn", "disconnect"]


def test_it_stops_after_the_turn_it_is_in(running):
    """A drain does not cut a turn short, and disconnects."""
    begun, go = threading.Event(), threading.Event()

    def long_turn() -> bool:
        begun.set()
        return not go.wait(PATIENCE)

    role = Actor(long_turn, goes_on)
    loop = running(role)
    assert begun.wait(PATIENCE)
    loop.stopping.set()
    assert not loop.join(0.05)
    go.set()

    assert loop.join(PATIENCE)
    assert role.asked == ["connect", "turn", "disconnect"]


def test_a_wait_between_attempts_ends_when_it_is_stopped(running, monkeypatch):
    """Nobody waits out a backoff in a drain."""
    monkeypatch.setattr(module, "FIRST_WAIT", 60.0)
    role = Actor(fails(Transient("away")))
    loop = running(role)
    while "disconnect" not in role.asked:
        time.sleep(0.001)
    loop.stopping.set()

    assert loop.join(PATIENCE)


def test_its_view_is_not_ready_while_it_is_not_connected(running):
    """Whatever the role says of itself; a role that has finished is ready."""
    connected, go = threading.Event(), threading.Event()

    def turn() -> bool:
        connected.set()
        return go.wait(PATIENCE)

    role = Actor(turn)
    idle = Loop(role, threading.Event(), threading.Event())
    assert (idle.view().ready, idle.view().not_ready_because) == (False, ("actor: not connected to Kafka",))
    loop = running(role)
    assert connected.wait(PATIENCE)
    assert loop.view().ready
    assert loop.view().turned == role.pulse.turned
    go.set()
    assert loop.join(PATIENCE)

    assert loop.view().ready
    assert {family.name: list(family.values) for family in loop.view().families} == {"spc_restarts_total": [0], "spc_role_finished": [1.0]}


def test_a_step_has_its_time_and_long_ones_say_so():
    """A beat sets when the next one is due; at rest nothing is."""
    pulse = Pulse(longest=2.0)
    pulse.beat()
    assert pulse.due == pulse.turned + 2.0
    pulse.beat(LONG)
    assert pulse.due == pulse.turned + 2.0 + LONG
    pulse.rest()
    assert pulse.due == float("inf")


def test_a_commit_gives_up_before_its_loop_is_taken_to_hang():
    """Half a transaction time-out is the longest step."""
    assert longest_step(LOCAL) == LOCAL.transaction_timeout / 2
    assert commit_deadline(LOCAL) < longest_step(LOCAL)


def test_a_loop_that_is_at_work_is_due(running):
    """In a turn the time is the step's own, at the end there is none."""
    inside: list[float] = []

    def look() -> bool:
        inside.append(role.pulse.due - role.pulse.turned)
        return True

    role = Actor(look)
    role.pulse.longest = 3.0
    loop = running(role)

    assert loop.join(PATIENCE)
    assert inside == [pytest.approx(3.0)]
    assert role.pulse.due == float("inf")


HANGING = """
    import threading, time
    from streamspc.roles.loop import Loop, watch
    from streamspc.roles.pulse import Pulse
    from streamspc.model import View

    class Role:
        name = "sleeper"
        view = View("sleeper")
        def __init__(self): self.pulse, self.turns = Pulse(0.3), 0
        def connect(self): pass
        def disconnect(self): pass
        def turn(self):
            self.turns += 1
            if self.turns > 20:
                {hang}
            time.sleep(0.05)
            return False

    stopping = threading.Event()
    loop = Loop(Role(), stopping, threading.Event())
    loop.start()
    threading.Timer(3.0, stopping.set).start()
    watch([loop], stopping, 0.05)
    raise SystemExit(0 if loop.join(5) else 9)
"""


@pytest.mark.parametrize(("hang", "code"), [("threading.Event().wait()", EXIT_STUCK), ("pass", 0)])
def test_a_loop_that_hangs_ends_its_process(hang, code):
    """Exit code 6, at once, with the role's name and where it hangs; a loop that works is left alone for as long as it does."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", dedent(HANGING).format(hang=hang)], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == code, done.stderr
    if code:
        assert "sleeper" in done.stdout + done.stderr
        assert "in turn" in done.stderr
        assert time.monotonic() - begun < 30


def test_the_exit_code_is_the_documented_one():
    """What the root exits with is what the command line's help says."""
    assert EXIT_STUCK == ExitCode.STUCK
