"""A page: one template with everything the frame around it needs. Strict headers, no inline code.

Templates get ``_`` for their language, the formats of :mod:`api.web.figures` and the charts.
"""

from collections.abc import Mapping
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.people.csrf import token_of
from api.people.next_page import safe_next
from api.people.roles import Caller
from api.web import charts, figures
from api.web.language import LANGUAGES, Language, gettext, language_of, ngettext
from api.web.screens import screens_of
from api.web.words import ROLES

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
THEMES = ("auto", "light", "dark")
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page(
    request: Request,
    template: str,
    caller: Caller | None,
    /,
    *,
    status: int = 200,
    **context: Any,  # noqa: ANN401 - a template takes anything
) -> HTMLResponse:
    """Draw a whole page for a caller, or for somebody who is not signed in."""
    language = language_of(request)
    theme = request.cookies.get("theme", "auto")
    frame = {
        "caller": caller,
        "screens": screens_of(caller) if caller else (),
        "here": request.url.path,
        "back": safe_next(_place(request)),
        "theme": theme if theme in THEMES else "auto",
        "themes": THEMES,
        "languages": LANGUAGES,
        "role_names": ROLES,
        "csrf_token": token_of(request),
        "status": status,
    }
    body = _environment(language).get_template(template).render(frame | context)
    headers = {
        **HEADERS,
        "Content-Language": language,
        "Vary": "Accept-Language, Cookie, HX-Request",
    }
    return HTMLResponse(body, status_code=status, headers=headers)


def asset(name: str) -> str:
    """Return the address of a static file, which changes when the file does."""
    return f"/static/{name}?v={_digest(name)}"


@lru_cache
def _digest(name: str) -> str:
    return sha256((STATIC / name).read_bytes()).hexdigest()[:12]


@lru_cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined] # by the extension
        partial(gettext, language), partial(ngettext, language), newstyle=True
    )
    formats = ("number", "compact", "percent", "loss", "day", "moment")
    environment.filters.update(
        {name: partial(_written, getattr(figures, name), language) for name in formats}
    )
    environment.filters["iso"] = figures.iso
    environment.filters["titled"] = partial(_titled, language)
    environment.globals.update(asset=asset, charts=charts, language=language)
    return environment


def _written(form: Any, language: Language, value: Any, **options: Any) -> str:  # noqa: ANN401 - a filter takes anything
    text: str = form(value, language, **options)
    return text


def _titled(language: Language, named: Any) -> str:  # noqa: ANN401 - a field, a purpose, a level or a stage
    """Return the title of something of the catalogue in a language."""
    zh: str = named.title_zh
    title: str = named.title
    return zh if language == "zh" and zh else title


def _place(request: Request) -> str:
    """Return the path and query of this page, to come back to; a POST's is its path."""
    path = quote(request.url.path)
    query = request.url.query if request.method == "GET" else ""
    return f"{path}?{query}" if query else path
