"""A StatsD server that adds up what it is told."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from typing import Self

_END = b"end"


class StatsD:
    """Receives counters on a free loopback port, each with its tags in the name, as InfluxDB's variant writes them."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._counters: Counter[str] = Counter()
        self._seen = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._receive, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def counters(self, prefix: str) -> Counter[str]:
        """Return the sums of the counters whose names begin with a prefix, by the rest of the name."""
        # What has come in before this is counted when it comes back.
        self._socket.sendto(_END, ("127.0.0.1", self.port))
        assert self._seen.acquire(timeout=30)
        return Counter(
            {key.removeprefix(prefix): value for key, value in self._counters.items() if key.startswith(prefix)}
        )

    def _receive(self) -> None:
        while True:
            try:
                packet = self._socket.recv(65536)
            except OSError:  # It is closed.
                return
            if packet == _END:
                self._seen.release()
                continue
            for line in packet.decode().splitlines():
                name, _, value = line.rpartition(":")
                number, kind = value.split("|")[:2]
                if kind == "c":
                    self._counters[name] += float(number)
