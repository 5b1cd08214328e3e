"""``config check``: everything the configuration names, looked for in the shop before a run does.

Reads only. What the shop refuses one thing at a time when a run opens it is asked for one by one here, so
that all of it is found at once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.keys import format_key
from brekzsync.domain.orders.facts import OrderFacts
from brekzsync.domain.products import plain, vat_code, vat_key
from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable
from brekzsync.flows.configuration.inbox import inbox_in_itself
from brekzsync.flows.configuration.marketplace import marketplace_in_itself, marketplace_shops
from brekzsync.flows.configuration.notify import notify_in_itself
from brekzsync.flows.configuration.orders import (
    items_in_the_erp,
    line_items,
    order_mappings,
    order_rates,
    order_states,
    orders_in_themselves,
    orders_of_several,
)
from brekzsync.flows.configuration.report import SHOP_LATER, CheckReport, NotChecked
from brekzsync.flows.configuration.rules import (
    Finding,
    Severity,
    ShopNames,
    UnmappedRate,
    against_the_shop,
    place,
    unknown_shops,
    unmapped_rates,
)
from brekzsync.flows.configuration.stock import (
    named_warehouses,
    shipments_in_themselves,
    still_warehouses,
    stock_in_itself,
    stock_of_several,
)
from brekzsync.flows.ports import ProductSource
from brekzsync.flows.products.judging import Exclusions, Judge
from brekzsync.settings import Settings

Progress = Callable[[int | None], AbstractContextManager[Callable[[int], None]]]
_PROGRESS_STEP = 1000
_OF_A_TARGET = ("erp", "orders", "stock", "shipments")
_NO_ORDERS = ("orders and refunds", "[orders] says nothing, so none are exported")


class DataShop(Protocol):
    """The data shop and its settings."""

    @property
    def name(self) -> str: ...
    @property
    def shops(self) -> Mapping[int, str]: ...
    @property
    def languages(self) -> Mapping[str, int]: ...
    @property
    def id_lang(self) -> int: ...
    @property
    def country(self) -> str: ...
    @property
    def currency(self) -> str: ...


class OpenShop(Protocol):
    """The shop within one snapshot."""

    @property
    def data_shop(self) -> DataShop: ...

    def catalogue(self, salt: bytes) -> ProductSource: ...

    def size(self) -> int: ...


class Part(NamedTuple):
    """A key that opening the shop would refuse, and the settings with it and none of its like."""

    section: str
    key: str
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationCheck:
    """Everything the check needs; what takes settings takes them as they are for a target.

    ``erp_items`` are those of the ERP with these codes, by normalised code; ``moved_warehouses`` those of these
    warehouses that anything was ever moved in; ``stock_places`` are where stock is written, by name, each with what
    tells it from the others, and raises ConfigurationError for a shop that is not there; ``commands`` are the names of
    all commands there are.
    """

    settings: Settings
    open_shop: Callable[[Settings], AbstractContextManager[OpenShop]]
    order_facts: Callable[[int], OrderFacts]
    erp_items: Callable[[Settings, Collection[str]], Mapping[str, ErpItem]]
    moved_warehouses: Callable[[Settings, Collection[str]], Collection[str]]
    stock_places: Callable[[Settings], Mapping[str, object]]
    exclusions: Callable[[], Exclusions]
    commands: Callable[[], Collection[str]]

    def execute(self, progress: Progress) -> CheckReport:
        """Do it. Nothing is raised for a shop that does not answer: the report says it."""
        report = CheckReport()
        report.add(marketplace_in_itself(self.settings))
        report.add(orders_of_several(self.settings))
        for target, own in self._with_orders():
            report.add(self._placed(target, orders_in_themselves(own)))
            self._items_of_orders(report, target, own)
        for target, own in self._each():
            report.add(self._placed(target, stock_in_itself(own)))
            report.add(self._placed(target, shipments_in_themselves(own)))
            self._warehouses(report, target, own)
        report.add(inbox_in_itself(self.settings))
        report.add(notify_in_itself(self.settings, self.commands))
        try:
            self._look(report, progress)
        except (Unavailable, AccessDenied) as error:
            report.failure = error
            report.not_checked.append(NotChecked("the shop", "its database cannot be read now"))
        return report

    def _look(self, report: CheckReport, progress: Progress) -> None:
        data_shop: DataShop | None = None
        for target in self.settings.target_names():
            data_shop = self._target(report, target, progress)
            if data_shop is None:  # the shop is the same for every target
                report.not_checked.append(NotChecked(*SHOP_LATER))
                return
        if data_shop is not None:
            for target in self.settings.target_names():
                own = self.settings.for_target(target)
                report.add(self._placed(target, unknown_shops(own, _names(data_shop))))
            report.add(marketplace_shops(self.settings, _names(data_shop)))
            self._orders(report, data_shop)
            self._stock_places(report)

    def _target(self, report: CheckReport, target: str, progress: Progress) -> DataShop | None:
        """One target's part; the data shop, or None where the shop cannot be read with these settings."""
        own = self.settings.for_target(target)
        refused = self._refused(Part("shop", "database", _plain(own)))
        if refused is not None:
            report.add(iter([_refusal(refused, "shop", "database")]))
            return None
        accepted = _plain(own)
        for part in _parts(own, accepted):
            refused = self._refused(part)
            if refused is None:
                accepted = accepted.model_copy(update={part.section: getattr(part.settings, part.section)})
            else:
                section = place(self.settings, target, part.section, part.key)
                report.add(iter([_refusal(refused, section, part.key)]))
        with self.open_shop(accepted) as shop:
            report.add(against_the_shop(self.settings, target, _names(shop.data_shop)))
            section = place(self.settings, target, "exact_xml", "vat_codes")
            rates = list(self._unmapped(own, shop, progress))
            report.add(unmapped_rates(section, shop.data_shop.country, rates))
            return shop.data_shop

    def _refused(self, part: Part) -> ConfigurationError | None:
        try:
            with self.open_shop(part.settings):
                return None
        except ConfigurationError as error:
            return error

    def _unmapped(self, own: Settings, shop: OpenShop, progress: Progress) -> Iterator[UnmappedRate]:
        """The rates of products that would be exported, without a VAT code; the most frequent first."""
        codes = {vat_key(key): code for key, code in own.exact_xml.vat_codes.items()}
        country = shop.data_shop.country
        counts: Counter[str] = Counter()
        examples: dict[str, str] = {}
        with progress(shop.size()) as advance:
            for key, rate, group in self._rates(own, shop.catalogue(b"config check"), advance):
                if not vat_code(codes, country, rate, group):
                    counts[rate] += 1
                    examples.setdefault(rate, key)
        for rate, products in counts.most_common():
            yield UnmappedRate(rate, products, examples[rate])

    def _rates(
        self, own: Settings, source: ProductSource, advance: Callable[[int], None]
    ) -> Iterator[tuple[str, str, int]]:
        """Key, rate and tax rules group of every product with an eligible combination."""
        both = own.products.bundle_components == "export"
        judge = Judge(source, self.exclusions(), bundle_components_too=both)
        counted = -1
        for number, record in enumerate(source.stream(), start=1):
            if number % _PROGRESS_STEP == 0:
                advance(_PROGRESS_STEP)
            if record.key[0] == counted or not judge.is_eligible(record):
                continue
            counted = record.key[0]
            product = source.combination(record).product
            if product.tax_rate is not None:
                yield format_key(record.key), plain(product.tax_rate), product.id_tax_rules_group

    def _orders(self, report: CheckReport, data_shop: DataShop) -> None:
        """What recent orders name; left alone where the file speaks of neither orders nor their states."""
        orders, marketplace = self._with_orders(), self.settings.marketplace.model_fields_set
        shipments = [(name, own) for name, own in self._each() if own.shipments.is_in_use]
        if not orders:
            report.leave(*_NO_ORDERS)
        if not (orders or shipments or marketplace):
            return
        facts = self.order_facts(data_shop.id_lang)
        for target, own in dict(orders + shipments).items():
            report.add(self._placed(target, order_states(own, facts)))
        report.add(order_states(self.settings, facts))  # those of the marketplace, told once
        for target, own in orders:
            report.add(self._placed(target, order_mappings(own, facts)))
            report.add(self._placed(target, order_rates(self.settings, target, data_shop.country, facts)))
        missing = _unread(facts, everything=bool(orders))
        if missing:
            some = ", ".join(facts.unreadable[:2]) + (" …" if len(facts.unreadable) > 2 else "")
            why = f"the shop's database has no {some}, or not for this user"
            report.not_checked.append(NotChecked(", ".join(missing), why))

    def _items_of_orders(self, report: CheckReport, target: str, own: Settings) -> None:
        """An ERP that is not there keeps nothing else from being checked."""
        codes = sorted(line_items(own).values())
        if not codes:
            return
        if not own.erp.database.get_secret_value():
            report.leave("whether Exact has the items of [orders]", "[erp] database is empty")
            return
        try:
            held = self.erp_items(own, codes)
        except BrekzsyncError as error:
            report.leave("whether Exact has the items of [orders]", error.message.rstrip("."))
        else:
            report.add(self._placed(target, items_in_the_erp(own, target, held)))

    def _warehouses(self, report: CheckReport, target: str, own: Settings) -> None:
        codes = [code for _, _, some in named_warehouses(own) for code in some]
        if not codes or not own.erp.database.get_secret_value():
            return
        try:
            moved = self.moved_warehouses(own, codes)
        except BrekzsyncError as error:
            report.leave("whether Exact has the warehouses", error.message.rstrip("."))
        else:
            report.add(self._placed(target, still_warehouses(self.settings, own, target, moved)))

    def _stock_places(self, report: CheckReport) -> None:
        """The shops that stock is written to, of each target, and of several together."""
        found: dict[str, Mapping[str, object]] = {}
        for target, own in self._each():
            if own.stock.is_in_use:
                try:
                    found[target] = self.stock_places(own)
                except ConfigurationError as error:
                    report.add(self._placed(target, iter([_refusal(error, "stock", "shops")])))
                except AccessDenied as error:
                    report.leave("the shops of [stock]", error.message.rstrip("."))
        report.add(stock_of_several(found))

    def _each(self) -> list[tuple[str, Settings]]:
        """Every target with the settings as they are for it."""
        return [(name, self.settings.for_target(name)) for name in self.settings.target_names()]

    def _with_orders(self) -> list[tuple[str, Settings]]:
        """The targets orders go to, each with the settings as they are for it."""
        return [(name, own) for name, own in self._each() if own.orders.is_in_use]

    def _placed(self, target: str, findings: Iterator[Finding]) -> Iterator[Finding]:
        """Findings with the table the target's value stands in."""
        for finding in findings:
            if finding.section in _OF_A_TARGET:
                section = place(self.settings, target, finding.section, finding.key)
                finding = finding._replace(section=section)
            yield finding


def _unread(facts: OrderFacts, *, everything: bool) -> list[str]:
    """What could not be looked at; without orders the states alone matter."""
    parts = {
        "order states": facts.states,
        "payment modules": facts.payment_modules if everything else (),
        "carriers": facts.carriers if everything else (),
        "countries": facts.countries if everything else (),
        "tax rates of orders": facts.rates if everything else (),
    }
    return [what for what, found in parts.items() if found is None]


def _names(data_shop: DataShop) -> ShopNames:
    return ShopNames(
        data_shop.name, data_shop.currency, data_shop.country, set(data_shop.languages), data_shop.shops
    )


def _plain(own: Settings) -> Settings:
    """The settings without what can be refused one by one."""
    return own.model_copy(
        update={
            "shop": own.shop.model_copy(update={"language": ""}),
            "exact_xml": own.exact_xml.model_copy(update={"language_slots": {}}),
            "products": own.products.model_copy(update={"exclude_column": ""}),
        }
    )


def _parts(own: Settings, plain_settings: Settings) -> Iterator[Part]:
    for section, key in (
        ("shop", "language"),
        ("exact_xml", "language_slots"),
        ("products", "exclude_column"),
    ):
        table = getattr(own, section)
        if getattr(table, key):
            yield Part(section, key, plain_settings.model_copy(update={section: table}))


def _refusal(error: ConfigurationError, section: str, key: str) -> Finding:
    """What a run would end with; the message itself names the key where it knows a more exact one."""
    named = re.match(r"\[(\w+)\] (\w+)", error.message)
    if named and named[1] == section.rpartition(".")[2]:
        key = named[2]
    elif prefix := re.search(r"\[shop\] (table_prefix)", error.hint):
        key = prefix[1] if "tables begin with" in error.message else key
    return Finding(Severity.ERROR, section, key, error.message, error.hint)
