"""Where the outside systems and brekzsync's own state are."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from brekzsync.settings.fields import (
    Duration,
    ErpDatabase,
    LanguageCode,
    OptionalPath,
    Section,
    ShopDatabase,
    StateDatabase,
    TablePrefix,
    WebAddress,
)
from brekzsync.settings.places import STATE_DATABASE


def _name_or_id(value: object) -> object:
    """A shop id written as text (from the environment) is the id; ids are never booleans."""
    if isinstance(value, bool):
        raise ValueError("must be the name of a shop or its id_shop")
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, str) and not value.strip():
        raise ValueError("must be the name of a shop or its id_shop")
    return value


ShopName = Annotated[int | str, BeforeValidator(_name_or_id)]


class ShopSettings(Section):
    """The PrestaShop that products and orders are read from."""

    database: ShopDatabase = Field(
        description="SQLAlchemy URL of the shop's database; a read-only user is enough for products.",
        examples=['"mysql://brekzsync:secret@localhost/prestashop"'],
    )
    table_prefix: TablePrefix = Field(
        default="ps_", description="What the names of the shop's tables start with."
    )
    data_shop: ShopName = Field(
        description="The shop all product data is read from, by name or by id_shop.", examples=['"NL"']
    )
    language: LanguageCode = Field(
        default="",
        description="ISO code of the language of descriptions; empty: the data shop's default language.",
        examples=['"nl"'],
    )
    image_dir: OptionalPath = Field(
        default=None,
        description="Folder of the shop's product images, for exact_xml.embed_images.",
        examples=['"/var/www/shop/img/p"'],
    )
    url: WebAddress = Field(
        default="",
        description="Address of the shop, from which images are fetched when image_dir is not set.",
        examples=['"https://shop.example"'],
    )
    webservice_url: WebAddress = Field(
        default="",
        description="Address of the shop's webservice, through which stock and order states are written.",
        examples=['"https://shop.example/api"'],
    )
    webservice_key: SecretStr = Field(default=SecretStr(""), description="Key of the shop's webservice.")


class ErpSettings(Section):
    """The Exact Globe administration, read over SQL."""

    database: ErpDatabase = Field(
        default=SecretStr(""),
        description="SQLAlchemy URL of the administration's database; empty: no ERP is read.",
        examples=['"mssql+pyodbc://reader:secret@globe/500?driver=ODBC+Driver+18+for+SQL+Server"'],
    )
    warehouses: list[str] = Field(
        default=[],
        description="Codes of the warehouses whose stock counts; empty: all of them.",
        examples=['["1"]'],
    )
    safety_margin: int = Field(
        default=0, ge=0, description="Pieces of every item that are never offered for sale."
    )


class StateSettings(Section):
    """brekzsync's own database: ledger, runs, locks, exclusions."""

    database: StateDatabase = Field(
        default=SecretStr(STATE_DATABASE),
        description="SQLAlchemy URL of the state database: SQLite, MariaDB, MySQL or PostgreSQL.",
        examples=['"sqlite:///brekzsync-state.db"'],
    )


class LogSettings(Section):
    """Where brekzsync writes what it did, with the tracebacks of unexpected errors; how long sync logs are kept."""

    file: OptionalPath = Field(
        default=None, description="Log file; empty: none.", examples=['"/var/log/brekzsync/brekzsync.log"']
    )
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least severe messages to log."
    )
    keep: Duration = Field(
        default=timedelta(days=90),
        description="How long `logs prune` keeps attempts, ended runs and rows of deleted records.",
    )
