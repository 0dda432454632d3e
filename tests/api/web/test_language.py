"""The Chinese of the console: complete, and with the same blanks to fill in."""

import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from api.web.language import LOCALE, gettext, ngettext
from federation.coordinator.label_forms import CLAIMS

WEB = Path(LOCALE).parent
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
Message = str | tuple[str, ...]


def extracted() -> Iterator[tuple[str, Message]]:
    options = {"**.html": {"silent": "false"}}
    for file, _line, message, _comments, _context in extract_from_dir(
        str(WEB), method_map=METHODS, options_map=options
    ):
        yield file, message


def translations() -> dict[Message, tuple[str, ...]]:
    with (LOCALE / "zh" / "console.po").open("rb") as file:
        catalog = read_po(file, locale="zh")
    return {
        tuple(m.id) if isinstance(m.id, list | tuple) else m.id: (m.string,)
        if isinstance(m.string, str)
        else tuple(m.string)
        for m in catalog
        if m.id
    }


def blanks(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", text))


def test_every_text_of_the_console_has_its_chinese() -> None:
    known = translations()
    missing = {
        f"{file}: {message}" for file, message in extracted() if not any(known.get(message, ()))
    }
    assert not missing


def test_texts_are_found_in_python_and_in_templates() -> None:
    assert {Path(file).suffix for file, _ in extracted()} == {".py", ".html"}


def test_a_translation_fills_in_no_other_blanks() -> None:
    wrong = {
        message
        for message, found in translations().items()
        for text in found
        if blanks(text) != blanks(message if isinstance(message, str) else message[-1])
    }
    assert not wrong


def test_no_text_of_a_template_has_a_bare_percent_sign() -> None:
    bare = {
        m for f, m in extracted() if f.endswith(".html") and re.search(r"%(?!\(\w+\)s)", str(m))
    }
    assert not bare


def test_words_are_chinese_in_chinese_and_english_in_english() -> None:
    assert gettext("zh", "Budget") == "预算"
    assert gettext("en", "Budget") == "Budget"
    many = ("%(num)s opinion is in", "%(num)s opinions are in")
    assert ngettext("en", *many, 2) == many[1]
    assert ngettext("zh", *many, 2) == "已有 %(num)s 份意见"


def test_every_part_of_a_label_has_its_chinese() -> None:
    keys = [key for parts in CLAIMS.values() for each in parts.values() for key in each]
    words = [*CLAIMS, *(key.replace("_", " ") for key in keys)]
    assert [word for word in words if gettext("zh", word) == word] == []
