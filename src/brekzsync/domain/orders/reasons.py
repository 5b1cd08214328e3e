"""Why an order or refund cannot go: the stable codes of its refusals."""

from __future__ import annotations

from enum import StrEnum


class OrderReason(StrEnum):
    """One each; a refusal's message names the field and the remedy."""

    YOUR_REF_TOO_LONG = "your_ref_too_long"
    NO_LINES = "no_lines"
    MISSING_ITEM_CODE = "missing_item_code"
    ITEM_CODE_TOO_LONG = "item_code_too_long"
    ITEM_NOT_CONFIGURED = "item_not_configured"
    UNMAPPED_TAX_RATE = "unmapped_tax_rate"
    VAT_CODE_OF_TWO_RATES = "vat_code_of_two_rates"
    TOTALS_DIFFER = "totals_differ"
    UNKNOWN_CURRENCY = "unknown_currency"
    UNKNOWN_ADDRESS = "unknown_address"
    UNKNOWN_COUNTRY = "unknown_country"
    UNKNOWN_CUSTOMER = "unknown_customer"
    DEBTOR_NOT_CONFIGURED = "debtor_not_configured"
    DEBTOR_CODE_TOO_LONG = "debtor_code_too_long"
    UNMAPPED_PAYMENT_METHOD = "unmapped_payment_method"
    UNMAPPED_PAYMENT_CONDITION = "unmapped_payment_condition"
    UNMAPPED_DELIVERY_METHOD = "unmapped_delivery_method"
