"""Kafka's default partitioner: murmur2 of the key, as every Java client and librdkafka's murmur2_random compute it."""

import struct

_MASK = 0xFFFFFFFF
_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a keyed record in a topic with that many partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """The 32-bit murmur2 hash with Kafka's seed, unsigned."""
    length = len(data)
    value = (_SEED ^ length) & _MASK
    whole = length - length % 4
    for word in struct.unpack(f"<{whole // 4}I", data[:whole]):
        chunk = word * _MULTIPLIER & _MASK
        # Both products at once: one mask for the two.
        value = (value * _MULTIPLIER ^ (chunk ^ chunk >> 24) * _MULTIPLIER) & _MASK
    if whole < length:
        value = (value ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER & _MASK
    value = (value ^ value >> 13) * _MULTIPLIER & _MASK
    return value ^ value >> 15
