"""The loop that drives every role: connect, turn after turn, and after an error new clients from the committed offsets.

A role is four calls. `connect` makes clients and restores; `turn` is one poll, a pure function and one transaction, and returns
True when there is nothing left to do for ever; `disconnect` closes within seconds; `view` is what the outside may see. It beats its
`pulse` as it goes; `watch` ends the process when one does not, for another process can take over only what this one gives up.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import structlog

from streamspc.errors import Fatal, Transient
from streamspc.model import Family, View
from streamspc.roles.pulse import LONG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.roles.pulse import Pulse

log = structlog.get_logger()

FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0  # seconds between attempts to connect again
EXIT_STUCK = 6  # the process's exit code when a loop hangs


class Role(Protocol):
    """One small loop over Kafka."""

    name: str
    pulse: Pulse

    @property
    def view(self) -> View:
        """What the role shows after its last turn. Called by other threads too."""

    def connect(self) -> None:
        """Make clients, restore. Raises Transient (tried again) or Fatal (the process ends)."""

    def turn(self) -> bool:
        """One poll, one pure function, one transaction. True when the role has finished for ever."""

    def disconnect(self) -> None:
        """Close every client within seconds, whatever state they are in. Never raises."""


@dataclass(slots=True)
class Loop:
    """Runs one role in a thread of its own until it finishes, is stopped, or meets a Fatal error."""

    role: Role
    stopping: threading.Event
    ended: threading.Event  # set when any loop of the process has ended
    restarts: int = 0
    connected: bool = False
    finished: bool = False
    failure: BaseException | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name=self.role.name, daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the thread; True when it has ended."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def view(self) -> View:
        """The role's view with what the loop knows: when it last turned, whether it is connected."""
        name = (self.role.name,)
        known = Family("spc_restarts_total", [name], [self.restarts]), Family("spc_role_finished", [name], [float(self.finished)])
        view = self.role.view
        view = replace(view, turned=self.role.pulse.turned, families=(*view.families, *known))
        if self.finished:
            return replace(view, ready=True, not_ready_because=(), turned=time.monotonic())
        return view if self.connected else replace(view, ready=False, not_ready_because=(f"{self.role.name}: not connected to Kafka",))

    def _run(self) -> None:
        try:
            wait = FIRST_WAIT
            while not (self.stopping.is_set() or self.finished):
                begun = time.monotonic()
                error = self._life()
                if error is None:
                    continue
                wait = FIRST_WAIT if time.monotonic() - begun > LONGEST_WAIT else wait
                self.restarts += 1
                log.warning("role starts again", role=self.role.name, error=str(error), wait_seconds=wait)
                self.role.pulse.beat(wait)
                self.stopping.wait(wait)
                wait = min(LONGEST_WAIT, wait * 2)
        except Fatal as error:
            self.failure = error
            log.error("role stopped", role=self.role.name, error=str(error))  # noqa: TRY400 - the message is the cure, a trace is not
        except BaseException as error:
            self.failure = error
            log.exception("role failed", role=self.role.name)
        finally:
            self.role.pulse.rest()
            self.ended.set()

    def _life(self) -> Transient | None:
        """From connecting until stopped or finished, or until the error returned. The clients are closed before anyone waits."""
        pulse = self.role.pulse
        try:
            pulse.beat(LONG)
            self.role.connect()
            self.connected = True
            while not (self.stopping.is_set() or self.finished):
                pulse.beat()
                self.finished = self.role.turn()
        except Transient as error:
            return error
        finally:
            self.connected = False
            pulse.beat(LONG)
            self.role.disconnect()
        return None


def watch(loops: Sequence[Loop], stopping: threading.Event, every: float = 0.5) -> None:
    """Until `stopping`: end the process with EXIT_STUCK when a loop hangs, and say where it does. It must not be caught or drained."""
    while not stopping.wait(every):
        now = time.monotonic()
        stuck = [loop.role.name for loop in loops if now > loop.role.pulse.due]
        if stuck:
            log.critical("a loop hangs: the process ends, so that another one can take over", roles=stuck, exit_code=EXIT_STUCK)
            faulthandler.dump_traceback(sys.__stderr__ or 2, all_threads=True)
            os._exit(EXIT_STUCK)
