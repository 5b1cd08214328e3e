"""A customer as an eExact ``Account`` with its debtor (facts/exact-globe.md section 2.1)."""

from __future__ import annotations

from brekzsync.domain.orders.sales_orders import Account
from brekzsync.exact.eexact.items import escape
from brekzsync.exact.eexact.orders import address_element


class AccountWriter:
    """Writes accounts; holds nothing, so threads may share it."""

    def element(self, account: Account) -> str:
        """The ``Account`` element and a line end.

        The addresses hang under the one contact, as public writers have it.
        """
        code = escape(account.code)
        currency = f'<Currency code="{escape(account.currency)}"/>' if account.currency else ""
        return (
            f'<Account code="{code}" type="C" status="A">{_element("Name", account.name)}'
            f"{_element('Phone', account.phone)}{_element('Email', account.email)}"
            f"<Contacts>{_contact(account)}</Contacts>"
            f'<Debtor code="{code}">{_element("Name", account.name)}{currency}</Debtor>'
            f"{_element('VATNumber', account.vat_number)}</Account>\n"
        )


def _contact(account: Account) -> str:
    language = f'<Language code="{escape(account.language)}"/>' if account.language else ""
    addresses = "".join(
        address_element(address, kind, addressee=False)
        for kind, address in (("V", account.visit), ("D", account.delivery), ("I", account.invoice))
    )
    return (
        f'<Contact default="1" status="A">{_element("LastName", account.last_name or account.name)}'
        f"{_element('FirstName', account.first_name)}<Addresses>{addresses}</Addresses>{language}"
        f"{_element('Phone', account.phone)}{_element('Email', account.email)}</Contact>"
    )


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else ""
