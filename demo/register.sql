-- The consent register as the demo starts: one row per client, under the normalized id.
-- Households and levels are SYNTHETIC.
SELECT
    upper(trim(client_id)) AS client_id,   -- TW003696
    household_id,
    level
FROM '{data}/consent/register.parquet'
