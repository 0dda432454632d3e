"""Reading a demo folder: a catalogue, the departments' views and policies, and its requests."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from api.demo.errors import FolderInvalid
from api.plan_requests import CubeRequest, QuestionRequest, TrainingRequest
from consent.catalogue import Catalogue, load_catalogue
from federation.coordinator.policy import load_policy as load_coordinator_policy
from federation.node.policy import load_policy as load_node_policy
from federation.plans import explain

Request = TypeVar("Request", bound=BaseModel)

DEPARTMENTS = "departments"


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentFolder:
    """One department's files: its SQL view, its policy, and the folder that ``{data}`` names."""

    view: Path
    policy: Path
    data: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFolder:
    """A whole demo folder, read and checked. Everything in it is public but the data files.

    register: the SQL of the consent register; ``{data}`` in it is the folder ``data``.
    question, training, refused: the three requests, as the API takes them.
    cube: a fourth, if the folder has one, with the training's target among its fields.
    """

    path: Path
    catalogue: Catalogue
    policy: Path
    register: Path
    data: Path
    departments: Mapping[str, DepartmentFolder]
    question: QuestionRequest
    training: TrainingRequest
    refused: QuestionRequest
    cube: CubeRequest | None


def read_folder(path: Path) -> DemoFolder:
    """Read a demo folder and everything in it but the data.

    Raises:
        FolderInvalid: a file is missing or wrong; names it and says what to do.
        CatalogueError, SettingsInvalid: the catalogue or a policy has a mistake, with its key.
    """
    if not path.is_dir():
        raise FolderInvalid(path, "there is no such folder; name one with --from")
    catalogue = load_catalogue(_file(path, "catalogue.toml"))
    policy = _file(path, "policy.toml")
    load_coordinator_policy(policy)
    training = _request(_file(path, "training.toml"), TrainingRequest)
    return DemoFolder(
        path=path,
        catalogue=catalogue,
        policy=policy,
        register=_file(path, "register.sql"),
        data=_folder(path, "data"),
        departments=_departments(path, catalogue),
        question=_request(_file(path, "question.toml"), QuestionRequest),
        training=training,
        refused=_request(_file(path, "refused.toml"), QuestionRequest),
        cube=_cube(path / "cube.toml", training.target),
    )


def _departments(path: Path, catalogue: Catalogue) -> Mapping[str, DepartmentFolder]:
    home = _folder(path, DEPARTMENTS)
    names = {place.name for place in home.iterdir() if place.is_dir()}
    if strangers := names - set(catalogue.departments):
        place = home / min(strangers)
        raise FolderInvalid(place, "is no department of catalogue.toml: add it there or remove it")
    found = {}
    for name in catalogue.departments:
        found[name] = DepartmentFolder(
            view=_file(path, f"{DEPARTMENTS}/{name}/view.sql"),
            policy=_file(path, f"{DEPARTMENTS}/{name}/policy.toml"),
            data=_folder(path, f"data/{name}"),
        )
        load_node_policy(found[name].policy)
    return found


def _cube(file: Path, target: str) -> CubeRequest | None:
    if not file.is_file():  # a firm of two departments has none to deal
        return None
    cube = _request(file, CubeRequest)
    if target not in cube.fields:
        raise FolderInvalid(file, f"its fields lack {target}, the target of training.toml: add it")
    return cube


def _request(file: Path, shape: type[Request]) -> Request:
    try:
        return shape.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FolderInvalid(file, f"is not TOML: {error}") from None
    except ValidationError as error:
        raise FolderInvalid(file, explain(error)) from None


def _file(path: Path, name: str) -> Path:
    return _place(path / name, Path.is_file, "file")


def _folder(path: Path, name: str) -> Path:
    return _place(path / name, Path.is_dir, "folder")


def _place(place: Path, there: Callable[[Path], bool], what: str) -> Path:
    if not there(place):
        raise FolderInvalid(place, f"the {what} is missing; the README shows what belongs in it")
    return place
