"""A tiny firm: two departments, other columns than the demo's, 400 synthetic clients."""

import csv
from hashlib import sha256
from io import StringIO
from pathlib import Path

CATALOGUE = """
name = "Synthetic savers"
departments = ["lending", "wealth"]
[[purposes]]
name = "product_insight"
title = "Understanding who buys what"
title_zh = "了解产品购买"
[[purposes]]
name = "bond_model"
title = "Model of who buys bonds"
[[purposes]]
name = "lending_review"
title = "Review of loans"
[[fields]]
name = "region"
title = "Region"
title_zh = "地区"
departments = ["lending", "wealth"]
kind = "category"
categories = ["north", "south", "east"]
level = 1
purposes = ["product_insight", "bond_model"]
[[fields]]
name = "income"
title = "Income"
departments = ["lending", "wealth"]
kind = "number"
lower = 0
upper = 200
edges = [50, 100]
unit = "kEUR"
level = 1
purposes = ["product_insight", "bond_model"]
[[fields]]
name = "patience"
title = "Patience"
departments = ["wealth"]
kind = "number"
lower = 0
upper = 1
level = 2
purposes = ["product_insight", "bond_model"]
[[fields]]
name = "buys_bonds"
title = "Buys bonds"
title_zh = "购买债券"
departments = ["lending", "wealth"]
kind = "flag"
level = 1
purposes = ["product_insight", "bond_model"]
[[fields]]
name = "debt"
title = "Debt"
departments = ["lending"]
kind = "number"
lower = 0
upper = 500
level = 4
purposes = ["lending_review"]
"""

REGISTER = """
SELECT lower(client) AS client_id, household AS household_id, level
FROM '{data}/register.csv'
"""

VIEWS = {
    "lending": """
SELECT lower(replace(id, '-', '')) AS client_id, region, income::DOUBLE AS income,
       buys_bonds::BOOLEAN AS buys_bonds, debt::DOUBLE AS debt
FROM '{data}/loans.csv'
""",
    "wealth": """
SELECT lower(id) AS client_id, region, patience::DOUBLE AS patience,
       income::DOUBLE AS income, buys_bonds::BOOLEAN AS buys_bonds
FROM '{data}/accounts.csv'
""",
}

POLICY = """
delta = 1e-6
automatic_epsilon = 8.0
minimum_cohort = 2
[firm]
epsilon = 40.0
[purposes.product_insight]
epsilon = 20.0
[purposes.bond_model]
epsilon = 30.0
[purposes.lending_review]
epsilon = 1.0
"""

NODE_POLICY = """
kinds = ["question", "training", "evaluation"]
max_rho = 10.0
delta = 1e-6
lifetime_epsilon = 60.0

[purposes]
product_insight = 30.0
bond_model = 50.0
"""

QUESTION = """
purpose = "product_insight"
by = ["region"]
epsilon = 4.0
reason = "who buys bonds, by region"

[[statistics]]
kind = "count"

[[statistics]]
kind = "mean"
field = "income"
"""

TRAINING = """
purpose = "bond_model"
target = "buys_bonds"
features = ["income", "patience", "region"]
rounds = 2
local_steps = 5
epsilon = 8.0
reason = "the shared bond model"
"""

REFUSED = """
purpose = "product_insight"
epsilon = 0.5
reason = "how deep in debt they are"

[[statistics]]
kind = "mean"
field = "debt"
"""


def _draw(client: int, what: str) -> float:
    """Return a number in [0, 1) that looks random and is the same in every run."""
    return int.from_bytes(sha256(f"{client} {what}".encode()).digest()[:4]) / 2**32


def _table(rows: list[dict[str, object]]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_tiny_folder(folder: Path) -> Path:
    """Write the whole folder that `infosandbox demo --from` takes."""
    loans, accounts, register = [], [], []
    for client in range(400):
        income, patience = 200 * _draw(client, "income"), _draw(client, "patience")
        buys = int(income / 200 + patience + 0.4 * _draw(client, "luck") > 1.2)
        core = {
            "region": ["north", "south", "east"][client % 3],
            "income": round(income, 2),
            "buys_bonds": buys,
        }
        if _draw(client, "lending") < 0.8:
            debt = round(500 * _draw(client, "debt"), 2)
            loans.append(
                {"id": f"C-{client:04d}", **core, "income": round(income, 2), "debt": debt}
            )
        if _draw(client, "wealth") < 0.7:
            accounts.append({"id": f"C{client:04d}", **core, "patience": round(patience, 4)})
        level = int(5 * _draw(client, "level"))
        register.append({"client": f"C{client:04d}", "household": f"h{client}", "level": level})
    files = {
        "catalogue.toml": CATALOGUE,
        "register.sql": REGISTER,
        "policy.toml": POLICY,
        "question.toml": QUESTION,
        "training.toml": TRAINING,
        "refused.toml": REFUSED,
        "data/register.csv": _table(register),
        "data/lending/loans.csv": _table(loans),
        "data/wealth/accounts.csv": _table(accounts),
    }
    for department, view in VIEWS.items():
        files[f"departments/{department}/view.sql"] = view
        files[f"departments/{department}/policy.toml"] = NODE_POLICY
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
