"""The tables the shoppingfeed module makes in a MySQL shop (facts/shoppingfeed.md section 2.1)."""

from __future__ import annotations

MODULE_TABLES = (
    "CREATE TABLE ps_shoppingfeed_order (id_shoppingfeed_order INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY,"
    " id_internal_shoppingfeed VARCHAR(50), id_order_marketplace VARCHAR(255), name_marketplace VARCHAR(50) NOT NULL,"
    " id_order INTEGER UNSIGNED NOT NULL, payment_method VARCHAR(50) NOT NULL, date_marketplace_creation DATETIME,"
    " id_shoppingfeed_token INTEGER, failed_ticket INTEGER, additionalFields MEDIUMTEXT, date_add DATETIME,"
    " date_upd DATETIME, UNIQUE KEY id_order (id_order)) ENGINE=InnoDB DEFAULT CHARSET=utf8",
    "CREATE TABLE ps_shoppingfeed_token (id_shoppingfeed_token INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY,"
    " id_shop INTEGER NOT NULL, id_lang INTEGER NOT NULL, id_currency INTEGER NOT NULL, content VARCHAR(255),"
    " active TINYINT(1) UNSIGNED, merchant VARCHAR(100), shoppingfeed_store_id INTEGER, feed_key VARCHAR(50),"
    " date_add DATETIME, date_upd DATETIME) ENGINE=InnoDB DEFAULT CHARSET=utf8",
)
