"""The test firm of the federation's tests, for audits through its nodes."""

from tests.federation.conftest import make_firm

__all__ = ["make_firm"]
