"""The pages of a study, rendered on the server; nothing in them says what an item is before its answer."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from glioforge.core import Modality
from glioforge.reader.accounts import SHORTEST, Session
from glioforge.reader.folder import Study
from glioforge.reader.form import LONGEST_COMMENT
from glioforge.reader.reading import Progress, Showing

if TYPE_CHECKING:
    import jinja2

QUESTIONS: Final[Mapping[str, str]] = {
    "turing": "Is this image of a patient or synthetic?",
    "choice": "Which of the two is the image of a patient?",
    "preference": "Which of the two is the better scan?",
    "accept": "Would you accept this image?",
    "likert": "How good is this image?",
    "delineation": "Outline the tumour.",
    "diagnosis": "Is there a tumour?",
    "training": "Is this image of a patient or synthetic?",
}
"""What is asked, by kind."""
EXPLAINED: Final[Mapping[str, str]] = {
    "turing": "You see one case at a time and say whether it shows a patient or was made by a computer.",
    "choice": "You see two cases side by side. One shows a patient, the other was made by a computer.",
    "preference": "You see two images of the same anatomy side by side and say which is the better scan.",
    "accept": "You see one case at a time and say whether you would accept it for use.",
    "likert": "You see one case at a time and give its quality a score.",
    "delineation": "You see one image at a time and outline the tumour in it.",
    "diagnosis": "You see one case at a time and say whether it shows a tumour, where, and whether it enhances.",
    "training": "You see one case at a time, say whether it shows a patient or was made by a computer, and then see "
    "the truth.",
}
"""What readers are to do, by kind."""
LETTERS: Final[Mapping[str, str]] = {
    "real": "r", "synthetic": "s", "left": "l", "right": "r", "equal": "e", "accept": "a", "reject": "x",
    "tumour": "t", "no tumour": "n",
}  # fmt: skip
"""Key of each call."""


def login_page(study: Study, problem: str = "", name: str = "") -> bytes:
    """The page on which a reader logs in."""
    return _rendered("login.html", study, problem=problem, name=name)


def invitation_page(study: Study, name: str, problem: str = "") -> bytes:
    """The page on which a reader who was invited chooses a passphrase."""
    return _rendered("invite.html", study, problem=problem, name=name, shortest=SHORTEST)


def start_page(study: Study, session: Session, progress: Progress, *, practice: int, locked: bool) -> bytes:
    """The page before the first item and at every pause."""
    left = progress.total - progress.done
    return _rendered(
        "start.html",
        study,
        session=session,
        progress=progress,
        practice=practice,
        locked=locked,
        explained=EXPLAINED[study.spec.kind],
        minutes=study.minutes(left),
    )


def item_page(study: Study, session: Session, showing: Showing, progress: Progress) -> bytes:
    """The page of an item that is to be answered."""
    return _rendered("read.html", study, session=session, truth=None, **_item(study, showing, progress))


def feedback_page(
    study: Study, session: Session, showing: Showing, progress: Progress, shown: Mapping[str, str]
) -> bytes:
    """The page of an answered item in training; `shown` holds `truth`, `call` and `method`."""
    return _rendered("read.html", study, session=session, **shown, **_item(study, showing, progress))


def done_page(study: Study, session: Session, progress: Progress) -> bytes:
    """The page after the last item."""
    return _rendered("done.html", study, session=session, progress=progress)


def message_page(study: Study, heading: str, text: str) -> bytes:
    """A page that says why a request was not fulfilled."""
    return _rendered("message.html", study, heading=heading, text=text)


def _item(study: Study, showing: Showing, progress: Progress) -> dict[str, Any]:
    """What the template of an item needs."""
    pooled = study.spec.pooled and not showing.practice
    names = ["MRI"] if pooled else [Modality(name).title for name in showing.contrast.split("+")]
    return {
        "showing": showing,
        "progress": progress,
        "contrasts": names,
        "question": QUESTIONS[study.spec.kind],
        "letters": LETTERS,
        "longest": LONGEST_COMMENT,
        "shape": list(study.shape),
        "spacing": list(study.frame.spacing),
        "sides": study.frame.sides,
        "marks": study.spec.kind == "diagnosis" or study.spec.diagnose,
    }


def _rendered(template: str, study: Study, /, **values: Any) -> bytes:  # noqa: ANN401 - values of a template
    """Render a template."""
    return _templates().get_template(template).render(study=study, spec=study.spec, **values).encode()


@cache
def _templates() -> "jinja2.Environment":
    """The templates of this package; whatever people wrote is escaped."""
    import jinja2

    folder = files("glioforge.reader") / "templates"
    loader = jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8"))
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
