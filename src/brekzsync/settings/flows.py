"""What each flow does: which records it takes, how it maps them, where they go."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from brekzsync.settings.exact_xml import ItemCode
from brekzsync.settings.fields import (
    Duration,
    FilePath,
    OptionalPath,
    OptionalSection,
    OptionalShopDatabase,
    Percentage,
    Section,
    matching,
)

ITEM_CODE_FIELDS = ("reference", "product_reference", "ean13", "key", "id_product", "id_product_attribute")


def _check_item_code(value: str) -> str:
    """One of three words, or a template over ``ITEM_CODE_FIELDS`` without conversions or formats."""
    try:
        parts = list(Formatter().parse(value))
    except ValueError:
        raise ValueError("is a template with an unbalanced { or }") from None
    names = [name for _, name, _, _ in parts if name is not None]
    if not names and value not in ("reference", "ean13", "key"):
        raise ValueError(
            'must be "reference", "ean13", "key" or a template such as "{reference}-{id_product_attribute}"'
        )
    for _, name, form, conversion in parts:
        if name is not None and (name not in ITEM_CODE_FIELDS or form or conversion):
            known = ", ".join("{" + field + "}" for field in ITEM_CODE_FIELDS)
            raise ValueError(f"may only hold {known}")
    return value


# The lengths are those of orkrg.paymentmethod and ordlev.levwijze (facts/exact-globe.md section 2.2).
PaymentMethod = Annotated[
    str,
    # The letters are those of the schema; another would make the whole document invalid.
    matching(
        r"[ABKRCWIOFPVYXEHS]",
        "must be one of Exact's payment methods, one character such as B (A B C E F H I K O P R S V W X Y)",
    ),
]
DeliveryMethod = Annotated[
    str, matching(r"\S(?:.{0,3}\S)?", "must be one of Exact's delivery methods, at most 5 characters")
]
CountryCode = Annotated[
    str, matching(r"\S{1,3}", "must be one of Exact's country codes, at most 3 characters")
]


def _code(length: int, what: str) -> AfterValidator:
    """A code of the administration, or nothing."""
    most = "one character" if length == 1 else f"{length} characters"
    return matching(rf"(?:\S(?:.{{0,{length - 2}}}\S)?)?", f"must be {what} of at most {most}")


def _check_countries(countries: dict[str, str]) -> dict[str, str]:
    for iso in countries:
        if len(iso) != 2 or not iso.isalpha() or not iso.isascii():
            raise ValueError(f'holds "{iso}", which is not a two-letter country code such as DE')
    return {iso.upper(): code for iso, code in countries.items()}


# Lengths of orkrg and cicmpy (facts/exact-globe.md section 2).
PaymentCondition = Annotated[str, matching(r"\S{1,2}", "must be a payment condition of at most 2 characters")]
ItemCodeTemplate = Annotated[str, AfterValidator(_check_item_code)]
ColumnOfProduct = Annotated[
    str,
    matching(
        r"(?:(?:product|product_attribute)\.[A-Za-z_][A-Za-z0-9_]*)?",
        "must be product.COLUMN or product_attribute.COLUMN, without the table prefix",
    ),
]


class ProductsSettings(Section):
    """Which products go to the ERP, and how."""

    item_code: ItemCodeTemplate = Field(
        default="reference",
        description='What the ERP knows an item by: "reference", "ean13", "key" or a template.',
        examples=['"{reference}-{id_product_attribute}"'],
    )
    bundle_components: Literal["exclude", "export"] = Field(
        default="exclude", description="Whether components of a pack are left out or exported like the rest."
    )
    exclude_column: ColumnOfProduct = Field(
        default="",
        description="Shop column whose true value excludes a product or combination; empty: none.",
        examples=['"product.not_for_erp"'],
    )
    allow_zero_price: bool = Field(default=False, description="Export items whose price is zero.")
    channel: Literal["files", "http"] = Field(
        default="files", description="How documents reach the ERP: an outbox folder, or fetched from `serve`."
    )
    acknowledge: Literal["", "delivery", "result"] = Field(
        default="",
        description="What makes an item acknowledged: delivered, or a result posted back; "
        "empty: delivery for files, result for http.",
    )
    output: FilePath = Field(default=Path("./outbox"), description="The outbox folder.")
    overdue_after: Duration = Field(
        default=timedelta(hours=1),
        description="`status` calls the flow overdue when no run has come to its end for longer than this.",
    )

    @property
    def is_in_use(self) -> bool:
        """Products are what brekzsync is for: they need no word of the configuration."""
        return True

    @property
    def acknowledged_by(self) -> Literal["delivery", "result"]:
        """``acknowledge`` with its default for the channel filled in."""
        return self.acknowledge or ("delivery" if self.channel == "files" else "result")


class OrdersSettings(OptionalSection):
    """Which orders and refunds go to the ERP, and how."""

    channel: Literal["", "files", "http"] = Field(
        default="",
        description="How documents reach the ERP: an outbox folder, or fetched from `serve`; empty: as products.",
    )
    output: OptionalPath = Field(
        default=None,
        description="The outbox folder, with orders/ and refunds/ in it; empty: that of products.",
        examples=['"./outbox"'],
    )
    ready_states: list[int] = Field(
        default=[2], description="An order is due once its history held one of these (id_order_state)."
    )
    dead_states: list[int] = Field(
        default=[6, 8], description="An order in one of these now is not due (id_order_state)."
    )
    shops: list[str] = Field(
        default=[], description="Shops to take orders from; empty: all.", examples=['["NL"]']
    )
    result_timeout: Duration = Field(
        default=timedelta(hours=1),
        description="How long a delivered order waits for its result until its absence in the ERP counts.",
    )
    watch_changes: Duration = Field(
        default=timedelta(days=30),
        description="How long after its export an order is watched for changes made in the shop.",
    )
    overdue_after: Duration = Field(
        default=timedelta(hours=1),
        description="`status` calls the flow overdue when no run has come to its end for longer than this.",
    )
    debtor: Literal["customer", "collective"] = Field(
        default="customer", description="Whether each customer is a debtor or all share one."
    )
    debtor_prefix: Annotated[str, _code(10, "what debtor codes begin with,")] = Field(
        default="",
        description="What stands before id_customer in a customer's debtor code.",
        examples=['"W"'],
    )
    collective_debtor: Annotated[str, _code(20, "a debtor code")] = Field(
        default="", description="Code of the debtor all customers share.", examples=['"90000"']
    )
    countries: Annotated[dict[str, CountryCode], AfterValidator(_check_countries)] = Field(
        default={},
        description="Exact's country code where it is not the shop's ISO code.",
        examples=['{ DE = "D", FR = "F" }'],
    )
    warehouse: Annotated[str, _code(4, "a warehouse code")] = Field(
        default="", description="Warehouse orders are delivered from; empty: Exact's own.", examples=['"1"']
    )
    costcenter: Annotated[str, _code(8, "a cost centre's code")] = Field(
        default="", description="Cost centre of orders; empty: none.", examples=['"WEB"']
    )
    selection: Annotated[str, _code(2, "a selection code")] = Field(
        default="",
        description="Selection code that marks orders of the shop; empty: none.",
        examples=['"WS"'],
    )
    shipping_item: ItemCode = Field(
        default="", description="Item code of shipping costs.", examples=['"SHIPPING"']
    )
    wrapping_item: ItemCode = Field(
        default="", description="Item code of gift wrapping.", examples=['"WRAPPING"']
    )
    discount_item: ItemCode = Field(
        default="", description="Item code of discounts.", examples=['"DISCOUNT"']
    )
    refund_item: ItemCode = Field(
        default="", description="Item code of slip differences.", examples=['"REFUND"']
    )
    rounding_item: ItemCode = Field(
        default="", description="Item code of differences up to 5 cents.", examples=['"ROUNDING"']
    )
    rounding_vat_code: Annotated[str, _code(3, "a VAT code")] = Field(
        default="",
        description="VAT code without VAT, for rounding differences; empty: that of a rate of 0 %.",
        examples=['"0"'],
    )
    discount_form: Literal["negative_quantity", "negative_price"] = Field(
        default="negative_quantity", description="Which of price and quantity is negative on a discount line."
    )
    payment_methods: dict[str, PaymentMethod] = Field(
        default={},
        description="Exact's payment method for each payment module of the shop.",
        examples=['{ ps_wirepayment = "B", ps_checkpayment = "C" }'],
    )
    payment_conditions: dict[str, PaymentCondition] = Field(
        default={},
        description="Exact's payment condition for each payment module; none at all: the debtor's.",
        examples=['{ ps_wirepayment = "00", ps_checkpayment = "14" }'],
    )
    delivery_methods: dict[str, DeliveryMethod] = Field(
        default={},
        description="Exact's delivery method for each carrier, by its id_reference or its name.",
        examples=['{ 2 = "PNL", "Click and collect" = "PICK" }'],
    )
    first_run_limit: int = Field(
        default=50,
        ge=0,
        description="More due orders than this with an empty ledger need --baseline or --force.",
    )


class StockShop(Section):
    """What one written shop, or sharing group, is fed from."""

    warehouses: list[str] = Field(default=[], description="Warehouse codes; empty: [erp] warehouses.")
    share: Percentage = Field(
        default=Decimal(1), description="How much of that stock it may sell.", examples=['"100%"']
    )


class StockSettings(OptionalSection):
    """How the ERP's stock becomes the shop's quantities."""

    quantity: Literal["sellable", "on_hand"] = Field(
        default="sellable", description="Which quantity is written."
    )
    write_via: Literal["webservice", "database"] = Field(
        default="webservice",
        description="Through the webservice (hooks run) or straight into the database (fast).",
    )
    shops: dict[str, StockShop] = Field(
        default={},
        description="The shops to write, each with its warehouses and share; empty: the data shop.",
        examples=['{ NL = { warehouses = ["1"], share = "100%" } }'],
    )
    database: OptionalShopDatabase = Field(
        default=SecretStr(""),
        description='SQLAlchemy URL of a user who may write stock, for write_via = "database"; empty: that of [shop].',
        examples=['"mysql://stockwriter:secret@localhost/prestashop"'],
    )
    max_change: Percentage = Field(
        default=Decimal("0.3"),
        description="A sweep that would change more of the items than this stops before it writes.",
        examples=['"30%"'],
    )
    fractions: Literal["floor", "half_up", "refuse"] = Field(
        default="floor",
        description="What becomes of parts of a piece: cut off, rounded, or left to a person.",
    )
    negatives: Literal["zero", "keep"] = Field(
        default="zero",
        description="Whether a shop shows less than nothing where more was sold than there is.",
    )
    movement_employee: int = Field(
        default=0,
        ge=0,
        description='With write_via = "database": the employee (id_employee) whose stock movements are recorded, as'
        " PrestaShop does for people; 0: none, as it does for its webservice.",
    )
    overdue_after: Duration = Field(
        default=timedelta(hours=26),
        description="`status` calls the flow overdue when no sweep has come to its end for longer than this.",
    )


class ShipmentsSettings(OptionalSection):
    """ERP deliveries that become order states and tracking numbers."""

    shipped_state: int = Field(
        default=4, ge=1, description="Order state of an order that was delivered whole (id_order_state)."
    )
    partial_state: int = Field(
        default=0,
        ge=0,
        description="Order state of an order that was delivered in part (id_order_state); 0: it stays as it is.",
    )
    beyond_states: list[int] = Field(
        default=[4, 5, 6, 7, 8],
        description="Order states that a delivery never moves an order out of (id_order_state).",
    )
    tracking: Annotated[
        str,
        matching(
            r"(?:(?:orkrg|orhkrg)\.[A-Za-z_][A-Za-z0-9_]*)?",
            'must be orkrg.COLUMN or orhkrg.COLUMN, such as "orhkrg.ExternalNumber"',
        ),
    ] = Field(
        default="",
        description="Where Exact keeps tracking numbers (no column of its own is known); empty: none are taken over.",
        examples=['"orkrg.freefield1"'],
    )
    send_email: bool = Field(
        default=False, description="Whether the shop mails its customer when the order's state changes."
    )
    overdue_after: Duration = Field(
        default=timedelta(hours=26),
        description="`status` calls the flow overdue when no run has come to its end for longer than this.",
    )
    first_run_limit: int = Field(
        default=50,
        ge=0,
        description="More due shipments than this with an empty ledger need --baseline or --force.",
    )
