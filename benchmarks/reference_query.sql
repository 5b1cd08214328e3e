-- What an item is made of, in one join as one would write it by hand: the yardstick where no other is at hand.
SELECT c.id_product, c.id_product_attribute, c.reference, c.ean13, texts.name, s.price + cs.price AS price,
    s.active, s.date_upd, brand.name AS brand, category.name AS category, cover.id_image, tax.rate,
    special.reduction, special.reduction_type
FROM ps_product_attribute AS c
JOIN ps_product_attribute_shop AS cs ON cs.id_product_attribute = c.id_product_attribute AND cs.id_shop = 1
JOIN ps_product AS p ON p.id_product = c.id_product
JOIN ps_product_shop AS s ON s.id_product = c.id_product AND s.id_shop = 1
JOIN ps_product_lang AS texts ON texts.id_product = c.id_product AND texts.id_shop = 1 AND texts.id_lang = 1
LEFT JOIN ps_manufacturer AS brand ON brand.id_manufacturer = p.id_manufacturer
LEFT JOIN ps_category_lang AS category
    ON category.id_category = s.id_category_default AND category.id_shop = 1 AND category.id_lang = 1
LEFT JOIN ps_image_shop AS cover ON cover.id_product = c.id_product AND cover.id_shop = 1 AND cover.cover = 1
LEFT JOIN ps_tax_rule AS rule
    ON rule.id_tax_rules_group = s.id_tax_rules_group AND rule.id_country = 13 AND rule.id_state = 0
LEFT JOIN ps_tax AS tax ON tax.id_tax = rule.id_tax
LEFT JOIN ps_specific_price AS special
    ON special.id_product = c.id_product AND special.id_product_attribute IN (0, c.id_product_attribute)
    AND special.id_shop IN (0, 1) AND special.id_cart = 0 AND special.id_customer = 0
