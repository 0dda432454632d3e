import inspect

from privacy import errors

EXAMPLES = [
    errors.InvalidLoss("rho", -1.0),
    errors.InvalidBound("clip_norm", 0.0),
    errors.NoiseTooSmall(3, 8),
    errors.BudgetExceeded("firm", 0.5, 0.25),
    errors.UnknownPool("firm/risk"),
    errors.UnknownReservation("digest#1"),
    errors.LedgerConflict("firm", "is open with another budget"),
    errors.LedgerBroken(4, "does not match its digest"),
]


def test_every_refusal_is_a_privacy_error_and_has_an_example_here() -> None:
    leaves = {
        leaf
        for _, leaf in inspect.getmembers(errors, inspect.isclass)
        if issubclass(leaf, errors.PrivacyError) and leaf is not errors.PrivacyError
    }
    assert {type(example) for example in EXAMPLES} == leaves


def test_every_refusal_keeps_its_values_and_says_them() -> None:
    for example in EXAMPLES:
        values = vars(example)
        assert values
        for value in values.values():
            assert str(value) in str(example)


def test_a_budget_refusal_carries_both_amounts() -> None:
    refusal = errors.BudgetExceeded("firm", 0.5, 0.25)
    assert (refusal.pool, refusal.requested, refusal.remaining) == ("firm", 0.5, 0.25)
