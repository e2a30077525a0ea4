"""The answers that a proxy looks for are found wherever the stream is cut, and nothing else is taken for one."""

import itertools
import struct

from hypothesis import given
from hypothesis import strategies as st

from bench.drill.protocols import CommitWatch, EndTxnWatch, Frames

PRODUCE, END_TXN = 0, 26


def completed(tag: bytes) -> bytes:
    return b"C" + struct.pack(">i", len(tag) + 5) + tag + b"\0"


def row(data: bytes) -> bytes:
    return b"D" + struct.pack(">i", len(data) + 4) + data


def request(kind: int, correlation: int) -> bytes:
    body = struct.pack(">hhi", kind, 3, correlation) + b"client"
    return struct.pack(">i", len(body)) + body


def answer(correlation: int, body: bytes = b"") -> bytes:
    return struct.pack(">ii", 4 + len(body), correlation) + body


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    return [stream[start:end] for start, end in itertools.pairwise(places)]


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(min_value=0)))
def test_frames_are_whole_however_the_stream_is_cut(bodies: list[bytes], cuts: list[int]) -> None:
    messages = [row(body) for body in bodies]
    frames = Frames(type_bytes=1, counts_itself=True)
    assert [frame for piece in pieces(b"".join(messages), cuts) for frame in frames.feed(piece)] == messages


@given(st.lists(st.integers(min_value=0)))
def test_only_the_completion_of_a_commit_is_one(cuts: list[int]) -> None:
    messages = [row(completed(b"COMMIT")), completed(b"BEGIN"), completed(b"COMMIT"), completed(b"COMMIT PREPARED")]
    watch = CommitWatch()
    found = [one for piece in pieces(b"".join(messages), cuts) for one in watch.answered(piece)]
    assert found == list(zip(messages, [False, False, True, False], strict=True))


@given(st.lists(st.integers(min_value=0)))
def test_only_the_answer_with_its_request_s_number_is_one(cuts: list[int]) -> None:
    watch = EndTxnWatch()
    asked = request(PRODUCE, 26) + request(END_TXN, 27) + request(PRODUCE, 28)
    for piece in pieces(asked, cuts):
        watch.asked(piece)
    answers = [answer(26, struct.pack(">i", 27)), answer(27), answer(28)]
    found = [one for piece in pieces(b"".join(answers), cuts) for one in watch.answered(piece)]
    assert found == list(zip(answers, [False, True, False], strict=True))
    assert watch.answered(answer(27)) == [(answer(27), False)]
