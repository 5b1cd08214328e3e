"""A sales order as eExact XML: the ``Order`` element of type V, and the document around orders and accounts.

Elements stand in the order Exact's schema demands (facts/exact-globe.md section 2.2). A refund is the same
with negative quantities: the schema has no other kind of order for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from brekzsync.domain.orders.sales_orders import PostalAddress, SalesOrder, SalesOrderLine
from brekzsync.exact.eexact.items import DOCUMENT_END, DOCUMENT_START, escape

ORDERS_START, ORDERS_END = "<Orders>\n", "</Orders>\n"
ACCOUNTS_START, ACCOUNTS_END = "<Accounts>\n", "</Accounts>\n"


class SalesOrderWriter:
    """Writes sales orders; holds nothing, so threads may share it."""

    def element(self, order: SalesOrder) -> str:
        """The ``Order`` element and a line end."""
        return f'<Order type="V">{"".join(_header(order))}{"".join(_lines(order))}</Order>\n'

    def document(self, order: SalesOrder, account: str = "") -> bytes:
        """The complete document of one order; ``account`` is its debtor's element where the ERP lacks it."""
        return order_document([self.element(order)], [account] if account else []).encode()


def order_document(orders: Iterable[str], accounts: Iterable[str] = ()) -> str:
    """The document around orders; accounts come first, so that their debtors are there.

    The schema knows no empty ``Orders``: what there is none of is left out.
    """
    debtors, sold = "".join(accounts), "".join(orders)
    before = f"{ACCOUNTS_START}{debtors}{ACCOUNTS_END}" if debtors else ""
    after = f"{ORDERS_START}{sold}{ORDERS_END}" if sold else ""
    return f"{DOCUMENT_START}{before}{after}{DOCUMENT_END}"


def address_element(address: PostalAddress, kind: str = "", *, addressee: bool = True) -> str:
    """An ``Address``; ``kind`` is its type: D delivery, I invoice, P postal, V visit."""
    name = ""
    if addressee and address.name:
        name = f"<Addressee>{_element('Name', address.name)}</Addressee>"
    return (
        f"<Address{_attribute('type', kind)}>{name}"
        f"{_element('AddressLine1', address.line1)}{_element('AddressLine2', address.line2)}"
        f"{_element('AddressLine3', address.line3)}{_element('PostalCode', address.postal_code)}"
        f"{_element('City', address.city)}{_coded('Country', address.country)}"
        f"{_element('Phone', address.phone)}{_element('Email', address.email)}</Address>"
    )


def _header(order: SalesOrder) -> Iterator[str]:
    debtor = _coded("Debtor", order.debtor)
    yield _element("Description", order.description)
    yield _element("YourRef", order.your_ref)
    yield _element("Date", order.date)
    yield _coded("Currency", order.currency)
    yield f"<OrderedBy>{debtor}{_element('Date', order.date)}</OrderedBy>"
    yield f"<DeliverTo>{debtor}{address_element(order.deliver_to)}</DeliverTo>"
    yield f"<InvoiceTo>{debtor}{address_element(order.invoice_to)}</InvoiceTo>"
    yield _coded("Warehouse", order.warehouse)
    yield _coded("PaymentMethod", order.payment_method)
    yield _coded("PaymentCondition", order.payment_condition)
    yield _coded("DeliveryMethod", order.delivery_method)
    yield _coded("Costcenter", order.costcenter)
    yield _coded("Selection", order.selection)


def _lines(order: SalesOrder) -> Iterator[str]:
    currency, warehouse = _coded("Currency", order.currency), _coded("Warehouse", order.warehouse)
    for number, line in enumerate(order.lines, 1):
        yield (
            f'<OrderLine lineNo="{number}">{_element("Description", line.description)}'
            f"{_coded('Item', line.item_code)}<Quantity>{line.quantity}</Quantity>"
            f"{_price(line, currency)}{warehouse}</OrderLine>"
        )


def _price(line: SalesOrderLine, currency: str) -> str:
    value = f"<Value>{line.price:f}</Value>"
    return f'<Price type="S">{currency}{value}{_coded("VAT", line.vat_code)}</Price>'


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else ""


def _coded(name: str, code: str) -> str:
    """An element that is nothing but its key."""
    return f'<{name} code="{escape(code)}"/>' if code else ""


def _attribute(name: str, value: str) -> str:
    return f' {name}="{value}"' if value else ""
