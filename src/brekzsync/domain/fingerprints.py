"""Fingerprints: how a change is noticed without remembering when."""

from __future__ import annotations

from hashlib import blake2b


class Fingerprinter:
    """Fingerprints: 128 bits over what the target would receive, plus the source's own ``date_upd`` values.

    ``layout`` is the digest of the document settings (at most 64 bytes): another currency or price list
    makes every document say something else.
    """

    def __init__(self, layout: bytes) -> None:
        self._keyed = blake2b(digest_size=16, key=layout)  # copied each time: keying costs as much as hashing

    def of(self, stored: str, resaved: bytes) -> bytes:
        """The fingerprint of an item (``Item.stored``) whose product was last saved as ``resaved`` says."""
        digest = self._keyed.copy()
        digest.update(stored.encode("utf-8", "surrogatepass"))
        digest.update(resaved)
        return digest.digest()
