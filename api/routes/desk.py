"""What every route needs: the desk that the application opened when it started."""

from typing import Annotated

from fastapi import Depends, Path, Request

from federation.coordinator.desk import Desk


def _opened(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


OpenDesk = Annotated[Desk, Depends(_opened)]
RUN = r"^[0-9a-f]{16}$"
RunId = Annotated[str, Path(pattern=RUN, description="as Location gave it")]
