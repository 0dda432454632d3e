from pathlib import Path

import pytest

from federation.coordinator.saved_questions import SavedQuestions
from federation.database import open_database


@pytest.fixture
def saved(tmp_path: Path) -> SavedQuestions:
    return SavedQuestions(open_database(f"sqlite:///{tmp_path / 'firm.db'}"))


def test_a_name_stands_for_the_last_question_that_its_asker_gave_it(saved: SavedQuestions) -> None:
    saved.save("regions", {"by": ["region"]}, asker="ann")
    saved.save("regions", {"by": ["age"]}, asker="ben")
    saved.save("regions", {"by": ["income"]}, asker="ann")
    found = [(one.asker, one.form) for one in saved.all()]
    assert found == [("ann", {"by": ["income"]}), ("ben", {"by": ["age"]})]


def test_nobody_forgets_what_somebody_else_saved(saved: SavedQuestions) -> None:
    saved.save("x" * 200, {}, asker="ann")
    (one,) = saved.all()
    assert one.name == "x" * 80
    saved.forget(one.id, asker="ben")
    assert saved.all() == [one]
    saved.forget(one.id, asker="ann")
    assert saved.all() == []
