from pathlib import Path

import pytest

from consent.catalogue import Catalogue, load_catalogue
from consent.errors import LevelSkipped, UnknownStage
from consent.levels import Level
from consent.stages import STAGES, Stage, propose


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(Path(__file__).parents[2] / "demo" / "catalogue.toml")


def test_each_stage_builds_on_the_one_before() -> None:
    assert [stage.name for stage in STAGES] == [
        "onboarding",
        "mandate",
        "family_office",
        "succession",
    ]
    assert [stage.level for stage in STAGES] == list(Level)[1:]


def test_every_stage_says_in_both_languages_what_it_never_opens() -> None:
    for stage in STAGES:
        assert all((stage.title, stage.title_zh, stage.never, stage.never_zh))


@pytest.mark.parametrize("stage", STAGES)
def test_a_proposal_names_what_it_opens_and_what_stays_closed(
    stage: Stage, catalogue: Catalogue
) -> None:
    proposal = propose(stage.name, Level(stage.level - 1), catalogue)
    assert proposal is not None
    assert (proposal.stage, proposal.level) == (stage, stage.level)
    levels = {field.name: field.level for field in catalogue.fields}
    assert [levels[name] for name in proposal.opens] == [stage.level] * len(proposal.opens)
    assert proposal.opens
    assert all(levels[name] > stage.level for name in proposal.stays_closed)
    lower = sum(level < stage.level for level in levels.values())
    assert len(proposal.opens) + len(proposal.stays_closed) + lower == len(levels)


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_proposed_to_who_has_given_it(stage: Stage, catalogue: Catalogue) -> None:
    for level in range(stage.level, 5):
        assert propose(stage.name, Level(level), catalogue) is None


def test_a_level_that_the_stage_builds_on_is_not_skipped(catalogue: Catalogue) -> None:
    with pytest.raises(LevelSkipped) as caught:
        propose("succession", Level.BASIC_ASSETS, catalogue)
    refusal = caught.value
    assert (refusal.stage, refusal.needs, refusal.earlier) == ("succession", 2, "mandate")
    assert 'propose the stage "mandate" first' in str(refusal)
    with pytest.raises(LevelSkipped, match='"onboarding" first'):
        propose("mandate", Level.NONE, catalogue)


def test_an_unknown_stage_is_refused_with_the_known_ones(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownStage) as caught:
        propose("retirement", Level.NONE, catalogue)
    assert caught.value.known == tuple(stage.name for stage in STAGES)


def test_a_firm_may_have_stages_of_its_own(catalogue: Catalogue) -> None:
    only = Stage(
        name="all_in_one",
        title="All in one",
        title_zh="一站式",
        level=Level(4),
        never="-",
        never_zh="-",
    )
    proposal = propose("all_in_one", Level.NONE, catalogue, stages=[only])
    assert proposal is not None
    assert len(proposal.opens) == len(catalogue.fields)
    assert proposal.stays_closed == ()
