"""Cover images: files under the shop's image folder, else fetched from the shop."""

from __future__ import annotations

from pathlib import Path

from brekzsync.errors import AccessDenied

MAX_BYTES = 10 * 1024 * 1024
MAX_HELD = 20  # images in memory at once
TIMEOUT = 10.0  # seconds for one image


class ShopImages:
    """Loads an image by its name ``<id_image>.jpg``; a missing or unreachable one is None.

    Files lie at ``<image_dir>/1/2/12.jpg`` for id 12, and are served at ``<url>/img/p/1/2/12.jpg``.
    An image never stops an item: without it the name alone is sent.
    """

    def __init__(self, image_dir: Path | None, url: str) -> None:
        self._image_dir = image_dir
        self._url = url.rstrip("/")
        self.missing = 0
        self.batch = MAX_HELD

    def load(self, name: str) -> bytes | None:
        """The image's bytes. Raises AccessDenied when the folder itself may not be read."""
        if not name:
            return None
        digits = name.removesuffix(".jpg")
        path = "/".join((*digits, name))
        data = self._read(path) if self._image_dir else self._fetch(path)
        if data is None:
            self.missing += 1
        return data

    def _read(self, path: str) -> bytes | None:
        assert self._image_dir is not None
        file = self._image_dir / path
        try:
            return file.read_bytes() if file.stat().st_size <= MAX_BYTES else None
        except FileNotFoundError:
            return None
        except PermissionError:
            raise AccessDenied(
                f"The image {file} may not be read.",
                hint="Give the user brekzsync runs as the right to read [shop] image_dir.",
            ) from None
        except OSError:
            return None

    def _fetch(self, path: str) -> bytes | None:
        if not self._url:
            return None
        import httpx2

        try:
            with httpx2.stream(
                "GET", f"{self._url}/img/p/{path}", timeout=TIMEOUT, follow_redirects=True
            ) as response:
                if response.status_code != 200:
                    return None
                data = bytearray()
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > MAX_BYTES:
                        return None
                return bytes(data)
        except httpx2.HTTPError:
            return None


class NoImages:
    """Only the image's name is sent."""

    missing = 0
    batch = 2000

    def load(self, _name: str) -> None:
        """Nothing."""
        return
