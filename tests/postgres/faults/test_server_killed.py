"""The server is killed, or a connection is cut: committed vectors are there afterwards, and the work goes on."""

from __future__ import annotations

import math
import random
import selectors
import socket
import threading

import psycopg

from tests.postgres.faults.drill import FaultDatabase, wait_until
from tests.postgres.vector_server import ADMINISTRATOR, Connection


class Line:
    """A line to the server, over TCP, that can be cut: neither end is told."""

    def __init__(self, db: FaultDatabase) -> None:
        info = db.conn.info
        self._server = f"{info.host}/.s.PGSQL.{info.port}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pair: list[socket.socket] = []
        self._cut = threading.Event()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1 that leads to the server."""
        return int(self._listener.getsockname()[1])

    def _carry(self) -> None:
        near, _ = self._listener.accept()
        far = socket.socket(socket.AF_UNIX)
        far.connect(self._server)
        self._pair = [near, far]
        with selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while not self._cut.is_set():
                for key, _ in selector.select(0.01):
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                    if not data:
                        return
                    key.data.sendall(data)

    def cut(self) -> None:
        """Close both ends with a reset, as a lost network does in the end."""
        self._cut.set()
        self._thread.join()
        for end in self._pair:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            end.close()
        self._listener.close()

    def connect(self, db: FaultDatabase) -> Connection:
        """Connect to a database through the line."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=ADMINISTRATOR, dbname=db.name, sslmode="disable", autocommit=True
        )


def test_a_line_that_is_cut_at_any_step_costs_at_most_a_batch(docs: FaultDatabase, dice: random.Random) -> None:
    docs.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, %s) AS g", [docs.batch * 3])
    for gate in dice.sample(["call", "answer", "settle"], 3):
        line = Line(docs)
        worker = docs.worker(gate, through=line.connect)
        worker.wait_at(gate)
        line.cut()
        worker.end_without_session()
        # Its session works on, hears of the cut when it has something to say, and ends.
        worker.wait_for_session()
        assert docs.rows_wrong() == []
        docs.execute("UPDATE docs SET body = %s || id", [f"after {gate} "])
    docs.end()


def test_the_server_is_killed_in_mid_run_and_goes_on(docs: FaultDatabase, dice: random.Random) -> None:
    with docs.server.durable():
        rows = docs.batch * 16
        docs.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, %s) AS g", [rows])
        docs.mend(latency=0.005)
        workers = dice.randint(2, 4)
        kills = dice.randint(1, 2)
        for step in range(kills):
            running = [docs.worker() for _ in range(workers)]
            wait_until(lambda step=step: docs.status()["embedded"] >= rows * (step + 1) / 4, "some rows are embedded")  # type: ignore[misc]
            docs.execute("UPDATE docs SET body = %s || id WHERE mod(id, 10) = 0", [f"written before kill {step} "])
            done = docs.rows("SELECT k1 FROM vectorize_jobs.receipt_1 WHERE embedded")
            docs.server.kill()
            for worker in running:
                worker.gone()
            docs.reconnect()
            # What a session saw committed is there: texts, vectors, receipts.
            assert set(done) - set(docs.rows("SELECT k1 FROM vectorize_jobs.receipt_1 WHERE embedded")) == set()
            lost = docs.rows(
                "SELECT id FROM docs WHERE mod(id, 10) = 0 AND body <> %s || id", [f"written before kill {step} "]
            )
            assert lost == []
        # A batch each; and of the rows that changed, those that were claimed while the change was being committed.
        changing = math.ceil(docs.batch / 10)
        docs.end(twice=kills * workers * (docs.batch + changing))


def test_the_server_is_killed_while_a_vector_is_written(docs: FaultDatabase) -> None:
    with docs.server.durable():
        docs.execute("INSERT INTO docs SELECT g, 'text ' || g FROM generate_series(1, %s) AS g", [docs.batch * 2])
        worker = docs.worker("settle")
        worker.wait_at("settle")
        docs.server.kill()
        worker.gone()
        docs.reconnect()
        assert docs.value("SELECT count(*) FROM vectorize_jobs.receipt_1") == 0
        docs.end(twice=docs.batch)
