"""The composition root: which roles run in this process, and how they start, drain and end.

    start     listen (not ready yet) -> wait for Kafka -> topics are there -> control holds our configuration -> one thread a role
    run       until SIGTERM or SIGINT, until a role meets a Fatal error, or (`--until-end`) until all have finished. A loop that
              hangs ends the process at once (exit code 6): its work waits for another process, not for a repair
    drain     every loop ends after the turn it is in; clients close; the whole of it within `drain` seconds

Roles share nothing but Kafka. In one process each has a thread and clients of its own; `--roles` splits them over processes.
"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from streamspc.effect import sender
from streamspc.errors import ConfigError, Fatal, Transient
from streamspc.kafka_io import KafkaPython
from streamspc.kafka_io.topics import check, plans
from streamspc.model import View
from streamspc.roles.assertion import AssertRole
from streamspc.roles.chart import ChartRole
from streamspc.roles.control import ensure
from streamspc.roles.gate import GateRole
from streamspc.roles.loop import Loop, Role, watch
from streamspc.roles.notify import NotifyRole
from streamspc.roles.observe import ObserveRole
from streamspc.roles.publish import PublishRole
from streamspc.serve.answers import Answers
from streamspc.serve.server import Server
from streamspc.settings.build import difference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamspc.kafka_io.port import Kafka
    from streamspc.model import Local, Semantics
    from streamspc.roles.ends import Ends
    from streamspc.roles.hearing import HearingRole

log = structlog.get_logger()

ROLES = ("observe", "chart", "gate", "notify")
NOTIFIERS: dict[str, type[HearingRole]] = {"alertmanager": AssertRole, "kafka": PublishRole}  # others get messages
WAIT_FOR_KAFKA = 1.0  # seconds between attempts at start


@dataclass(slots=True)
class App:
    """One process. `kafka` is the port; `ends` is set for `--until-end`; `linger` keeps /metrics after all have finished."""

    semantics: Semantics
    local: Local
    roles: Sequence[str] = ROLES
    ends: Ends | None = None
    linger: bool = False
    stopping: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _loops: list[Loop] = field(default_factory=list)
    _starting: str = "waiting for Kafka"
    _failure: BaseException | None = None  # of the start

    def run(self) -> bool:
        """Run until stopped or finished. True when the drain kept its deadline.

        Raises ConfigError when the roles have nothing to do or a receiver cannot work, Fatal when a role, or the start, met an error that
        this process cannot mend.
        """
        kafka = KafkaPython(self.local.kafka)
        roles = list(self._compose(kafka))
        if not roles:
            raise ConfigError(
                f"--roles {','.join(self.roles)}: the configuration gives them nothing to do: it has no gate, or no receivers"
            )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        server = Server(self.local.listen, Answers(self.views, self.semantics.hash(), self.local.kafka.max_poll_interval))
        server.start()
        log.info("starting", listen=self.local.listen, config=self.semantics.hash())
        try:
            # In a thread, for the client library waits long for a Kafka that is away, and a signal must not.
            threading.Thread(target=self._begin, args=(kafka, roles), name="start", daemon=True).start()
            self._wait()
            return self._drain()
        finally:
            server.close()

    def views(self) -> list[View]:
        """What every role shows now."""
        if not self._loops:
            return [View("start", not_ready_because=(self._starting,), turned=time.monotonic())]
        return [loop.view() for loop in self._loops]

    def _stop(self) -> None:
        self.stopping.set()
        self._ended.set()

    def _begin(self, kafka: Kafka, roles: list[Role]) -> None:
        try:
            if self._wait_for_kafka(kafka):
                self._start(roles)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self._failure = error
            self._ended.set()

    def _wait_for_kafka(self, kafka: Kafka) -> bool:
        """Topics as they have to be, and control with our configuration. False when stopped before that."""
        while not self.stopping.is_set():
            try:
                verify_topics(kafka, self.semantics, self.local)
                ensure(kafka, self.semantics, difference)
            except Transient as error:
                self._starting = f"waiting for Kafka: {error}"
                log.warning("waiting for Kafka", error=str(error))
                self.stopping.wait(WAIT_FOR_KAFKA)
            else:
                return True
        return False

    def _compose(self, kafka: Kafka) -> Iterator[Role]:
        local, semantics = self.local.kafka, self.semantics
        for spec in semantics.streams:
            if "observe" in self.roles:
                yield ObserveRole(kafka, semantics, spec.name, local, self.ends)
            if "gate" in self.roles and (spec.clean_topic or spec.quarantine_topic):
                yield GateRole(kafka, semantics, spec.name, local, self.ends)
        if "chart" in self.roles:
            every, most = self.local.snapshot_every, self.local.max_exported_series
            yield ChartRole(kafka, semantics, local, every, until_end=self.ends is not None, max_exported_series=most)
        if "notify" in self.roles:
            for receiver in self.local.receivers:
                built = sender.build(receiver, semantics, self.local.alerting.links)
                role = NOTIFIERS.get(receiver.kind, NotifyRole)
                yield role(kafka, semantics, built, self.local.alerting, local, until_end=self.ends is not None)

    def _start(self, roles: list[Role]) -> None:
        self._loops = [Loop(role, self.stopping, self._ended) for role in roles]
        log.info("started", roles=[role.name for role in roles], config=self.semantics.hash())
        for loop in self._loops:
            loop.start()
        threading.Thread(target=watch, args=(self._loops, self.stopping), name="watch", daemon=True).start()

    def _wait(self) -> None:
        """Wait for a signal, a failure, or the end of all roles."""
        while not self.stopping.is_set():
            self._ended.wait()
            self._ended.clear()
            if self._failure or any(loop.failure for loop in self._loops):
                return
            if self._loops and all(loop.finished for loop in self._loops):
                log.info("finished: every role has read to the end")
                if self.linger:
                    self.stopping.wait()
                return

    def _drain(self) -> bool:
        self.stopping.set()
        if self._failure is not None:
            raise self._failure
        deadline = time.monotonic() + self.local.drain
        late = [loop.role.name for loop in self._loops if not loop.join(max(0.0, deadline - time.monotonic()))]
        for loop in self._loops:
            if loop.failure is not None:
                raise Fatal(f"{loop.role.name}: {loop.failure}") from loop.failure
        if late:
            log.error("drain deadline exceeded", roles=late, seconds=self.local.drain)
        return not late


def verify_topics(kafka: Kafka, semantics: Semantics, local: Local) -> None:
    """Raise Fatal, with the cure, when a topic is missing or is not as it has to be."""
    admin = kafka.admin()
    try:
        foreign = {spec.topic for spec in semantics.streams} | {receiver.topic for receiver in local.receivers if receiver.topic}
        existing = admin.describe(foreign)
        if missing := sorted(foreign - set(existing)):
            raise Fatal(f"topics do not exist: {', '.join(missing)}. Create them, or correct `topic:` in the configuration.")
        wanted = plans(semantics, local.kafka, existing)
        faults = check(wanted, admin.describe([plan.name for plan in wanted]))
    finally:
        admin.close()
    if faults:
        raise Fatal("\n".join([*faults, "`streamspc topics create FILE` makes what is missing; `topics check FILE` says what is wrong."]))
