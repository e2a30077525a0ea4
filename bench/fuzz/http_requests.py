"""Hostile HTTP requests, drawn from a seed: every route of the document, with values that fit, nearly fit, or do not.

Pure. A request is the bytes that go over the wire, and what the document calls it.
"""

import json
import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

_METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "get", "BREW")
_CLONE: Final = "/v1/content/{containerId}/clone-from-post"
_TEXTS: Final = (
    *(
        "",
        " ",
        "0",
        "-1",
        "null",
        "true",
        "undefined",
        "%00",
        "%0d%0aX-Evil:%201",
        "%ff%fe",
        "%",
        "%zz",
        "..%2f..%2fetc",
    ),
    *("' OR 1=1--", "${jndi:x}", "<script>", "\u202e", "\U0001f680", "İ", "A" * 200, "A" * 4_000, "{}", "[]", "1e309"),
    *("job_", "job_x", "cnt_" + "0" * 32, "0" * 36, str(uuid.UUID(int=0)), "9" * 40, "2026-13-45T99:99:99Z", "\x00"),
)
_VALUES: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    11,
    2**31,
    2**63,
    2**64,
    10**400,
    1.5,
    1e308,
    "",
    "x",
    [],
    {},
    [None],
    {"a": {}},
)
_HEADER_TEXTS: Final = (
    *(
        "",
        "wait=1",
        "wait=-1",
        "wait=99999",
        "wait=x",
        '"x"',
        "*",
        'W/"1"',
        "bytes=0-",
        "bytes=5-1",
        "bytes=-0",
        "bytes=x",
    ),
    *("bytes=0-0,2-3", "bytes=" + "9" * 50 + "-", "\xff\xfe", "a" * 255, "a" * 256, "a" * 6_000, "1", "-1", "\t", "é"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """`template` is a path of the document, or "" where none is meant; `streams`: the answer may have no end."""

    method: str
    template: str
    data: bytes
    how: str
    streams: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What is really there: keys that are good (and one with few rights), ids, and a body that is accepted."""

    keys: Sequence[str]
    ids: Mapping[str, Sequence[str]]
    bodies: Sequence[Mapping[str, Any]]


def hostile_requests(seed: int, document: Mapping[str, Any], known: Known) -> Iterator[Request]:
    """Requests without end."""
    draw = _Drawer(random.Random(f"requests/{seed}"), document, known)  # noqa: S311 -- repeatable on purpose
    while True:
        yield draw.request()


class _Drawer:
    def __init__(self, source: random.Random, document: Mapping[str, Any], known: Known) -> None:
        self._source = source
        self._known = known
        self._operations = [
            (method.upper(), template, operation)
            for template, operations in document["paths"].items()
            for method, operation in operations.items()
        ]
        # One route takes bodies, and has most to go wrong in.
        self._operations += [one for one in self._operations if one[1] == _CLONE] * 8

    def request(self) -> Request:
        source = self._source
        chance = source.random()
        if chance < 0.03:
            return Request("", "", self._malformed(), "malformed HTTP")
        if chance < 0.06:
            path = source.choice(
                ("/", "/v1", "/v2/jobs", "/v1/jobs/", "//v1//jobs", "/v1/../metrics", "/" + self._text())
            )
            return self._written(source.choice(_METHODS[:5]), "", path, [], b"", "no route")
        method, template, operation = source.choice(self._operations)
        how = "as documented"
        if source.random() < 0.04:
            method, how = source.choice(_METHODS), "any method"
        odd = source.random() < 0.5
        path = self._path(template, odd) + self._query(operation)
        headers = self._headers(operation)
        body = b""
        if template == _CLONE and method == "POST":
            how, body, more = self._body()
            headers += more
        elif source.random() < 0.02:
            body = source.randbytes(source.randrange(300))
        return self._written(method, template, path, headers, body, how)

    def _written(
        self, method: str, template: str, path: str, headers: list[tuple[str, str]], body: bytes, how: str
    ) -> Request:
        headers = [("Host", "127.0.0.1"), *self._key(), *headers]
        names = {name.lower() for name, _ in headers}
        if "transfer-encoding" in names:
            size = max(1, len(body) // 3)
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        elif "content-length" not in names and (body or method == "POST"):
            headers.append(("Content-Length", str(len(body))))
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
        return Request(method, template, head.encode("latin-1", "replace") + body, how, template.endswith("/events"))

    def _path(self, template: str, odd: bool) -> str:
        parts = []
        for part in template.split("/"):
            if not part.startswith("{"):
                parts.append(part)
                continue
            there = self._known.ids.get(part[1:-1], ())
            if odd or not there:
                parts.append(self._text() if self._source.random() < 0.5 else str(self._uuid()))
            else:
                parts.append(self._source.choice(there))
        return "/".join(parts)

    def _query(self, operation: Mapping[str, Any]) -> str:
        names = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
        pairs = [f"{name}={self._text()}" for name in names if self._source.random() < 0.4]
        if self._source.random() < 0.05:
            pairs += [f"{self._text()}={self._text()}"] * self._source.choice((1, 30))
        return "?" + "&".join(pairs) if pairs else ""

    def _headers(self, operation: Mapping[str, Any]) -> list[tuple[str, str]]:
        names = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "header"]
        found = [(name, self._source.choice(_HEADER_TEXTS)) for name in names if self._source.random() < 0.25]
        if self._source.random() < 0.1:
            found.append((self._source.choice(("Accept", "traceparent", "X-Request-Id", "Expect", "Cookie")), "x\xff"))
        return found

    def _key(self) -> list[tuple[str, str]]:
        chance = self._source.random()
        if chance < 0.15:
            return []
        if chance < 0.25:
            bad = self._source.choice(("", "x", "lp_test_0000_00", "lp_live_" + "f" * 81, "\xff" * 20, "A" * 3_000))
            return [(self._source.choice(("X-Api-Key", "Authorization")), self._source.choice(("", "Bearer ")) + bad)]
        key = self._source.choice(self._known.keys)
        if chance < 0.35:
            return [("Authorization", f"Bearer {key}")]
        return [("X-Api-Key", key)]

    def _body(self) -> tuple[str, bytes, list[tuple[str, str]]]:
        source = self._source
        good = dict(source.choice(self._known.bodies))
        more = [("Content-Type", "application/json")]
        if source.random() < 0.05:
            more = [
                ("Content-Type", source.choice(("text/plain", "application/xml", "", "application/json; charset=x")))
            ]
        if source.random() < 0.05:
            more.append(source.choice((("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip"))))
        kinds: list[tuple[str, Callable[[], bytes]]] = [
            ("a good body", lambda: json.dumps(good).encode()),
            ("a field changed", lambda: json.dumps(self._changed(good)).encode()),
            ("fields changed", lambda: json.dumps(self._changed(self._changed(self._changed(good)))).encode()),
            ("bytes changed", lambda: self._flipped(json.dumps(good).encode())),
            ("cut", lambda: json.dumps(good).encode()[: source.randrange(80)]),
            ("noise", lambda: source.randbytes(source.randrange(200))),
            ("nested", lambda: source.choice((b"[", b'{"a":', b'[{"a":')) * source.choice((10, 100, 9_000))),
            ("long", lambda: b'{"projectId":"' + b"A" * source.choice((1_000, 65_500, 66_000, 200_000)) + b'"}'),
            ("keys twice", lambda: json.dumps(good).encode()[:-1] + b',"projectId":"x"}'),
            (
                "odd JSON",
                lambda: source.choice((b"NaN", b"null", b"[]", b'"x"', b"{}", b"1e999", b"\xef\xbb\xbf{}", b"{\xff}")),
            ),
        ]
        how, make = source.choice(kinds)
        return how, make(), more

    def _changed(self, body: Mapping[str, Any]) -> dict[str, Any]:
        source = self._source
        names = [*body, "projectLayerId", "variations", "mode", "overrides", "unknown"]
        value: Any = source.choice((*_VALUES, *_TEXTS, source.choice(_VALUES)))
        name = source.choice(names)
        if name == "overrides" and source.random() < 0.7:
            value = {source.choice(("caption", "cta", "voiceOverScript", "x")): value}
        return {**body, name: value}

    def _flipped(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._source.randint(1, 6)):
            changed[self._source.randrange(len(changed))] = self._source.randrange(256)
        return bytes(changed)

    def _text(self) -> str:
        """Text that may stand in a path or a query: quoted, but for what is quoted oddly on purpose."""
        text = self._source.choice((*_TEXTS, str(self._uuid())))
        return text if "%" in text else quote(text, safe="")

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self._source.getrandbits(128))

    def _malformed(self) -> bytes:
        source = self._source
        good = b"GET /v1/whoami HTTP/1.1\r\nHost: x\r\n"
        return source.choice(
            (
                source.randbytes(source.randrange(1, 300)),
                b"GET\r\n\r\n",
                b"GET / HTTP/9.9\r\n\r\n",
                b"GET / HTTP/1.1\nHost: x\n\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + source.randbytes(60),
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                good + b"X" * 70_000 + b": 1\r\n\r\n",
                good + b"a: b\r\n" * 3_000 + b"\r\n",
                good + b"Content-Length: -1\r\n\r\n",
                good + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
                good + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                good + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n",
                good + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
                good + b" folded: x\r\n\r\n",
                good + b"X-Api-Key: \x00\x01\r\n\r\n",
                good + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
                b"GET " + b"/a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                b"GET http://evil/v1/whoami HTTP/1.1\r\nHost: evil\r\n\r\n",
                b"POST /v1/content/x/clone-from-post HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nshort",
                (good + b"\r\n") * 20,
            )
        )
