"""Graders: a language model behind an OpenAI-compatible server, asked for a grade of each text.

vLLM, llama.cpp, Ollama, TGI, SGLang and the hosted ones answer ``POST /v1/chat/completions``. The
key is read from an environment variable when a request is made; no recipe, file or sentence holds
it, and no redirect takes it elsewhere.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from threading import Event
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

from reweightviz.core.errors import InvalidArgument, InvalidValue, ReweightvizError, UnmetNeed
from reweightviz.core.validation import is_number, whole_number
from reweightviz.core.version import VERSION
from reweightviz.features._read_grade import read_grade
from reweightviz.numerics.expected_answer import expected_answer

__all__ = ["Endpoint", "Refusal", "Reply"]


TOLD = 20
"""Likeliest first tokens that a server is asked for; most tell no more."""
_LATER = (408, 409, 425, 429, 500, 502, 503, 504, 529)  # may go another time
_THIS_TEXT = (400, 413, 422)  # refuse one text: too long, or filtered
_LARGEST = 8 << 20  # bytes of a response
_LONGEST_WAIT = 60.0  # seconds


class Reply(NamedTuple):
    """What came of a text: the answer, and the tokens that it took."""

    answer: Any
    tokens: int


class Refusal(ReweightvizError):
    """A text without an answer.

    Attributes:
        is_final: whether others would not have one either: the server is gone, or wants a key.
    """

    def __init__(self, reason: str, *, is_final: bool) -> None:
        self.is_final = is_final
        super().__init__(reason)


@dataclass(frozen=True)
class Endpoint:
    """A model behind an OpenAI-compatible server, as a grader of :func:`reweightviz.grade`.

    Args:
        url: of the server, such as ``http://127.0.0.1:8000/v1``.
        model: its name there.
        prompt: what is asked, with ``{text}`` where the document stands. Ask for a number alone,
            or for JSON with "grade".
        key: name of the environment variable that holds the key, such as "OPENAI_API_KEY"; no key
            is sent when not given.
        answers: numbers that may be answered, each one token, such as ``("1", "2", "3")``: the
            grade is their mean by the probabilities of the first token, finer than the answer, as
            :class:`~reweightviz.scorers.DEITA` and :class:`~reweightviz.scorers.Select2Reason`
            have it.
        characters: of a document that are sent, from its beginning.
        at_once: requests that wait for an answer together.
        tries: of a request that the server may answer another time.
        wait: seconds before the second try, twice as many before each further one.
        timeout: seconds without a sign of the server.
        options: what else is sent, such as ``{"max_tokens": 200}``; temperature is 0 unless it
            says otherwise, and None leaves an option out.

    Example:
        >>> grader = Endpoint("http://127.0.0.1:8000/v1", "small", prompt="0 to 5? {text}")
        >>> grader.address
        'http://127.0.0.1:8000/v1/chat/completions'
    """

    url: str
    model: str
    prompt: str = field(kw_only=True)
    key: str | None = field(default=None, kw_only=True, repr=False)
    answers: tuple[str, ...] = field(default=(), kw_only=True)
    characters: int = field(default=20_000, kw_only=True)
    at_once: int = field(default=4, kw_only=True)
    tries: int = field(default=5, kw_only=True)
    wait: float = field(default=1.0, kw_only=True)
    timeout: float = field(default=60.0, kw_only=True)
    options: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        _check_url(self.url)
        if not isinstance(self.prompt, str) or "{text}" not in self.prompt:
            raise InvalidValue(
                name="prompt", value=self.prompt, expected="text with {text} for the document"
            )
        if not all(isinstance(one, str) and _is_finite(one) for one in self.answers):
            raise InvalidValue(
                name="answers", value=self.answers, expected='numbers as text, such as ("0", "1")'
            )
        for name in ("characters", "at_once", "tries"):
            whole_number(name, getattr(self, name), 1)
        for name in ("wait", "timeout"):
            value = getattr(self, name)
            if not is_number(value) or not 0 <= value < math.inf:
                raise InvalidValue(name=name, value=value, expected="seconds, at least 0")

    @property
    def address(self) -> str:
        """Where requests go."""
        parts = urlsplit(self.url)
        path = parts.path.rstrip("/")
        if not path.endswith("/chat/completions"):
            path += "/chat/completions"
        return parts._replace(path=path, fragment="").geturl()

    @property
    def digest(self) -> str:
        """All that an answer depends on, without the key."""
        return json.dumps(self.describe(), sort_keys=True, default=str)

    def describe(self) -> dict[str, Any]:
        """Return what a recipe keeps: no key, and nothing of the address behind its path."""
        return {
            "url": urlsplit(self.address)._replace(query="").geturl(),
            "model": self.model,
            "prompt": self.prompt,
            "characters": self.characters,
            "answers": list(self.answers),
            "options": dict(self.options),
        }

    def read(self, answer: Any) -> float:
        """Return the grade in an answer, NaN where there is none."""
        if not self.answers:
            return read_grade(answer)
        log_probs = [answer.get(one, -math.inf) for one in self.answers]
        return float(expected_answer(log_probs, [float(one) for one in self.answers]))

    def ask(self, text: str, *, stop: Event, allow: Callable[[], bool] = lambda: True) -> Reply:
        """Return the answer to one text; tried again where it may come another time.

        Args:
            text: the document.
            stop: set where nobody waits for the answer any more.
            allow: asked before each request, whether there may be one.

        Raises:
            Refusal: there is no answer.
        """
        data = json.dumps(self._body(text)).encode()
        sent = len(data)
        for attempt in range(1, self.tries + 1):
            if stop.is_set() or not allow():
                raise Refusal("no further request may be made", is_final=True)
            try:
                return self._read_reply(self._request(data), sent)
            except _Later as later:
                reason = later.reason
                pause = max(later.pause, self.wait * 2 ** (attempt - 1))
                if attempt < self.tries:
                    stop.wait(min(pause, _LONGEST_WAIT))
        raise Refusal(f"{self._place()} {reason}, {self.tries} times", is_final=True)

    def _body(self, text: str) -> dict[str, Any]:
        content = self.prompt.replace("{text}", text[: self.characters])
        # A lone surrogate is no text that another program reads.
        content = content.encode("utf-8", "replace").decode()
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "temperature": 0,
        }
        if self.answers:
            body |= {"logprobs": True, "top_logprobs": TOLD, "max_tokens": 1}
        body |= self.options
        return {name: value for name, value in body.items() if value is not None}

    def _request(self, data: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "User-Agent": f"reweightviz/{VERSION}"}
        key = self.find_key()
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self.address, data, headers)  # noqa: S310  http or https
        try:
            with _OPENER.open(request, timeout=self.timeout) as response:
                found: bytes = response.read(_LARGEST + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise self._explain(error, key) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise _Later(f"cannot be reached, {type(error).__name__}: {reason!s:.100}") from None
        if len(found) > _LARGEST:
            raise Refusal(f"{self._place()} answers without end", is_final=True)
        return found

    def _explain(self, error: urllib.error.HTTPError, key: str) -> Exception:
        try:
            told = error.read(2000).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            told = ""
        if key:
            told = told.replace(key, "(the key)")
        told = " ".join("".join(c if c.isprintable() else " " for c in told).split())[:200]
        said = f"says {error.code} {error.reason}: {told}".rstrip(": ")
        if error.code in _LATER:
            return _Later(said, _read_pause(error.headers))
        return Refusal(f"{self._place()} {said}", is_final=error.code not in _THIS_TEXT)

    def _read_reply(self, found: bytes, sent: int) -> Reply:
        try:
            reply = json.loads(found)
            choice = reply["choices"][0]
            answer = _join(choice["message"].get("content"))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise Refusal(
                f"{self._place()} answers with something else than a chat completion",
                is_final=True,
            ) from None
        usage = reply.get("usage") or {}
        tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
        if not is_number(tokens):
            # A token is at least a byte.
            tokens = sent + len(answer.encode("utf-8", "replace"))
        if self.answers:
            return Reply(self._read_first_token(choice), int(tokens))
        return Reply(answer.encode("utf-8", "replace").decode(), int(tokens))

    def _read_first_token(self, choice: Any) -> dict[str, float]:
        """Return answer to log probability, of those that were told; " 1" is a 1 too."""
        told: dict[str, float] = {}
        try:
            for one in choice["logprobs"]["content"][0]["top_logprobs"]:
                name = str(one["token"]).strip()
                value = max(float(one["logprob"]), -1e4)
                if name in self.answers:
                    told[name] = float(_log_sum(told.get(name, -math.inf), value))
        except (LookupError, TypeError, ValueError):
            raise Refusal(
                f"{self._place()} tells no log probabilities, of which answers= is made",
                is_final=True,
            ) from None
        return told

    def find_key(self) -> str:
        """Return the key, "" where none is asked for.

        Raises:
            ReweightvizError: no environment variable of that name holds one.
        """
        if self.key is None:
            return ""
        value = os.environ.get(self.key, "").strip()
        if not value.isascii() or not value.isprintable() or not value:
            # What was given may be the key itself, so it is not shown.
            raise UnmetNeed(
                name="rv.graders.Endpoint",
                value=None,
                expected="key=, the name of an environment variable that holds the key",
                got="a name of none that does",
            )
        return value

    def _place(self) -> str:
        return urlsplit(self.url).netloc


class _Later(Exception):
    """What may go another time."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        self.reason = reason
        self.pause = pause
        super().__init__(reason)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: urllib would take the key along, to any host."""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Return nothing, so that the redirect is an error."""


_OPENER = urllib.request.build_opener(_NoRedirect())


def _check_url(url: Any) -> None:
    try:
        parts = urlsplit(url)
        is_fine = parts.scheme in ("http", "https") and bool(parts.hostname)
        has_secret = bool(parts.username or parts.password)
        _ = parts.port
    except (ValueError, AttributeError, TypeError):
        is_fine = has_secret = False
    if has_secret:
        raise InvalidArgument(
            name="rv.graders.Endpoint",
            value=None,
            expected="a url without a password, which would be kept with it",
            got="one with",
        )
    if not is_fine:
        raise InvalidArgument(
            name="rv.graders.Endpoint",
            value=url,
            expected="the url of a server, such as http://127.0.0.1:8000/v1",
        )


def _join(content: Any) -> str:
    """Return what a message says, which some servers give in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _read_pause(headers: Any) -> float:
    """Return the seconds that a server asks to wait; 0 where it names a date or nothing."""
    try:
        pause = float(headers.get("Retry-After", 0))
    except (TypeError, ValueError):
        return 0.0
    return pause if 0 < pause < math.inf else 0.0


def _log_sum(one: float, other: float) -> float:
    high = max(one, other)
    return high + math.log(math.exp(one - high) + math.exp(other - high))
