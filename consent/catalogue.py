"""The catalogue: every field the departments may use, its public bounds, level and purposes.

It is public, the same file at every party, and named by its digest. Nothing in it comes from data:
bounds, edges and categories are chosen by people who know the form, not by looking at the rows.
"""

import json
import math
import tomllib
from collections import Counter
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

import rfc8785
from pydantic import (
    BaseModel,
    ConfigDict,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic import Field as Key
from pydantic_core import ErrorDetails, PydanticCustomError

from consent.errors import CatalogueError, Mistake, UnknownField, UnknownPurpose
from consent.levels import Level
from consent.purposes import NAME, Purpose

MAXIMUM_CELLS = 1000
"""Most cells (bins or categories) of one field; a release is a vector over cells."""

Name = Annotated[str, StringConstraints(pattern=NAME)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_RESERVED = ("client_id", "household_id")
_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Field(BaseModel):
    """One fact about a client, as several departments may hold it.

    kind: "number" has public bounds ``lower`` < ``upper`` (values outside are legal and are clipped
    to them) and ``edges`` that cut it into bins; bin i holds edges[i-1] <= x < edges[i].
    "category" lists its ``categories``. "flag" is no or yes.
    transform: how a number is scaled for a model; "signed_log" suits amounts with long tails.
    level: the authorization a client must have given; purposes: what the field may be used for.
    family: whether a household may close it; if nothing is said, every field of level 3 and 4.
    shares: a public guess of the part of clients at each label, adding up to 1; a filter's width
    is judged by it, or else as if labels were equally many.
    """

    model_config = _STRICT

    name: Name
    title: Text
    title_zh: str = Key(default="", max_length=200)
    departments: tuple[Name, ...] = Key(min_length=1)
    kind: Literal["number", "category", "flag"]
    lower: float | None = None
    upper: float | None = None
    edges: tuple[float, ...] = Key(default=(), max_length=MAXIMUM_CELLS - 1)
    categories: tuple[Text, ...] = Key(default=(), max_length=MAXIMUM_CELLS)
    transform: Literal["linear", "signed_log"] = "linear"
    level: Level
    purposes: tuple[Name, ...] = Key(min_length=1)
    unit: str = Key(default="", max_length=20)
    family: bool | None = None
    shares: tuple[float, ...] = Key(default=(), max_length=MAXIMUM_CELLS)

    @field_validator("name")
    @classmethod
    def _name_is_not_reserved(cls, name: str) -> str:
        if name in _RESERVED:
            raise _mistake("names the client, not a fact about the client; choose another name")
        return name

    @field_validator("level")
    @classmethod
    def _level_opens_something(cls, level: Level) -> Level:
        if level is Level.NONE:
            raise _mistake("level 0 opens nothing; use 1 to 4")
        return level

    @field_validator("departments", "categories", "purposes")
    @classmethod
    def _no_duplicates(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if twice := _twice(names):
            raise _mistake(f'"{twice[0]}" stands here twice; keep one')
        return names

    @model_validator(mode="after")
    def _kind_has_its_keys(self) -> Self:
        if self.kind != "number":
            for key in ("lower", "upper", "edges", "transform", "unit"):
                if getattr(self, key) != type(self).model_fields[key].default:
                    raise _mistake(f'"{key}" belongs to a number; this is a {self.kind}: remove it')
        if self.kind != "category" and self.categories:
            raise _mistake(f"categories belong to a category; this is a {self.kind}: remove them")
        if self.kind == "category" and len(self.categories) < 2:  # noqa: PLR2004 - one is a constant
            raise _mistake("a category needs at least two categories; list them")
        if self.kind == "number":
            self._check_bounds_and_edges()
        return self

    @model_validator(mode="after")
    def _family_and_shares_fit(self) -> Self:
        if shares := self.shares:
            whole = math.isclose(sum(shares), 1, abs_tol=1e-3) and min(shares) >= 0
            if len(shares) != len(self.labels()) or not whole:
                raise _mistake(f"give {len(self.labels())} shares, none below 0, that add up to 1")
        if self.family and self.level < Level.FAMILY_STRUCTURE:
            raise _mistake("a family field has level 3 or 4; raise its level or remove family")
        return self

    @property
    def of_family(self) -> bool:
        """Whether the field describes the household, so that any member of it may close it."""
        return self.level >= Level.FAMILY_STRUCTURE if self.family is None else self.family

    def _check_bounds_and_edges(self) -> None:
        if self.lower is None or self.upper is None:
            raise _mistake("a number needs public bounds; add both lower and upper")
        if self.lower >= self.upper or not math.isfinite(self.upper - self.lower):
            raise _mistake("lower must be less than upper; correct the bounds")
        if any(a >= b for a, b in pairwise(self.edges)):
            raise _mistake("the edges must grow, each once; sort them and remove duplicates")
        if self.edges and not (self.lower < self.edges[0] and self.edges[-1] < self.upper):
            raise _mistake("every edge must lie strictly between lower and upper; move it")

    def labels(self) -> tuple[str, ...]:
        """Return the names of the field's cells, in order: k+1 bins, the categories, or no and yes.

        The outer bins also hold what lies beyond the bounds, and are named so.
        """
        if self.kind == "category":
            return self.categories
        if self.kind == "flag":
            return ("no", "yes")
        if not self.edges:
            return ("all",)
        inner = (_bin(a, b) for a, b in pairwise(self.edges))
        return (f"< {self.edges[0]:,.15g}", *inner, f"≥ {self.edges[-1]:,.15g}")


class Rule(BaseModel):
    """A rule of law or of the house that keeps a field to some purposes, with its reason.

    It narrows the field's own purposes, and a refusal quotes it: "tax facts only for KYC".
    """

    model_config = _STRICT

    field: Name
    only_for: tuple[Name, ...] = Key(min_length=1)
    text: Text
    text_zh: str = Key(default="", max_length=200)


class Catalogue(BaseModel):
    """Departments, purposes and fields that belong together. Public; equal files, equal digests.

    rules: what they forbid is already taken out of the fields' purposes.
    clients_per_household: the most clients of one household that a plan which protects households
    may count; the more it counts, the larger its noise.
    """

    model_config = _STRICT

    name: Text
    departments: tuple[Name, ...] = Key(min_length=1)
    purposes: tuple[Purpose, ...] = Key(min_length=1)
    fields: tuple[Field, ...] = Key(min_length=1)
    rules: tuple[Rule, ...] = ()
    clients_per_household: int = Key(default=8, ge=1, le=100)

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        purposes = tuple(purpose.name for purpose in self.purposes)
        for key, names in (
            ("departments", self.departments),
            ("purposes", purposes),
            ("fields", tuple(field.name for field in self.fields)),
        ):
            if twice := _twice(names):
                raise _mistake(f'{key}: "{twice[0]}" stands here twice; keep one')
        for field in self.fields:
            for key, used, declared in (
                ("departments", field.departments, self.departments),
                ("purposes", field.purposes, purposes),
            ):
                if unknown := [name for name in used if name not in declared]:
                    raise _mistake(
                        f'fields.{field.name}.{key}: "{unknown[0]}" is not among the '
                        f"catalogue's {key} ({', '.join(declared)}); correct it or add it there"
                    )
        return self

    @model_validator(mode="after")
    def _rules_narrow_purposes(self) -> Self:
        purposes = tuple(purpose.name for purpose in self.purposes)
        fields = {field.name: field for field in self.fields}
        for number, rule in enumerate(self.rules):
            where = f"rules.{number}"
            if rule.field not in fields:
                raise _mistake(f'{where}.field: there is no field "{rule.field}"; correct it')
            if unknown := [name for name in rule.only_for if name not in purposes]:
                raise _mistake(
                    f'{where}.only_for: "{unknown[0]}" is not among the catalogue\'s purposes '
                    f"({', '.join(purposes)}); correct it or add it there"
                )
            kept = tuple(p for p in fields[rule.field].purposes if p in rule.only_for)
            if not kept:
                raise _mistake(f"{where}: it leaves {rule.field} no purpose; correct one of them")
            fields[rule.field] = fields[rule.field].model_copy(update={"purposes": kept})
        object.__setattr__(self, "fields", tuple(fields.values()))
        return self

    def field(self, name: str) -> Field:
        """Return the field with this name; raise UnknownField if there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise UnknownField(name, (field.name for field in self.fields))

    def purpose(self, name: str) -> Purpose:
        """Return the purpose with this name; raise UnknownPurpose if there is none."""
        for purpose in self.purposes:
            if purpose.name == name:
                return purpose
        raise UnknownPurpose(name, (purpose.name for purpose in self.purposes))

    def digest(self) -> str:
        """Return the catalogue's name: SHA-256 of its RFC 8785 canonical JSON, in hex."""
        return sha256(rfc8785.dumps(self.model_dump(mode="json"))).hexdigest()


def load_catalogue(path: Path) -> Catalogue:
    """Read a catalogue from a TOML file.

    Raises:
        CatalogueError: the file cannot be read, is no TOML or holds a mistake; the error names the
            file, each key and what to do.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as why:
        raise CatalogueError(str(path), [Mistake("", f"cannot be read: {why.strerror}")]) from why
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(str(path), [Mistake("", f"is not TOML: {error}")]) from error
    try:
        # TOML's arrays are JSON's: strict validation of JSON takes them for tuples, of Python not.
        return Catalogue.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        raise CatalogueError(str(path), _mistakes(error, raw)) from None


def _mistake(problem: str) -> PydanticCustomError:
    return PydanticCustomError("catalogue", "{problem}", {"problem": problem})


def _twice(names: tuple[str, ...]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _bin(lower: float, upper: float) -> str:
    """Name lower <= x < upper: "25–34" between whole numbers, else as an interval."""
    if lower < 0 or not (lower.is_integer() and upper.is_integer()):
        return f"[{lower:,.15g}, {upper:,.15g})"
    return f"{lower:,.15g}" if upper - 1 == lower else f"{lower:,.15g}–{upper - 1:,.15g}"


_WHAT_TO_DO = {
    "missing": "is missing; add it",
    "extra_forbidden": "is not a key of a catalogue; remove it or correct its spelling",
}


def _mistakes(error: ValidationError, raw: dict[str, object]) -> list[Mistake]:
    """List what is wrong, each once: a list whose items are wrong is not also "too short"."""
    errors = error.errors(include_url=False)
    deeper = {e["loc"][:n] for e in errors for n in range(len(e["loc"]))}
    return [_as_mistake(e, raw) for e in errors if e["loc"] not in deeper]


def _as_mistake(error: ErrorDetails, raw: dict[str, object]) -> Mistake:
    """Name the key as people wrote it (fields.age.level) and say what to do."""
    parts: list[str] = []
    here: object = raw
    for part in error["loc"]:
        try:
            here = here[part]  # type: ignore[index] # whatever the file holds; wrong shapes end it
        except (KeyError, IndexError, TypeError):
            here = None
        named = isinstance(part, int) and isinstance(here, dict) and "name" in here
        parts.append(str(here["name"]) if named and isinstance(here, dict) else str(part))
    return Mistake(".".join(parts), _WHAT_TO_DO.get(error["type"], error["msg"]))
