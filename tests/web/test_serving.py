"""The service's processes: how they start, are told to stop, are killed, and what is lost by it (nothing)."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.serving import BEARER, TOKEN, Serving, children_of, kill, serving, serving_here, until
from tests.web.conftest import Served, raise_price


@pytest.fixture
def served(demo: Served) -> Served:
    return demo


@contextmanager
def asking(service: Serving, path: str) -> Iterator[socket.socket]:
    """A connection on which a request was sent and nothing is read unless the test does."""
    host, _, port = service.address.removeprefix("http://").partition(":")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect((host, int(port)))
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
        )
        yield connection


def make_many(served: Served, count: int) -> None:
    """So many simple products that their documents do not fit into what lies between two programs."""
    served.sql(
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        " INSERT INTO ps_product (id_product, reference, ean13, weight, state, id_manufacturer, date_upd)"
        " SELECT 100000 + i, 'MANY-' || i, '', 1, 1, 0, '2026-01-01 00:00:00' FROM n"
    )
    served.sql(
        "INSERT INTO ps_product_shop (id_product, id_shop, active, price, id_tax_rules_group, id_category_default,"
        " date_upd) SELECT id_product, id_shop, 1, 10, 0, 0, '2026-01-01 00:00:00'"
        " FROM ps_product, (SELECT MIN(id_shop) AS id_shop FROM ps_shop) WHERE id_product > 100000"
    )
    served.sql(
        "INSERT INTO ps_product_lang (id_product, id_shop, id_lang, name)"
        " SELECT id_product, id_shop, id_lang, 'Een heel lange naam voor een heel klein product'"
        " FROM ps_product, (SELECT DISTINCT id_shop, id_lang FROM ps_product_lang) WHERE id_product > 100000"
    )


def test_the_service_answers_and_stops_when_it_is_told_to(served: Served) -> None:
    with serving(served.installation) as service:
        service.import_("1-101")
        assert service.stop() == 0
    assert service.said == [f"Serving at {service.address} until it is told to stop.\n"]


def test_two_processes_answer_as_one(served: Served) -> None:
    with serving(served.installation, "--workers", "2") as service:
        keys = [entry["id"] for entry in service.index("?preview=1")]
        failures: list[str] = []

        def fetch_some(mine: list[str]) -> None:
            for key in mine:
                answer = service.client.get(f"/exact/products/{key}", headers={"Connection": "close"})
                if answer.status_code != 200:
                    failures.append(answer.text)

        threads = [threading.Thread(target=fetch_some, args=(keys[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = service.report(*({"id": key, "status": "imported"} for key in keys))

        assert failures == []
        assert told["settled"] == len(keys)
        assert len(children_of(service.process.pid if service.process else 0)) == 2
        counted = [
            float(line.rpartition(" ")[2])
            for line in service.client.get("/metrics").text.splitlines()
            if line.startswith("brekzsync_http_requests_total") and "{key}" in line
        ]
        assert sum(counted) == len(keys)  # whichever process is asked
        assert service.stop() == 0


def test_a_killed_process_is_replaced_and_nothing_is_lost(served: Served) -> None:
    with serving(served.installation, "--workers", "2") as service:
        assert service.process is not None
        keys = [entry["id"] for entry in service.index("?preview=1")]
        service.import_(*keys[:2])
        before = children_of(service.process.pid)
        for child in before:
            kill(child)

        until(lambda: len(set(children_of(service.process.pid if service.process else 0)) - set(before)) == 2)
        until(lambda: not_refused(service))

        assert service.pending() == set(keys[2:])
        service.import_(*keys[2:])
        assert service.pending() == set()


def not_refused(service: Serving) -> bool:
    import httpx2

    try:
        return service.client.get("/health").status_code == 200
    except httpx2.TransportError:
        return False


def test_a_service_that_was_killed_goes_on_where_it_was(served: Served) -> None:
    with serving(served.installation) as service:
        assert service.process is not None
        service.import_("1-101")
        service.fetch("1-102")
        kill(service.process.pid)
        service.process.wait()

    with serving_here(served.installation) as service:
        pending = service.pending()
        assert not {"1-101", "1-102"} & pending
        assert "1-103" in pending
        assert service.report({"id": "1-102", "status": "imported"})["settled"] == 1


def test_no_process_outlives_the_one_that_started_it(served: Served) -> None:
    with serving(served.installation, "--workers", "2") as service:
        assert service.process is not None
        assert len(children_of(service.process.pid)) == 2
        kill(service.process.pid)
        service.process.wait()

        until(lambda: refused(service))


def test_what_is_being_sent_is_finished_and_nothing_new_is_taken(served: Served) -> None:
    make_many(served, 5000)
    with serving(served.installation) as service, asking(service, "/exact/products.xml?limit=5000") as slow:
        assert service.process is not None
        received = slow.recv(1000)
        service.process.terminate()
        until(lambda: refused(service))
        while not received.endswith(b"</eExact>\n"):
            piece = slow.recv(1 << 16)
            assert piece, "the document broke off"
            received += piece

        head, _, body = received.partition(b"\r\n\r\n")
        service.validated(body)
        assert f"content-length: {len(body)}".encode() in head
        assert service.process.wait(20) == 0


def refused(service: Serving) -> bool:
    host, _, port = service.address.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return True
    return False


# --- sent is acknowledged, where the configuration says so ---------------------------------------------------


def test_what_was_sent_whole_is_acknowledged(served: Served) -> None:
    served.installation.set("products", acknowledge="delivery")
    with serving_here(served.installation) as service:
        service.fetch("1-101")
        (first, *_) = service.bulk("?limit=1")

        until(lambda: service.is_synced("1-101") and service.is_synced("1-102"))
        assert first.code
        assert not {"1-101", "1-102"} & service.pending()
        raise_price(served, "1-101")
        assert "1-101" in service.pending()


def test_what_was_sent_to_nobody_is_not_acknowledged_and_returns(served: Served) -> None:
    served.installation.set("products", acknowledge="delivery")
    served.installation.set("serve", lease="1s")
    make_many(served, 5000)
    with serving_here(served.installation, send_buffer=16_384) as service:
        keys = service.pending()
        with asking(service, "/exact/products.xml?limit=5000") as broken:
            broken.recv(1000)
        time.sleep(0.5)

        assert not service.is_synced("1-101")
        until(lambda: service.pending() == keys)


def test_what_nobody_reports_on_returns_when_its_lease_is_over(served: Served) -> None:
    served.installation.set("serve", lease="1s")
    with serving_here(served.installation) as service:
        service.fetch("1-101")
        assert "1-101" not in service.pending()
        until(lambda: "1-101" in service.pending())


# --- what is checked before it listens -----------------------------------------------------------------------


def test_nothing_is_served_beyond_this_machine_without_a_token(served: Served) -> None:
    served.installation.set("serve", exact_token="")

    said = served.installation.cli("--json", "serve", "--host", "0.0.0.0", "--port", "0")

    assert said.code == 78
    assert json.loads(said.out)["error"]["code"] == "token_needed"


def test_without_a_state_nothing_is_served(served: Served) -> None:
    served.installation.set("state", database="sqlite:///none.db")

    said = served.installation.cli("--json", "serve", "--port", "0")

    assert said.code == 78
    assert json.loads(said.out)["error"]["code"] == "state_missing"
    assert not (served.installation.folder / "none.db").exists()


def test_a_port_that_is_taken_is_told(served: Served) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = served.installation.cli("--json", "serve", "--port", str(taken.getsockname()[1]))

    assert said.code == 69
    assert json.loads(said.out)["error"]["code"] == "port_taken"


def test_an_address_of_another_machine_is_told(served: Served) -> None:
    said = served.installation.cli("--json", "serve", "--host", "192.0.2.1", "--port", "0")

    assert said.code == 78
    assert json.loads(said.out)["error"]["code"] == "cannot_listen"


def test_with_json_one_document_tells_where_it_was_when_it_has_ended(served: Served) -> None:
    process = subprocess.Popen(
        served.installation.command("--json", "serve", "--port", "18765"),
        cwd=served.installation.folder,
        env=served.installation.process_environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    until(lambda: answers_at(18765))
    process.terminate()

    out, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert json.loads(out) == {
        "schema_version": 1,
        "command": "serve",
        "ok": True,
        "address": "http://127.0.0.1:18765",
    }


def answers_at(port: int) -> bool:
    import httpx2

    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health", headers=BEARER).status_code == 200
    except httpx2.TransportError:
        return False
