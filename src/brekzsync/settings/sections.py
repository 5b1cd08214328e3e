"""The whole configuration, section by section, and its view for one target."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Field, PrivateAttr, SecretStr, model_validator

from brekzsync.errors import ConfigurationError
from brekzsync.settings.database_urls import is_database_url, passwords_in
from brekzsync.settings.exact_xml import ExactXmlSettings
from brekzsync.settings.fields import Section
from brekzsync.settings.flows import OrdersSettings, ProductsSettings, ShipmentsSettings, StockSettings
from brekzsync.settings.marketplace import MarketplaceSettings, NotifySettings
from brekzsync.settings.services import AgentSettings, ExactOnlineSettings, InboxSettings, ServeSettings
from brekzsync.settings.systems import (
    ErpSettings,
    LogSettings,
    ShopSettings,
    StateSettings,
)

DEFAULT_TARGET = "exact"

SectionType = TypeVar("SectionType", bound=Section)


class TargetSettings(Section):
    """What one target (ERP administration) has of its own; the rest is as in the sections of that name."""

    erp: ErpSettings = Field(default_factory=ErpSettings)
    exact_xml: ExactXmlSettings = Field(default_factory=ExactXmlSettings)
    products: ProductsSettings = Field(default_factory=ProductsSettings)
    orders: OrdersSettings = Field(default_factory=OrdersSettings)
    stock: StockSettings = Field(default_factory=StockSettings)
    shipments: ShipmentsSettings = Field(default_factory=ShipmentsSettings)


def _check_target_names(targets: dict[str, TargetSettings]) -> dict[str, TargetSettings]:
    for name in targets:
        # The name is part of lock and file names and of a 40-character column of the state.
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", name):
            raise ValueError(
                f'holds "{name}"; a target\'s name is at most 40 letters, digits, hyphens and underscores'
            )
    if len({name.lower() for name in targets}) < len(targets):
        raise ValueError("holds two names that differ only in case")
    return targets


class Settings(Section):
    """Everything a configuration file says, checked, with defaults filled in."""

    shop: ShopSettings
    erp: ErpSettings = Field(default_factory=ErpSettings)
    exact_xml: ExactXmlSettings = Field(default_factory=ExactXmlSettings)
    products: ProductsSettings = Field(default_factory=ProductsSettings)
    orders: OrdersSettings = Field(default_factory=OrdersSettings)
    stock: StockSettings = Field(default_factory=StockSettings)
    shipments: ShipmentsSettings = Field(default_factory=ShipmentsSettings)
    marketplace: MarketplaceSettings = Field(default_factory=MarketplaceSettings)
    inbox: InboxSettings = Field(default_factory=InboxSettings)
    exact_online: ExactOnlineSettings = Field(default_factory=ExactOnlineSettings)
    serve: ServeSettings = Field(default_factory=ServeSettings)
    agent: AgentSettings = Field(default_factory=AgentSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    targets: Annotated[dict[str, TargetSettings], AfterValidator(_check_target_names)] = Field(
        default_factory=dict, description="Targets by name, each with what differs from the sections above."
    )
    state: StateSettings = Field(default_factory=StateSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    _source: Path = PrivateAttr(default=Path("brekzsync.toml"))
    _overrides: dict[tuple[str | int, ...], str] = PrivateAttr(default_factory=dict)

    @property
    def source(self) -> Path:
        """The file these settings were read from."""
        return self._source

    @property
    def overrides(self) -> dict[tuple[str | int, ...], str]:
        """The environment variables that replaced a value, by the lower-case path to it."""
        return self._overrides

    def target_names(self) -> list[str]:
        """The configured targets in the file's order, or the one default target."""
        return list(self.targets) or [DEFAULT_TARGET]

    def for_target(self, name: str) -> Settings:
        """The settings as they are for one target: what its own tables set replaces the general keys."""
        if name not in self.target_names():
            raise ConfigurationError(
                f'There is no target "{name}" in {self.source}; there are: {", ".join(self.target_names())}.',
                hint=f"Name one of these, or add [targets.{name}] to the file.",
                code="unknown_target",
            )
        target = self.targets.get(name)
        if target is None:
            return self
        return self.model_copy(
            update={
                "erp": _overridden(self.erp, target.erp),
                "exact_xml": _overridden(self.exact_xml, target.exact_xml),
                "products": _overridden(self.products, target.products),
                "orders": _overridden(self.orders, target.orders),
                "stock": _overridden(self.stock, target.stock),
                "shipments": _overridden(self.shipments, target.shipments),
            }
        )

    def outboxes(self) -> Iterator[tuple[str, Path]]:
        """The outbox of each section that writes into one, of these settings for one target."""
        if self.products.channel == "files":
            yield "products", self.products.output
        if self.orders.is_in_use and (self.orders.channel or self.products.channel) == "files":
            yield "orders", self.orders.output or self.products.output

    def secrets(self) -> list[str]:
        """Every secret in plain text, for the log filter that must never let one through."""
        return [secret for secret in _secrets_of(self) if secret]

    @model_validator(mode="after")
    def _one_reader_per_outbox(self) -> Settings:
        """Two targets sharing an outbox would replace each other's unread items."""
        owners: dict[tuple[str, Path], str] = {}
        for name in self.target_names():
            for section, output in self.for_target(name).outboxes():
                owner = owners.setdefault((section, output), name)
                if owner != name:
                    raise ValueError(
                        f'gives "{owner}" and "{name}" the same outbox {output}; '
                        f"give each its own [targets.{name}.{section}] output"
                    )
        return self


def _overridden(general: SectionType, own: SectionType) -> SectionType:
    return general.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})


def _secrets_of(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        yield from passwords_in(text) if is_database_url(text) else (text,)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_of(getattr(value, name))
    elif isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _secrets_of(entry)
