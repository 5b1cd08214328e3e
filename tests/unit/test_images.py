"""Cover images from the shop's folder or its web server; whatever is wrong with one, the item goes out."""

from __future__ import annotations

import os
import shutil
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from xml.etree import ElementTree

import pytest

from brekzsync.bootstrap.products import product_run
from brekzsync.bootstrap.state import state_of
from brekzsync.demo.folder import make_demo
from brekzsync.errors import AccessDenied
from brekzsync.flows.products.run import ExportOutcome, ExportRequest
from brekzsync.prestashop import images
from brekzsync.prestashop.images import NoImages, ShopImages
from brekzsync.settings import load_settings
from tests.exports import NOW

JPEG = b"\xff\xd8\xff\xe0 a picture \x00\x01\xff\xd9"


def put(folder: Path, id_image: int, data: bytes = JPEG) -> Path:
    """An image where PrestaShop keeps it."""
    path = folder.joinpath(*str(id_image), f"{id_image}.jpg")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


class Site(BaseHTTPRequestHandler):
    """A shop's web server: ``pages`` by path, as (status, body)."""

    pages: dict[str, tuple[int, bytes]]
    asked: list[str]
    moved: dict[str, str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path in self.moved:
            self.send_response(301)
            self.send_header("Location", self.moved[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status, body = self.pages.get(self.path, (404, b"<html>Oops</html>"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Silence."""


@pytest.fixture
def site() -> Iterator[tuple[str, type[Site]]]:
    """A server on loopback and what it serves."""
    handler = type("Handler", (Site,), {"pages": {}, "asked": [], "moved": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- the folder --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id_image", [7, 12, 123456])
def test_an_image_lies_under_the_digits_of_its_id(tmp_path: Path, id_image: int) -> None:
    put(tmp_path, id_image)
    folder = ShopImages(tmp_path, "")
    assert (folder.load(f"{id_image}.jpg"), folder.missing) == (JPEG, 0)


def test_no_name_is_no_image_and_is_not_missed(tmp_path: Path) -> None:
    folder = ShopImages(tmp_path, "")
    assert (folder.load(""), folder.missing) == (None, 0)


@pytest.mark.parametrize("obstacle", ["nothing", "no folder", "a folder", "a file on the way"])
def test_a_missing_image_is_none_and_counted(tmp_path: Path, obstacle: str) -> None:
    folder = tmp_path if obstacle != "no folder" else tmp_path / "gone"
    if obstacle == "a folder":
        (folder / "1/2/12.jpg").mkdir(parents=True)
    elif obstacle == "a file on the way":
        (folder / "1").write_bytes(b"")
    shop = ShopImages(folder, "")
    assert (shop.load("12.jpg"), shop.load("12.jpg"), shop.missing) == (None, None, 2)


def test_an_image_too_big_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", len(JPEG))
    put(tmp_path, 1)
    put(tmp_path, 2, JPEG + b"!")
    folder = ShopImages(tmp_path, "")
    assert (folder.load("1.jpg"), folder.load("2.jpg"), folder.missing) == (JPEG, None, 1)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything: be somebody else for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("closed", ["1/2/12.jpg", "1/2", "."])
def test_images_that_may_not_be_read_are_a_sentence_and_a_hint(closed: str) -> None:
    folder = Path(tempfile.mkdtemp())  # a test's own folder is closed to others already
    try:
        folder.chmod(0o755)
        put(folder, 12)
        (folder / closed).chmod(0)
        with as_nobody(), pytest.raises(AccessDenied) as refused:
            ShopImages(folder, "").load("12.jpg")
        (folder / closed).chmod(0o700)
    finally:
        shutil.rmtree(folder)
    assert refused.value.message == f"The image {folder}/1/2/12.jpg may not be read."
    assert (refused.value.exit_code, "[shop] image_dir" in refused.value.hint) == (77, True)


# --- the web server ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_image_is_fetched_from_the_shop(site: tuple[str, type[Site]], slash: str) -> None:
    url, shop = site
    shop.pages["/img/p/1/2/12.jpg"] = (200, JPEG)
    fetched = ShopImages(None, url + slash)
    assert (fetched.load("12.jpg"), fetched.missing) == (JPEG, 0)
    assert shop.asked == ["/img/p/1/2/12.jpg"]


@pytest.mark.parametrize("answer", [(404, b"no"), (403, b"no"), (500, b"oops"), (204, b"")])
def test_an_answer_without_an_image_is_none(site: tuple[str, type[Site]], answer: tuple[int, bytes]) -> None:
    url, shop = site
    shop.pages["/img/p/7/7.jpg"] = answer
    fetched = ShopImages(None, url)
    assert (fetched.load("7.jpg"), fetched.missing) == (None, 1)


def test_a_fetched_image_too_big_is_left_out(
    site: tuple[str, type[Site]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", len(JPEG))
    url, shop = site
    shop.pages |= {"/img/p/1/1.jpg": (200, JPEG), "/img/p/2/2.jpg": (200, JPEG * 1000)}
    fetched = ShopImages(None, url)
    assert (fetched.load("1.jpg"), fetched.load("2.jpg"), fetched.missing) == (JPEG, None, 1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "no-url", "ftp://127.0.0.1/", ""])
def test_a_shop_that_does_not_answer_is_no_image(url: str) -> None:
    fetched = ShopImages(None, url)
    assert (fetched.load("7.jpg"), fetched.missing) == (None, 1)


def test_the_folder_comes_before_the_web_server(tmp_path: Path, site: tuple[str, type[Site]]) -> None:
    put(tmp_path, 7)
    assert ShopImages(tmp_path, site[0]).load("7.jpg") == JPEG
    assert site[1].asked == []


def test_without_embedding_no_image_is_looked_for() -> None:
    assert (NoImages().load("7.jpg"), NoImages().missing) == (None, 0)  # type: ignore[func-returns-value]
    assert NoImages().batch > ShopImages(None, "").batch > 0


# --- an export that takes them along -----------------------------------------------------------------------


def export(folder: Path, environment: dict[str, str], **request: Any) -> ExportOutcome:
    """An export of the demo in ``folder``."""
    settings = load_settings(folder / "brekzsync.toml", environment)
    with state_of(settings) as state, product_run(settings, "exact", state, None) as run:
        return run.execute(ExportRequest(**request), lambda _total: nullcontext(lambda _count: None))


def pictures(outbox: Path) -> dict[str, tuple[str | None, bytes | None]]:
    """The name and the bytes of each item's image, by item code."""
    found = {}
    for path in (*outbox.glob("items/*.xml"), *outbox.glob("items-*.xml")):
        for item in ElementTree.parse(path).iterfind(".//Item[@searchcode]"):
            data = item.findtext("Image/BinaryData")
            found[item.get("code", "")] = (item.findtext("Image/Name"), data and b64decode(data))
    return found


@pytest.mark.parametrize("bulk", [False, True])
@pytest.mark.parametrize("source", ["folder", "server"])
def test_embedded_images_go_out_with_their_items_and_a_missing_one_stops_none(
    tmp_path: Path, site: tuple[str, type[Site]], bulk: bool, source: str
) -> None:
    folder = tmp_path / "demo"
    make_demo(folder, NOW)
    environment = {"BREKZSYNC_EXACT_XML__EMBED_IMAGES": "true"}
    if source == "folder":
        put(folder / "img", 12, b"own")
        put(folder / "img", 11, b"cover")
        environment["BREKZSYNC_SHOP__IMAGE_DIR"] = str(folder / "img")
    else:
        site[1].pages |= {"/img/p/1/2/12.jpg": (200, b"own"), "/img/p/1/1/11.jpg": (200, b"cover")}
        environment["BREKZSYNC_SHOP__URL"] = site[0]

    tally = export(folder, environment, bulk=bulk, ids=("1", "7", "26")).tally

    assert (tally.delivered, tally.failed, tally.warnings["image_missing"]) == (6, 0, 1)
    assert pictures(folder / "outbox") == {
        "LL-NW-RD-M": ("12.jpg", b"own"),
        "LL-NW-RD-L": ("12.jpg", b"own"),
        "LL-NW-BL-M": ("11.jpg", b"cover"),
        "LL-NW-BL-L": ("11.jpg", b"cover"),
        "EEND": ("71.jpg", None),
        "BON-25": (None, None),
    }


def test_a_redirect_to_the_shops_secure_address_is_followed(site: tuple[str, type[Site]]) -> None:
    site[1].pages |= {"/img/p/7/7.jpg": (200, b"there")}
    site[1].moved = {"/old/img/p/7/7.jpg": f"{site[0]}/img/p/7/7.jpg"}
    assert ShopImages(None, f"{site[0]}/old").load("7.jpg") == b"there"


def test_embedding_images_changes_every_document_and_so_sends_it_again(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    make_demo(folder, NOW)
    export(folder, {}, ids=("7",))
    assert export(folder, {"BREKZSYNC_EXACT_XML__EMBED_IMAGES": "true"}, ids=("7",)).tally.delivered == 1


def test_without_embedding_only_names_go_out(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    make_demo(folder, NOW)
    put(folder / "img", 71)
    export(folder, {"BREKZSYNC_SHOP__IMAGE_DIR": str(folder / "img")}, ids=("7",))
    assert pictures(folder / "outbox") == {"EEND": ("71.jpg", None)}
