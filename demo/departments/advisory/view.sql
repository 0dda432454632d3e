-- Advisory spells an id " TW 003696": with spaces. The normalized form is TW003696.
-- A month without a payment has no row, and stays null: the field is absent, not zero.
SELECT
    upper(replace(c.client_id, ' ', '')) AS client_id,
    c.sex,
    c.age,
    c.education,
    c.marital,
    c.prefers_paying_in_full::BOOLEAN AS prefers_paying_in_full,
    m.payment_ntd_2005_04,
    m.payment_ntd_2005_05,
    m.payment_ntd_2005_06,
    m.payment_ntd_2005_07,
    m.payment_ntd_2005_08
FROM '{data}/clients.parquet' AS c
LEFT JOIN (
    SELECT
        client_id,
        sum(payment_ntd) FILTER (WHERE month = '2005-04') AS payment_ntd_2005_04,
        sum(payment_ntd) FILTER (WHERE month = '2005-05') AS payment_ntd_2005_05,
        sum(payment_ntd) FILTER (WHERE month = '2005-06') AS payment_ntd_2005_06,
        sum(payment_ntd) FILTER (WHERE month = '2005-07') AS payment_ntd_2005_07,
        sum(payment_ntd) FILTER (WHERE month = '2005-08') AS payment_ntd_2005_08
    FROM '{data}/monthly_payment.parquet'
    GROUP BY client_id
) AS m ON m.client_id = c.client_id
