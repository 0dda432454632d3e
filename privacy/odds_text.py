"""Odds in words, in English and Chinese: consequences first, the loss last. Pure."""

import math
from typing import Literal

from privacy.errors import InvalidBound
from privacy.odds import Odds
from privacy.units import PrivacyUnit

Language = Literal["en", "zh"]

_MOST_DIGITS = 4

_TEXTS = {
    "en": (
        "Someone who knows everything else and thinks it {prior} % likely that a given {unit} is "
        "in the data can be at most about {posterior} % sure afterwards; "
        "this release passes that with a chance of {beyond}.\n"
        "Made to guess whether the {unit} is in the data, with a coin flip to start from, they "
        "would be right at most about {gaussian} % of the time; blind guessing is right 50 %.\n"
        "That holds for this Gaussian noise. "
        "For any noise with a pure ε of {epsilon} the worst case is {pure} %.\n"
        "The loss is ε = {epsilon} at δ = {delta}: any result is at most {factor} times as likely "
        "with that {unit} as without, plus δ."
    ),
    "zh": (
        "即使有人掌握其他一切信息，并认为某{unit}有 {prior}% 的可能在数据之中，"
        "事后其把握最多约为 {posterior}%；本次发布超出此界的机会为 {beyond}。\n"
        "若让他从抛硬币的水平出发去猜这{unit}是否在数据之中，"
        "猜对的机会最多约为 {gaussian}%；盲猜的机会是 50%。\n"
        "上一句针对本次所加的高斯噪声；"
        "对任何满足纯 ε = {epsilon} 的噪声，最坏情况是 {pure}%。\n"
        "隐私损失为 ε = {epsilon}（δ = {delta}）：任何结果在有这{unit}时出现的概率，"
        "最多是没有时的 {factor} 倍再加 δ。"
    ),
}


_UNITS = {
    "en": {PrivacyUnit.CLIENT: "client", PrivacyUnit.HOUSEHOLD: "household"},
    "zh": {PrivacyUnit.CLIENT: "位客户", PrivacyUnit.HOUSEHOLD: "户家庭"},
}


def sentences(
    odds: Odds, language: Language, unit: PrivacyUnit = PrivacyUnit.CLIENT
) -> tuple[str, ...]:
    """Return the odds as sentences: belief, guess, the worst case of any noise, the loss itself.

    Args:
        odds: of a release. Public.
        language: "en" or "zh".
        unit: whose presence the release hides.

    Raises:
        InvalidBound: another language.
    """
    if language not in _TEXTS:
        raise InvalidBound("language", f"{language!r} is neither en nor zh")
    figures = {
        "unit": _UNITS[language][unit],
        "prior": f"{100 * odds.prior:.3g}",
        "posterior": percent(odds.posterior),
        "gaussian": percent(odds.gaussian_guess),
        "pure": percent(odds.pure_guess),
        "epsilon": f"{odds.epsilon.value:.3g}",
        "delta": f"{odds.delta.value:.3g}",
        "beyond": f"{odds.beyond:.1g}",
        "factor": _times(math.exp(odds.epsilon.value)),
    }
    return tuple(_TEXTS[language].format(**figures).splitlines())


def percent(chance: float) -> str:
    """Return a chance in percent with one decimal, or as many as keep it below 100.

    What is not below 100 with four decimals is "> 99.9999".
    """
    for digits in range(1, _MOST_DIGITS + 1):
        shown = f"{100 * chance:.{digits}f}"
        if float(shown) < 100:  # noqa: PLR2004 - certainty, in percent
            return shown
    return "> 99.9999"


def _times(factor: float) -> str:
    return f"{factor:,.0f}" if 1e3 <= factor < 1e6 else f"{factor:.3g}"  # noqa: PLR2004 - for reading
