"""What the demonstration's story needs of an answer: a release, or a refusal."""

from api.client import Json, Refusal
from api.demo.errors import StoryBroken


def released(run: Json | Refusal, step: str) -> Json:
    """Return a released run; StoryBroken if it was refused, or waits for approval."""
    if isinstance(run, Refusal):
        raise StoryBroken(step, run.code, run.text)
    if run["state"] != "released":
        text = "it costs more than one person may spend: lower its epsilon, or raise the limit"
        raise StoryBroken(step, run["state"], text)
    return run


def refused(run: Json | Refusal, step: str) -> Refusal:
    """Return a refusal; StoryBroken if the request was answered."""
    if isinstance(run, Refusal):
        return run
    raise StoryBroken(step, "answered", "it was answered, and the demonstration expects a refusal")
