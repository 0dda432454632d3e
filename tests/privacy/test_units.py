import pytest

from privacy.errors import InvalidBound
from privacy.units import ContributionBound, NeighboringRelation, PrivacyUnit


@pytest.mark.parametrize("departments", [0, -1, True, 1.0, None])
def test_a_unit_counts_in_at_least_one_whole_department(departments: object) -> None:
    with pytest.raises(InvalidBound) as caught:
        ContributionBound(departments)
    assert caught.value.what == "departments"


@pytest.mark.parametrize("clients", [0, -1, True, 1.0, None])
def test_a_unit_has_at_least_one_whole_client(clients: object) -> None:
    with pytest.raises(InvalidBound) as caught:
        ContributionBound(1, clients)
    assert caught.value.what == "clients"


def test_a_unit_contributes_with_each_client_in_each_department() -> None:
    assert ContributionBound(3).contributions == 3
    assert ContributionBound(departments=3, clients=2).contributions == 6


def test_units_and_relations_are_written_as_their_words() -> None:
    assert [str(unit) for unit in PrivacyUnit] == ["client", "household"]
    assert [str(relation) for relation in NeighboringRelation] == ["add-or-remove"]
