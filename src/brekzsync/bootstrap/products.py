"""Products: what a run of ``products export`` is put together from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from brekzsync.bootstrap.reading_back import reading_back
from brekzsync.bootstrap.state import spare_the_garbage_collector, utc_now
from brekzsync.bulk_writer import BulkOrder, BulkWriter
from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.items import Item, moment_text, version_text
from brekzsync.domain.keys import ProductKey
from brekzsync.domain.products import ItemMapper, ItemRules, vat_key
from brekzsync.errors import ConfigurationError
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.eexact.items import ItemWriter
from brekzsync.exact.eexact.layout import Assortment, ItemLayout
from brekzsync.exact.index import IndexEntry
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.outbox import Outbox
from brekzsync.flows.products.run import FLOW, ItemMapping, ProductRun
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.images import NoImages, ShopImages
from brekzsync.prestashop.shop import OpenShop, Shop, ShopOptions
from brekzsync.state.database import State
from brekzsync.state.ledger import Ledger
from brekzsync.state.staging import staged_batches

if TYPE_CHECKING:
    from brekzsync.settings import Settings

DIGEST_FORM = 1
"""Raised when the same shop row and configuration would make another item than in the release before."""


@contextmanager
def product_run(settings: Settings, target: str, state: State, output: Path | None) -> Iterator[ProductRun]:
    """A run of ``products export`` for one target, put together; ``output`` overrides the outbox folder."""
    own = settings.for_target(target)
    if own.products.channel != "files":
        raise ConfigurationError(
            f"Target {target} takes its products over HTTP ([products] channel), so no files are written for it.",
            hint='Let Exact fetch them from `brekzsync serve`, or set channel = "files".',
            code="other_channel",
        )
    shop = Shop(ShopDatabase(own.shop.database.get_secret_value()), shop_options(own))
    ledger = state.ledger(FLOW, target)
    outbox = Outbox(output or own.products.output)

    def entries(keys: Sequence[ProductKey]) -> Iterator[IndexEntry]:
        return _entries(ledger, keys)

    # Nobody can report on what was taken from an outbox: it is looked for as soon as it is out.
    reading = reading_back(own, ledger.served, lease=None)
    spare_the_garbage_collector()
    try:
        yield ProductRun(
            target=target,
            clock=utc_now,
            locks=state.locks,
            runs=state.runs,
            ledger=ledger,
            served=ledger.served,
            exclusions=state.exclusions.all,
            open_shop=cast(Any, shop.open),  # its catalogue takes its own records back, not any
            mapping=lambda opened: item_mapping(own, cast(OpenShop, opened)),
            outbox=outbox,
            write_index=lambda now: outbox.write_index(entries, now),
            bulk_writer=lambda run, mapping, yesterday: BulkWriter(
                BulkOrder(outbox.directory, run, cast(ItemWriter, mapping.writer).layout, yesterday)
            ),
            staged_batches=staged_batches,
            images=ShopImages(own.shop.image_dir, own.shop.url) if own.exact_xml.embed_images else NoImages(),
            lease=own.serve.lease if own.products.acknowledged_by == "result" else None,
            held_codes=_held_codes(own),
            bundle_components_too=own.products.bundle_components == "export",
            read_back=reading.all if reading else lambda _now: 0,
        )
    finally:
        shop.dispose()


def _entries(ledger: Ledger, keys: Sequence[ProductKey]) -> Iterator[IndexEntry]:
    """What the index says of unread item files, from the versions the ledger acknowledged."""
    documents = ledger.documents(keys)
    for row in ledger.rows_for(keys):
        key = (row.key_major, row.key_minor)
        if key in documents and row.fingerprint is not None:
            identity = version_text(row.fingerprint, row.force_acknowledged)
            seen = moment_text(row.different_at or row.updated_at)
            yield IndexEntry(*key, Item.from_stored(documents[key]).code, seen, identity)


def shop_options(settings: Settings) -> ShopOptions:
    return ShopOptions(
        table_prefix=settings.shop.table_prefix,
        data_shop=settings.shop.data_shop,
        language=settings.shop.language,
        slots=settings.exact_xml.language_slots,
        slots_wanted="language_slots" in settings.exact_xml.model_fields_set,
        exclude_column=settings.products.exclude_column,
    )


def item_mapping(settings: Settings, shop: OpenShop) -> ItemMapping:
    """How items are made and written for the data shop."""
    template = CodeTemplate(settings.products.item_code)
    rules = ItemRules(
        code=template,
        price_decimals=settings.exact_xml.price_decimals,
        allow_zero_price=settings.products.allow_zero_price,
        special_prices=settings.exact_xml.special_price == "list",
        vat_codes={vat_key(key): code for key, code in settings.exact_xml.vat_codes.items()},
        tax_country=shop.data_shop.country,
        slots=shop.slot_languages,
    )
    # With images inside, every document says more than without.
    layout = _layout(settings, shop).digest() + bytes([settings.exact_xml.embed_images])
    said = [DIGEST_FORM, template.template, *rules[1:], shop.data_shop.id_shop, layout.hex()]
    salt = blake2b(repr(said).encode(), digest_size=32).digest()
    return ItemMapping(ItemMapper(rules), template, ItemWriter(_layout(settings, shop)), layout, salt)


def _layout(settings: Settings, shop: OpenShop) -> ItemLayout:
    xml = settings.exact_xml
    assortment = None
    if xml.assortment_number is not None:
        assortment = Assortment(
            number=xml.assortment_number,
            code=xml.assortment_code,
            description=xml.assortment_description,
        )
    return ItemLayout(
        currency=xml.currency or shop.data_shop.currency,
        unit=xml.unit,
        special_price=xml.special_price,
        special_price_list=xml.special_price_list,
        category_class=xml.category_class,
        brand_field=xml.brand_field,
        language_slots=shop.slots,
        ownership=xml.ownership,
        condition=xml.condition,
        assortment=assortment,
        flags=xml.flags,
    )


def _held_codes(settings: Settings) -> Callable[[], Iterator[str]] | None:
    """The item codes of the ERP, where one is configured; it is reached only when they are asked for."""
    url = settings.erp.database.get_secret_value()
    return (lambda: ItemRepository(connect_erp(url)).held_codes()) if url else None
