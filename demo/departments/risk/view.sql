-- Risk spells an id TW003696, which is the normalized form.
SELECT
    upper(trim(c.client_id)) AS client_id,
    c.sex,
    c.age,
    c.education,
    c.marital,
    c.prefers_paying_in_full::BOOLEAN AS prefers_paying_in_full,
    c.credit_limit_ntd,
    c.defaulted_next_month::BOOLEAN AS defaulted_next_month,
    m.months_overdue_2005_04,
    m.months_overdue_2005_05,
    m.months_overdue_2005_06,
    m.months_overdue_2005_07
FROM '{data}/clients.parquet' AS c
LEFT JOIN (
    SELECT
        client_id,
        max(months_overdue) FILTER (WHERE month = '2005-04')::VARCHAR AS months_overdue_2005_04,
        max(months_overdue) FILTER (WHERE month = '2005-05')::VARCHAR AS months_overdue_2005_05,
        max(months_overdue) FILTER (WHERE month = '2005-06')::VARCHAR AS months_overdue_2005_06,
        max(months_overdue) FILTER (WHERE month = '2005-07')::VARCHAR AS months_overdue_2005_07
    FROM '{data}/monthly_repayment.parquet'
    GROUP BY client_id
) AS m ON m.client_id = c.client_id
