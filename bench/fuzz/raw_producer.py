"""Writes records with header names that are no text, as clients in other languages may: ours takes only str."""

import ctypes
from pathlib import Path
from typing import Any, Final

import confluent_kafka

_PRODUCER: Final = 0
_FLUSH_MS: Final = 10_000
# Tags of rd_kafka_producev's arguments (rdkafka.h, rd_kafka_vtype_t), and RD_KAFKA_MSG_F_COPY.
_END, _TOPIC, _VALUE, _KEY, _FLAGS, _HEADER = 0, 1, 4, 5, 7, 9
_COPY: Final = 2


class RawProducer:
    """librdkafka itself, without the client's Python."""

    def __init__(self, bootstrap_servers: str) -> None:
        (file,) = Path(confluent_kafka.__file__).parent.parent.glob("confluent_kafka.libs/librdkafka*.so*")
        self._library: Any = ctypes.CDLL(str(file))
        for name in ("rd_kafka_conf_new", "rd_kafka_new"):
            getattr(self._library, name).restype = ctypes.c_void_p
        why = ctypes.create_string_buffer(512)
        settings = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        pair = (b"bootstrap.servers", bootstrap_servers.encode())
        assert self._library.rd_kafka_conf_set(settings, *pair, why, ctypes.c_size_t(512)) == 0, why.value
        self._client = ctypes.c_void_p(self._library.rd_kafka_new(_PRODUCER, settings, why, ctypes.c_size_t(512)))
        assert self._client.value, why.value

    def send(self, topic: str, key: bytes, value: bytes, header_name: bytes) -> None:
        """Write one record with one header of that name; returns when the broker has it."""
        failed = self._library.rd_kafka_producev(
            self._client,
            *(_TOPIC, topic.encode()),
            *(_KEY, key, ctypes.c_size_t(len(key))),
            *(_VALUE, value, ctypes.c_size_t(len(value))),
            *(_FLAGS, _COPY),
            *(_HEADER, header_name, b"kept", ctypes.c_ssize_t(4)),
            _END,
        )
        assert failed == 0
        assert self._library.rd_kafka_flush(self._client, _FLUSH_MS) == 0

    def close(self) -> None:
        """End its threads."""
        self._library.rd_kafka_destroy(self._client)
