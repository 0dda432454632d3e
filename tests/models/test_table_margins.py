import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.errors import TablesTooNoisy
from models.table_margins import Agreement, agreement, drawn_to_independence
from models.tables import Table

FIELDS = 3, 4, 2
joint = arrays(np.float64, FIELDS, elements=st.floats(20, 2000))
PAIRS = {(0, 1): 2, (0, 2): 1, (1, 2): 0}
"""Two fields, and the one that their table does not name."""


def tables_of(counts: Table) -> tuple[list[Table], dict[tuple[int, int], Table]]:
    histograms = [counts.sum(axis=tuple({0, 1, 2} - {field})) for field in range(3)]
    return histograms, {pair: counts.sum(axis=other) for pair, other in PAIRS.items()}


def with_noise(table: Table, sigma: float, lot: torch.Generator) -> Table:
    drawn = torch.randn(table.shape, generator=lot, dtype=torch.float64)
    return np.asarray(table + sigma * drawn.numpy())


def noised(counts: Table, sigma: float, seed: int) -> Agreement:
    histograms, crosstabs = tables_of(counts)
    lot = torch.Generator().manual_seed(seed)
    return agreement(
        [with_noise(table, sigma, lot) for table in histograms],
        {pair: with_noise(table, sigma, lot) for pair, table in crosstabs.items()},
        sigma=sigma,
    )


@given(joint)
def test_without_noise_covariances_are_those_of_the_indicators(counts: Table) -> None:
    histograms, crosstabs = tables_of(counts)
    found = agreement(histograms, crosstabs, sigma=0.0)
    for (i, j), table in crosstabs.items():
        share = table / table.sum()
        expected = share - np.outer(share.sum(axis=1), share.sum(axis=0))
        assert found.covariances[i, j] == pytest.approx(expected)
    own = histograms[0] / histograms[0].sum()
    assert found.covariances[0, 0] == pytest.approx(np.diag(own) - np.outer(own, own))


@given(joint, st.floats(1, 20), st.integers(0, 2**32))
def test_what_agrees_is_a_covariance_of_indicators(counts: Table, sigma: float, seed: int) -> None:
    found = noised(counts, sigma, seed)
    for i, j in PAIRS:
        assert found.covariances[i, j].sum(axis=0) == pytest.approx(0, abs=1e-9)
        assert found.covariances[i, j].sum(axis=1) == pytest.approx(0, abs=1e-9)
        assert found.margins[i, j].sum() == pytest.approx(1)


def test_tables_of_the_same_clients_tell_their_shares_with_less_noise() -> None:
    counts = np.arange(1.0, 25.0).reshape(FIELDS) * 50
    told = [noised(counts, 100.0, seed).margins[1, 2] for seed in range(60)]
    expected = counts.sum(axis=(0, 2)) / counts.sum()
    alone = 100 * 2**0.5 / counts.sum()  # a row's sum over two cells
    assert np.std(np.array(told) - expected) < 0.85 * alone


def test_tables_of_other_clients_keep_shares_of_their_own() -> None:
    histograms, crosstabs = tables_of(np.full(FIELDS, 500.0))
    crosstabs[0, 1] = np.outer([9.0, 1.0, 2.0], np.ones(4)) * 500
    found = agreement(histograms, crosstabs, sigma=5.0)
    assert found.margins[0, 1] == pytest.approx([9 / 12, 1 / 12, 2 / 12], abs=1e-3)
    assert found.margins[0, 2] == pytest.approx(1 / 3, abs=1e-3)


def test_a_departure_that_noise_explains_goes_and_a_clear_one_stays() -> None:
    kernel = np.diag([0.5, 0.4, 0.1]) ** 2
    clear = np.outer([0.1, -0.08, -0.02], [0.1, -0.08, -0.02])
    kept = drawn_to_independence(clear, rows=kernel, columns=kernel, noise=1e-5)
    assert kept == pytest.approx(clear, rel=0.01)
    noise = with_noise(np.zeros((3, 3)), 0.01, torch.Generator().manual_seed(1))
    gone = drawn_to_independence(noise, rows=kernel, columns=kernel, noise=0.01)
    assert np.linalg.norm(gone) < np.linalg.norm(noise)
    assert drawn_to_independence(noise, rows=kernel, columns=kernel, noise=0.0) is noise


def test_a_total_that_the_noise_drowns_is_refused() -> None:
    histograms, crosstabs = tables_of(np.full(FIELDS, 5.0))
    with pytest.raises(TablesTooNoisy):
        agreement(histograms, crosstabs, sigma=1e4)
