"""A sales order as the state keeps it: what was claimed, what is compared, what is told in the logs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any, NamedTuple

from brekzsync.domain.orders.sales_orders import (
    Account,
    LineKind,
    PostalAddress,
    SalesOrder,
    SalesOrderLine,
)
from brekzsync.domain.orders.shop_orders import ShopAddress, ShopOrder, ShopSlip
from brekzsync.domain.products import plain


class StoredOrder(NamedTuple):
    """A sales order and whose it is; ``id_customer`` 0 when the shop has lost the customer."""

    order: SalesOrder
    id_customer: int

    def stored(self) -> str:
        """The form the state keeps; ``from_stored`` is its inverse."""
        return json.dumps(_plain(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_stored(cls, document: str) -> StoredOrder:
        """Rebuild it; a field a later release added is blank, one it dropped is ignored.

        Raises ValueError for what is no order.
        """
        given = json.loads(document)
        order = _made(SalesOrder, given | {"lines": (), "account": None})
        order = order._replace(
            deliver_to=_address(given.get("deliver_to")),
            invoice_to=_address(given.get("invoice_to")),
            lines=tuple(_line(line) for line in given.get("lines", ())),
            account=_account(given.get("account")),
        )
        return cls(order, int(given.get("id_customer", 0)))


def fingerprint_of(document: str) -> bytes:
    """The identity of a stored order, 16 bytes."""
    return blake2b(document.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def digest_of_order(order: ShopOrder) -> bytes:
    """Of all that the ERP is told of an order; another one means that the order was changed in the shop.

    Not of its state and times, which move all day, nor of what belongs to others and is renamed by them: the
    customer, the carrier, the payment module's settings.
    """
    said = [order.reference, order.id_shop, order.currency, order.payment_module]
    said += [order.carrier.id_reference if order.carrier else 0]
    said += [order.customer.id_customer if order.customer else 0]
    said += [_address_said(order.delivery), _address_said(order.invoice)]
    for line in order.lines:
        said += [line.id_order_detail, line.id_product, line.id_product_attribute, line.reference, line.name]
        said += [line.quantity, line.total.excl, line.total.incl, line.tax.rate]
    for discount in order.discounts:
        said += [discount.name, *discount.value, discount.free_shipping, discount.id_product]
    said += [*order.discounted, *order.shipping, order.shipping_rate, *order.wrapping, *order.paid]
    return _digest(said)


def digest_of_slip(slip: ShopSlip) -> bytes:
    """Of what a credit slip gives back; its order is another record."""
    said: list[Any] = [slip.id_order_slip, slip.order.id_order, slip.kind, slip.amount, *slip.shipping]
    said += list(slip.products) if slip.products else []
    for line in slip.lines:
        said += [line.id_order_detail, line.quantity, *line.total]
    return _digest(said)


def changed_parts(before: SalesOrder, now: SalesOrder) -> list[str]:
    """What people call the fields that differ; the debtor's own document is nobody's change."""
    named = {
        "lines": "lines",
        "deliver_to": "delivery address",
        "invoice_to": "invoice address",
        "debtor": "debtor",
        "currency": "currency",
        "payment_method": "payment method",
        "payment_condition": "payment condition",
        "delivery_method": "delivery method",
    }
    return [name for field, name in named.items() if getattr(before, field) != getattr(now, field)]


def _digest(said: Iterable[Any]) -> bytes:
    texts = [plain(one) if isinstance(one, Decimal) else str(one) for one in said]
    return blake2b("\x1f".join(texts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _address_said(address: ShopAddress | None) -> str:
    return "" if address is None else "\x1e".join(map(str, address))


def _plain(stored: StoredOrder) -> dict[str, Any]:
    order = stored.order
    return order._asdict() | {
        "deliver_to": order.deliver_to._asdict(),
        "invoice_to": order.invoice_to._asdict(),
        "lines": [
            line._asdict() | {"price": f"{line.price:f}", "rate": f"{line.rate:f}"} for line in order.lines
        ],
        "account": None if order.account is None else _plain_account(order.account),
        "id_customer": stored.id_customer,
    }


def _plain_account(account: Account) -> dict[str, Any]:
    addresses = ("visit", "delivery", "invoice")
    return account._asdict() | {name: getattr(account, name)._asdict() for name in addresses}


def _made(kind: Any, given: dict[str, Any]) -> Any:
    return kind(**{name: given.get(name, "") for name in kind._fields})


def _address(given: dict[str, Any] | None) -> PostalAddress:
    address: PostalAddress = _made(PostalAddress, given or {})
    return address


def _line(given: dict[str, Any]) -> SalesOrderLine:
    line: SalesOrderLine = _made(SalesOrderLine, given)
    return line._replace(
        kind=LineKind(line.kind),
        quantity=int(line.quantity),
        price=_number(line.price),
        rate=_number(line.rate),
    )


def _number(given: Any) -> Decimal:
    try:
        return Decimal(given)
    except InvalidOperation:
        raise ValueError(f"{given!r} is no number") from None


def _account(given: dict[str, Any] | None) -> Account | None:
    if given is None:
        return None
    account: Account = _made(Account, given)
    return account._replace(
        visit=_address(given.get("visit")),
        delivery=_address(given.get("delivery")),
        invoice=_address(given.get("invoice")),
    )
