"""HTTP answers, and the error codes in them."""

from collections.abc import Mapping
from typing import Final, NamedTuple

PHONE_INCORRECT = 36024
# The platform's own list of parameter errors is not public. No code of the platform begins with a 9.
PARAMETER_INCORRECT = 99001


class ParameterError(Exception):
    """A request or one of its recipients is refused; becomes `error_code` and `error_text` of the answer."""

    def __init__(self, text: str, *, code: int = PARAMETER_INCORRECT) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    def as_dict(self) -> dict[str, object]:
        """Shape the error as the platform answers it."""
        return {"error_code": self.code, "error_text": self.text}


def phone_error() -> ParameterError:
    """The one error whose code and text the guide gives."""
    return ParameterError("Phone number incorrect", code=PHONE_INCORRECT)


class Answer(NamedTuple):
    """An HTTP answer; without a payload its body is empty."""

    status: int
    payload: object = None
    headers: Mapping[str, str] = {}


NOT_FOUND: Final = Answer(404)
# The connection is closed instead of an answer.
DROPPED: Final = Answer(0)
