"""The loop that drives every role: connect, turn after turn, and after an error new clients from the committed offsets.

A role is four calls. `connect` makes clients and restores; `turn` is one poll, a pure function and one transaction, and returns
True when there is nothing left to do for ever; `disconnect` closes within seconds; `view` is what the outside may see.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from streamspc.errors import Fatal, Transient
from streamspc.model import Family, View

log = structlog.get_logger()

FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0  # seconds between attempts to connect again


class Role(Protocol):
    """One small loop over Kafka."""

    name: str

    @property
    def view(self) -> View:
        """What the role shows after its last turn."""

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
    turned: float = field(default_factory=time.monotonic)
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
        view = replace(self.role.view, turned=self.turned)
        view = replace(view, families=(*view.families, *known))
        if self.finished:
            return replace(view, ready=True, not_ready_because=(), turned=time.monotonic())
        return view if self.connected else replace(view, ready=False, not_ready_because=(f"{self.role.name}: not connected to Kafka",))

    def _run(self) -> None:
        try:
            wait = FIRST_WAIT
            while not (self.stopping.is_set() or self.finished):
                try:
                    self._connected_turns()
                    wait = FIRST_WAIT
                except Transient as error:
                    self.restarts += 1
                    log.warning("role starts again", role=self.role.name, error=str(error), wait_seconds=wait)
                    self._wait(wait)
                    wait = min(LONGEST_WAIT, wait * 2) if not self.connected else FIRST_WAIT
                finally:
                    self.connected = False
                    self.role.disconnect()
        except Fatal as error:
            self.failure = error
            log.error("role stopped", role=self.role.name, error=str(error))  # noqa: TRY400 - the message is the cure, a trace is not
        except BaseException as error:  # noqa: BLE001 - the process must end, with the trace, not run on without a role
            self.failure = error
            log.exception("role failed", role=self.role.name)
        finally:
            self.ended.set()

    def _connected_turns(self) -> None:
        self.role.connect()
        self.connected = True
        while not self.stopping.is_set():
            self.turned = time.monotonic()
            if self.role.turn():
                self.finished = True
                return

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.stopping.is_set():
            self.turned = time.monotonic()
            self.stopping.wait(0.1)
