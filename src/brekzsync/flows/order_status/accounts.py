"""Through which account an order is told, and the clients of those accounts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from brekzsync.domain.marketplace import Account, MarketplaceOrder
from brekzsync.domain.order_status import StatusReason
from brekzsync.errors import ConfigurationError, RecordError
from brekzsync.flows.order_status.ports import Marketplace


class Way(NamedTuple):
    """Where an order is told."""

    id_account: int
    store_id: int


class Accounts:
    """The accounts the shop has, each with a client that is made when it is first needed."""

    def __init__(self, accounts: Sequence[Account], connect: Callable[[str], Marketplace]) -> None:
        self._accounts = {account.id: account for account in accounts if account.id}
        self._all = accounts
        self._connect = connect
        self._clients: dict[str, Marketplace] = {}
        self._stores: dict[str, int] = {}

    def way_of(self, order: MarketplaceOrder) -> Way:
        """Raises RecordError when there is none, or more than one could be meant.

        Where the shop keeps no accounts at all, and the configured token stands for them, a name says nothing.
        """
        account = self._named(order) if order.id_token and self._accounts else self._only(order)
        return Way(account.id, self._store(account))

    def client(self, way: Way) -> Marketplace:
        """The client of an account, or of another one for the same store: a row that was deleted and added again has
        another id. Raises ConfigurationError where there is neither."""
        same = [one for one in self._all if one.token and one.id == way.id_account]
        alike = [one for one in self._all if one.token and one.store_id == way.store_id]
        for account in same + alike:
            return self._client(account.token)
        raise ConfigurationError(
            f"The marketplace account {way.id_account} is gone, and answers of it are still awaited.",
            hint=f"Add the account of store {way.store_id} again in the shoppingfeed module.",
            code="account_gone",
        )

    def close(self) -> None:
        """Let go of every client's connections."""
        for client in self._clients.values():
            client.close()

    def _named(self, order: MarketplaceOrder) -> Account:
        account = self._accounts.get(order.id_token)
        if account is None:
            raise _no_account(
                f"Order {order.id_order} came through account {order.id_token} (id_shoppingfeed_token), which the"
                " shop does not have any more. Add the account again in the shoppingfeed module."
            )
        if not account.is_active or not account.token:
            raise _no_account(
                f"Account {order.id_token} (id_shoppingfeed_token), through which order {order.id_order} came, is not"
                " active. Activate it in the shoppingfeed module."
            )
        return account

    def _only(self, order: MarketplaceOrder) -> Account:
        """Of an order that names no account: the shop's, where it has one alone. A guess among several would tell the
        wrong store, whose tickets nobody would find."""
        mine = [
            account
            for account in self._all
            if account.id_shop == order.id_shop and account.is_active and account.token
        ]
        if not mine:
            raise _no_account(
                f"Order {order.id_order} names no account, and its shop ({order.id_shop}) has none that is active. Add"
                " the account in the shoppingfeed module, or set [marketplace] token."
            )
        if len({(account.token, account.store_id) for account in mine}) > 1:
            known = ", ".join(str(account.id) for account in mine)
            raise _no_account(
                f"Order {order.id_order} names no account, and its shop ({order.id_shop}) has several ({known}). Write"
                " the right one into its row of shoppingfeed_order (id_shoppingfeed_token)."
            )
        return mine[0]

    def _store(self, account: Account) -> int:
        if account.store_id is not None:
            return account.store_id
        if account.token not in self._stores:
            stores = self._client(account.token).stores()
            if not stores:
                raise ConfigurationError(
                    "The marketplace's token is for no store.",
                    hint="Give the store in Shopping Feed's settings, or set [marketplace] store_id.",
                    code="unknown_store",
                )
            self._stores[account.token] = next(iter(stores))
        return self._stores[account.token]

    def _client(self, token: str) -> Marketplace:
        if token not in self._clients:
            self._clients[token] = self._connect(token)
        return self._clients[token]


def _no_account(message: str) -> RecordError:
    return RecordError(StatusReason.NO_ACCOUNT, message)
