"""What may be spent and on what: the privacy budget and the catalogue."""

from fastapi import APIRouter

from api.auth import Staff
from api.routes.desk import OpenDesk
from api.schemas import Budget, CatalogueView
from federation.coordinator.desk import budgets

router = APIRouter(tags=["budget"])


@router.get("/api/v1/budget")
def read_budget(desk: OpenDesk, _caller: Staff) -> list[Budget]:
    """Return every pool: what it was given, what is spent and reserved, and what is left."""
    return [Budget.of(view) for view in budgets(desk)]


@router.get("/api/v1/catalogue")
def read_catalogue(desk: OpenDesk, _caller: Staff) -> CatalogueView:
    """Return the fields there are, with their public bounds, levels and purposes."""
    return CatalogueView(digest=desk.catalogue.digest(), catalogue=desk.catalogue)
