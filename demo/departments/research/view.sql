-- Research spells an id tw-3696: without leading zeros. The normalized form is TW003696.
SELECT
    'TW' || lpad(regexp_extract(c.client_id, '\d+'), 6, '0') AS client_id,
    c.sex,
    c.age,
    c.education,
    c.marital,
    c.prefers_paying_in_full::BOOLEAN AS prefers_paying_in_full,
    c.spend_next_month_ntd,
    m.statement_ntd_2005_04,
    m.statement_ntd_2005_05,
    m.statement_ntd_2005_06,
    m.statement_ntd_2005_07,
    m.statement_ntd_2005_08
FROM '{data}/clients.parquet' AS c
LEFT JOIN (
    SELECT
        client_id,
        sum(statement_ntd) FILTER (WHERE month = '2005-04') AS statement_ntd_2005_04,
        sum(statement_ntd) FILTER (WHERE month = '2005-05') AS statement_ntd_2005_05,
        sum(statement_ntd) FILTER (WHERE month = '2005-06') AS statement_ntd_2005_06,
        sum(statement_ntd) FILTER (WHERE month = '2005-07') AS statement_ntd_2005_07,
        sum(statement_ntd) FILTER (WHERE month = '2005-08') AS statement_ntd_2005_08
    FROM '{data}/monthly_statement.parquet'
    GROUP BY client_id
) AS m ON m.client_id = c.client_id
