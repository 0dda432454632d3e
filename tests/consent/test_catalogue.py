from pathlib import Path

import pytest
from pydantic import ValidationError

from consent.catalogue import Catalogue, Field, load_catalogue
from consent.errors import CatalogueError, UnknownField, UnknownPurpose
from consent.levels import Level

HEAD = """
name = "test"
departments = ["risk", "research"]
purposes = [{ name = "insight", title = "Insight" }]
"""
AGE = """
[[fields]]
name = "age"
title = "Age"
departments = ["risk", "research"]
kind = "number"
lower = 18
upper = 80
edges = [25, 35]
level = 1
purposes = ["insight"]
"""
MARITAL = """
[[fields]]
name = "marital"
title = "Marital status"
departments = ["risk"]
kind = "category"
categories = ["married", "single"]
level = 3
purposes = ["insight"]
"""
RULE = """
[[rules]]
field = "age"
only_for = ["insight"]
text = "Ages are looked at only to understand."
"""
WHOLE = HEAD + AGE + MARITAL + RULE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalogue.toml"


def load(file: Path, text: str) -> Catalogue:
    file.write_text(text, encoding="utf-8")
    return load_catalogue(file)


def test_a_catalogue_is_read_from_toml(file: Path) -> None:
    catalogue = load(file, WHOLE)
    assert catalogue.departments == ("risk", "research")
    assert catalogue.purpose("insight").title == "Insight"
    age = catalogue.field("age")
    assert (age.lower, age.upper, age.edges) == (18.0, 80.0, (25.0, 35.0))
    assert age.level is Level.BASIC_ASSETS


def test_an_unknown_name_is_refused_with_the_known_ones(file: Path) -> None:
    catalogue = load(file, WHOLE)
    with pytest.raises(UnknownField) as field:
        catalogue.field("salary")
    assert field.value.known == ("age", "marital")
    with pytest.raises(UnknownPurpose) as purpose:
        catalogue.purpose("curiosity")
    assert purpose.value.known == ("insight",)


@pytest.mark.parametrize(
    ("old", "new", "key", "what_to_do"),
    [
        ('kind = "number"\n', "", "fields.age.kind", "is missing; add it"),
        ("level = 1", "levle = 1", "fields.age.levle", "correct its spelling"),
        ("level = 1", "level = 5", "fields.age.level", "0, 1, 2, 3 or 4"),
        ("level = 1", "level = 0", "fields.age.level", "use 1 to 4"),
        ("level = 1", 'level = "1"', "fields.age.level", "should be"),
        ("lower = 18\n", "", "fields.age", "add both lower and upper"),
        ("lower = 18", "lower = 90", "fields.age", "lower must be less than upper"),
        ("lower = 18", "lower = nan", "fields.age.lower", "finite"),
        ("lower = 18", "lower = -inf", "fields.age.lower", "finite"),
        ("lower = 18", "lower = 1979-05-27", "fields.age.lower", "number"),
        ("lower = 18\nupper = 80", "lower = -1e308\nupper = 1e308", "fields.age", "correct the"),
        ("[25, 35]", "[35, 25]", "fields.age", "sort them"),
        ("[25, 35]", "[25, 25]", "fields.age", "remove duplicates"),
        ("[25, 35]", "[18, 35]", "fields.age", "strictly between lower and upper"),
        ("[25, 35]", "[25, 80]", "fields.age", "strictly between lower and upper"),
        ('name = "age"', 'name = "Age"', "fields.Age.name", "pattern"),
        ('name = "age"', 'name = "client_id"', "fields.client_id.name", "choose another name"),
        ('name = "age"', 'name = "marital"', "", 'fields: "marital" stands here twice'),
        ('title = "Age"', 'title = ""', "fields.age.title", "at least 1 character"),
        ('"married", "single"', '"single", "single"', "fields.marital.categories", "twice"),
        ('"married", "single"', '"single"', "fields.marital", "at least two"),
        ('categories = ["married", "single"]\n', "", "fields.marital", "list them"),
        ('kind = "category"', 'kind = "flag"', "fields.marital", "remove them"),
        ('kind = "category"', 'kind = "text"', "fields.marital.kind", "'category'"),
        ('kind = "category"', 'kind = "category"\nedges = [1]', "fields.marital", '"edges"'),
        (
            'level = 3\npurposes = ["insight"]',
            "level = 3\npurposes = []",
            "fields.marital.purposes",
            "1",
        ),
        ('level = 3\npurposes = ["insight"]', "level = 3", "fields.marital.purposes", "add it"),
        ('["insight"]', '["insigth"]', "", 'fields.age.purposes: "insigth" is not among'),
        ('["insight"]', '["insight", "insight"]', "fields.age.purposes", "keep one"),
        (
            'departments = ["risk"]',
            'departments = ["ops"]',
            "",
            'fields.marital.departments: "ops"',
        ),
        ('departments = ["risk"]', "departments = []", "fields.marital.departments", "1"),
        ('["risk", "research"]\npurposes', '["risk", "risk"]\npurposes', "", 'departments: "risk"'),
        ('name = "test"\n', "", "name", "is missing; add it"),
        ('field = "age"', 'field = "agee"', "", 'rules.0.field: there is no field "agee"'),
        (
            'only_for = ["insight"]',
            'only_for = ["kyc"]',
            "",
            'rules.0.only_for: "kyc" is not among',
        ),
        ('only_for = ["insight"]', "only_for = []", "rules.0.only_for", "1"),
        ("text = ", "txt = ", "rules.0.txt", "spelling"),
        ("level = 1", "level = 1\nfamily = true", "fields.age", "a family field has level 3 or 4"),
        ("level = 3", 'level = 3\nfamily = "yes"', "fields.marital.family", "boolean"),
        ('name = "test"', 'name = "test"\nclients_per_household = 0', "clients_per_household", "1"),
        ('title = "Insight"', 'titel = "Insight"', "purposes.insight.titel", "spelling"),
    ],
)
def test_a_mistake_is_named_with_its_file_its_key_and_what_to_do(
    file: Path, old: str, new: str, key: str, what_to_do: str
) -> None:
    assert old in WHOLE
    with pytest.raises(CatalogueError) as caught:
        load(file, WHOLE.replace(old, new, 1))
    assert caught.value.file == str(file)
    assert str(file) in str(caught.value)
    assert any(m.key == key and what_to_do in m.problem for m in caught.value.mistakes), str(
        caught.value
    )
    assert what_to_do in str(caught.value)


def test_a_rule_narrows_the_purposes_of_its_field(file: Path) -> None:
    two = WHOLE.replace('Insight" }', 'Insight" }, { name = "kyc", title = "KYC" }')
    both = two.replace(
        'level = 1\npurposes = ["insight"]', 'level = 1\npurposes = ["insight", "kyc"]'
    )
    assert load(file, both).field("age").purposes == ("insight",)
    assert load(file, both.replace(RULE, "")).field("age").purposes == ("insight", "kyc")
    only_kyc = both.replace('only_for = ["insight"]', 'only_for = ["kyc"]')
    assert load(file, only_kyc).field("age").purposes == ("kyc",)
    with pytest.raises(CatalogueError, match="leaves age no purpose"):
        load(file, two.replace('only_for = ["insight"]', 'only_for = ["kyc"]'))


def test_family_fields_are_those_of_level_three_and_four_unless_said_otherwise(file: Path) -> None:
    catalogue = load(file, WHOLE)
    assert not catalogue.field("age").of_family
    assert catalogue.field("marital").of_family
    own = load(file, WHOLE.replace("level = 3", "level = 3\nfamily = false"))
    assert not own.field("marital").of_family
    assert own.digest() != catalogue.digest()


def test_eight_clients_of_a_household_count_unless_said_otherwise(file: Path) -> None:
    assert load(file, WHOLE).clients_per_household == 8
    assert load(file, "clients_per_household = 2\n" + WHOLE).clients_per_household == 2


def test_all_mistakes_are_named_at_once(file: Path) -> None:
    with pytest.raises(CatalogueError) as caught:
        load(file, WHOLE.replace("level = 1", "level = 9").replace("level = 3", "level = 8"))
    assert [m.key for m in caught.value.mistakes] == ["fields.age.level", "fields.marital.level"]


@pytest.mark.parametrize(
    "cells",
    [
        f"edges = {[n / 20 + 19 for n in range(1000)]}",
        f'edges = []\n[[fields]]\nname = "c"\ncategories = {[f"c{n}" for n in range(1001)]}',
    ],
)
def test_more_than_a_thousand_cells_are_refused(file: Path, cells: str) -> None:
    with pytest.raises(CatalogueError, match="at most"):
        load(file, WHOLE.replace("edges = [25, 35]", cells))


def test_a_thousand_cells_are_allowed(file: Path) -> None:
    edges = [n / 20 + 19 for n in range(999)]
    catalogue = load(file, WHOLE.replace("[25, 35]", str(edges)))
    assert len(catalogue.field("age").labels()) == 1000


def test_what_is_no_toml_is_refused_with_its_line(file: Path) -> None:
    with pytest.raises(CatalogueError, match=r"is not TOML: .*line 2"):
        load(file, 'name = "test"\nname = "again"\n')
    file.write_bytes(b"name = '\xff'")
    with pytest.raises(CatalogueError, match="is not TOML"):
        load_catalogue(file)


def test_a_missing_file_is_named(file: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read: No such file"):
        load_catalogue(file)


def test_equal_catalogues_have_equal_digests(file: Path) -> None:
    digest = load(file, WHOLE).digest()
    assert load(file, "# a remark\n" + WHOLE.replace("18", "18.0")).digest() == digest
    assert load(file, WHOLE.replace("upper = 80", "upper = 81")).digest() != digest
    assert len(bytes.fromhex(digest)) == 32


def test_a_catalogue_survives_its_own_json(file: Path) -> None:
    catalogue = load(file, WHOLE)
    assert Catalogue.model_validate_json(catalogue.model_dump_json()) == catalogue


def test_a_catalogue_cannot_be_changed(file: Path) -> None:
    with pytest.raises(ValidationError):
        load(file, WHOLE).name = "other"


def number(*edges: float, lower: float = -100, upper: float = 1_000_000) -> Field:
    return Field(
        name="amount",
        title="Amount",
        departments=("risk",),
        kind="number",
        lower=lower,
        upper=upper,
        edges=edges,
        level=Level.BASIC_ASSETS,
        purposes=("insight",),
    )


@pytest.mark.parametrize(
    ("edges", "labels"),
    [
        ((25, 35, 36, 40), ("< 25", "25–34", "35", "36–39", "≥ 40")),
        ((50_000, 100_000), ("< 50,000", "50,000–99,999", "≥ 100,000")),
        ((-1, 0, 0.5), ("< -1", "[-1, 0)", "[0, 0.5)", "≥ 0.5")),
        ((10,), ("< 10", "≥ 10")),
        ((), ("all",)),
    ],
)
def test_bins_are_named_by_what_they_hold(
    edges: tuple[float, ...], labels: tuple[str, ...]
) -> None:
    assert number(*edges).labels() == labels
    assert len(labels) == len(edges) + 1


def test_categories_and_flags_name_their_cells(file: Path) -> None:
    assert load(file, WHOLE).field("marital").labels() == ("married", "single")
    flag = Field(
        name="f",
        title="F",
        departments=("risk",),
        kind="flag",
        level=Level.BASIC_ASSETS,
        purposes=("insight",),
    )
    assert flag.labels() == ("no", "yes")


@pytest.mark.parametrize("edges", ["[35, 25]", "[25, 25]"])
def test_bins_that_overlap_are_refused(file: Path, edges: str) -> None:
    with pytest.raises(CatalogueError, match="edges must grow"):
        load(file, WHOLE.replace("[25, 35]", edges))


def test_a_field_with_100_000_categories_is_refused(file: Path) -> None:
    many = str([f"c{n}" for n in range(100_000)])
    with pytest.raises(CatalogueError, match="at most 1000"):
        load(file, WHOLE.replace('["married", "single"]', many))


def test_shares_are_one_for_each_label_and_add_up(file: Path) -> None:
    def shared(shares: str) -> str:
        return WHOLE.replace("edges = [25, 35]", f"edges = [25, 35]\nshares = {shares}")

    assert load(file, shared("[0.2, 0.5, 0.3]")).field("age").shares == (0.2, 0.5, 0.3)
    for shares in ("[0.5, 0.5]", "[0.5, 0.6, 0.1]", "[1.2, -0.1, -0.1]"):
        with pytest.raises(CatalogueError, match="give 3 shares"):
            load(file, shared(shares))
