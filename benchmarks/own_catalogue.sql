-- One shop in the Netherlands that sells in euros, in one language, to visitors of group 1, with 21 % VAT.
INSERT INTO ps_shop_group (id_shop_group, name) VALUES (1, 'Default');
INSERT INTO ps_shop (id_shop, id_shop_group, name, id_category, theme_name) VALUES (1, 1, 'NL', 2, 'classic');
INSERT INTO ps_lang (id_lang, name, iso_code, language_code, locale, date_format_lite, date_format_full)
VALUES (1, 'Nederlands', 'nl', 'nl-nl', 'nl-NL', 'd-m-Y', 'd-m-Y H:i:s');
INSERT INTO ps_currency (id_currency, name, iso_code, conversion_rate) VALUES (1, 'Euro', 'EUR', 1);
INSERT INTO ps_country (id_country, id_zone, id_currency, iso_code, call_prefix, active)
VALUES (13, 1, 1, 'NL', 31, 1);
INSERT INTO ps_group (id_group, date_add, date_upd) VALUES (1, NOW(), NOW()), (2, NOW(), NOW()), (3, NOW(), NOW());
INSERT INTO ps_tax (id_tax, rate) VALUES (1, 21);
INSERT INTO ps_tax_rules_group (id_tax_rules_group, name, date_add, date_upd) VALUES (1, 'NL 21%', NOW(), NOW());
INSERT INTO ps_tax_rule (id_tax_rules_group, id_country, id_state, zipcode_from, zipcode_to, id_tax)
VALUES (1, 13, 0, '0', '0', 1);
INSERT INTO ps_manufacturer (id_manufacturer, name, date_add, date_upd, active)
VALUES (1, 'Blafferij', NOW(), NOW(), 1), (2, 'Kat & Co', NOW(), NOW(), 1);
INSERT INTO ps_category_lang (id_category, id_shop, id_lang, name, link_rewrite)
SELECT seq, 1, 1, CONCAT('Afdeling ', seq), CONCAT('afdeling-', seq) FROM seq_1_to_8;
INSERT INTO ps_configuration (name, value, date_add, date_upd) VALUES
('PS_LANG_DEFAULT', '1', NOW(), NOW()), ('PS_COUNTRY_DEFAULT', '13', NOW(), NOW()),
('PS_CURRENCY_DEFAULT', '1', NOW(), NOW()), ('PS_TIMEZONE', 'Europe/Amsterdam', NOW(), NOW()),
('PS_UNIDENTIFIED_GROUP', '1', NOW(), NOW()),
('PS_SPECIFIC_PRICE_PRIORITIES', 'id_shop;id_currency;id_country;id_group', NOW(), NOW());

-- {products} is half of {combinations}. The long description is there to be stepped over, as in any shop.
SET SESSION foreign_key_checks = 0, unique_checks = 0, sql_mode = '';
INSERT INTO ps_product (id_product, id_manufacturer, id_category_default, id_tax_rules_group, ean13, reference,
    price, active, date_add, date_upd, product_type)
SELECT seq, 1 + seq % 2, 3 + seq % 6, 1, LPAD(seq, 13, '8'), CONCAT('ART-', seq), 1 + seq % 900 / 7, 1,
    '2024-01-01', '2024-01-01' + INTERVAL seq SECOND, 'combinations'
FROM seq_1_to_{products};
INSERT INTO ps_product_shop (id_product, id_shop, id_category_default, id_tax_rules_group, price, active,
    date_add, date_upd)
SELECT id_product, 1, id_category_default, id_tax_rules_group, price, active, date_add, date_upd FROM ps_product;
INSERT INTO ps_product_lang (id_product, id_shop, id_lang, name, description, description_short, link_rewrite)
SELECT id_product, 1, 1, CONCAT('Brokken & "beloning" nr. ', id_product, ' <volwassen, 15 kg>'),
    REPEAT('Smakelijk, gezond én goedkoop. ', 10), 'Smakelijk', CONCAT('artikel-', id_product)
FROM ps_product;
INSERT INTO ps_product_attribute (id_product_attribute, id_product, reference, ean13, price, default_on)
SELECT seq, (seq + 1) DIV 2, CONCAT('ART-', (seq + 1) DIV 2, '-', seq % 2), LPAD(seq, 13, '9'),
    seq % 2 * 1.25, IF(seq % 2, 1, NULL)
FROM seq_1_to_{combinations};
INSERT INTO ps_product_attribute_shop (id_product, id_product_attribute, id_shop, price, default_on)
SELECT id_product, id_product_attribute, 1, price, default_on FROM ps_product_attribute;
INSERT INTO ps_image (id_image, id_product, position, cover) SELECT id_product, id_product, 1, 1 FROM ps_product;
INSERT INTO ps_image_shop (id_image, id_product, id_shop, cover) SELECT id_image, id_product, 1, 1 FROM ps_image;
INSERT INTO ps_specific_price (id_product, id_shop, price, reduction, reduction_type, `from`, `to`)
SELECT id_product, 1, -1, 0.15, 'percentage', 0, 0 FROM ps_product WHERE id_product % 10 = 0;
ANALYZE TABLE ps_product, ps_product_shop, ps_product_lang, ps_product_attribute, ps_product_attribute_shop,
    ps_specific_price, ps_image_shop;
