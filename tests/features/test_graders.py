"""Graders: a real server on this machine that errs as servers do, and functions that fail."""

import json
import os
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.features._read_grade import read_grade
from reweightviz.features.graders import Endpoint

KEY = "sk-this-is-secret"
TEXTS = [f"{'word ' * (row % 7)}text {row}" for row in range(40)]


class Server(ThreadingHTTPServer):
    """Answers chat completions by ``answer(text, number of the request)``.

    The answer is content, a status with a body and headers, or None for a hang.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.answer = lambda text, _: str(text.count("word"))
        self.usage = {"total_tokens": 10}
        self.lock = threading.Lock()
        self.release = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_):
        """Say nothing of clients that went away."""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["messages"][0]["content"]
        with self.server.lock:
            self.server.requests.append((self.path, body, dict(self.headers)))
            number = len(self.server.requests)
        found = self.server.answer(text, number)
        if found is None:
            self.server.release.wait(10)
            return
        status, payload, headers = (200, found, {}) if not isinstance(found, tuple) else found
        if status == 200 and isinstance(payload, str):
            payload = {"choices": [{"message": {"content": payload}}], "usage": self.server.usage}
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.do_POST()

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REWEIGHTVIZ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def corpus():
    return rv.Corpus({"text": TEXTS, "domain": ["x"] * len(TEXTS)})


def endpoint(server, **options):
    options = {"prompt": "Grade: {text}", "wait": 0.001, "timeout": 5.0} | options
    return Endpoint(server.url, "org/judge", **options)


def words(texts=TEXTS):
    return [float(text.count("word")) for text in texts]


# ---- a server


def test_a_server_is_asked_once_a_text_and_never_again(server, corpus):
    graded = rv.grade(corpus, endpoint(server), documents=100)
    assert graded["grade:judge"].tolist() == words()
    assert len(server.requests) == 40
    path, body, headers = server.requests[0]
    assert path == "/v1/chat/completions"
    assert (body["model"], body["temperature"]) == ("org/judge", 0)
    assert body["messages"][0]["content"].startswith("Grade: ")
    assert "Authorization" not in headers
    again = rv.grade(corpus, endpoint(server, at_once=1), documents=100, label="b")
    assert again["grade:b"].tolist() == words()
    assert len(server.requests) == 40
    assert graded.recipes["grade:judge"]["tokens"] == 400
    assert again.recipes["grade:b"]["tokens"] == 0
    rv.grade(corpus, endpoint(server, prompt="Other: {text}"))
    assert len(server.requests) == 80


def test_a_larger_sample_holds_the_smaller_one(server, corpus):
    few = rv.grade(corpus, endpoint(server), documents=10)["grade:judge"]
    many = rv.grade(corpus, endpoint(server), documents=25)["grade:judge"]
    assert (np.isfinite(few).sum(), np.isfinite(many).sum()) == (10, 25)
    assert len(server.requests) == 25
    known = np.isfinite(few)
    np.testing.assert_array_equal(many[known], few[known])
    other = rv.grade(corpus, endpoint(server), documents=10, seed=1)["grade:judge"]
    assert (np.isfinite(other) != known).any()


def test_what_may_go_another_time_is_tried_again(server, corpus):
    def answer(text, number):
        if number <= 3:
            return 429, {"error": "slow down"}, {"Retry-After": "0.001"}
        if number == 4:
            return 503, b"<html>busy</html>", {}
        return "2"

    server.answer = answer
    graded = rv.grade(corpus, endpoint(server, at_once=1), documents=3)
    assert np.nansum(graded["grade:judge"]) == 6
    assert len(server.requests) == 7


def test_a_server_that_hangs_is_given_up_and_what_it_said_is_kept(server, corpus):
    server.answer = lambda _, number: "1" if number <= 4 else None
    slow = endpoint(server, at_once=2, timeout=0.2, tries=2)
    with pytest.warns(rv.ReweightvizWarning, match=r"stopped with 4 of 40 .*cannot be reached"):
        graded = rv.grade(corpus, slow)
    assert np.isfinite(graded["grade:judge"]).sum() == 4
    asked = len(server.requests)
    server.release.set()
    server.answer = lambda *_: "1"
    assert np.isfinite(rv.grade(corpus, endpoint(server))["grade:judge"]).all()
    assert len(server.requests) == asked + 36


def test_a_server_that_fails_half_way_loses_nothing(server, corpus):
    server.answer = lambda _, number: "1" if number <= 17 else (500, {"error": "boom"}, {})
    with pytest.warns(
        rv.ReweightvizWarning,
        match=r"stopped with 17 of 40 grades, which are kept: 127\.0\.0\.1:\d+ says 500 Internal "
        r'Server Error: \{"error": "boom"\}, 2 times; the same call goes on',
    ):
        graded = rv.grade(corpus, endpoint(server, at_once=1, tries=2))
    assert np.isfinite(graded["grade:judge"]).sum() == 17
    assert graded.recipes["grade:judge"]["stopped"]
    server.answer = lambda *_: "1"
    assert np.isfinite(rv.grade(corpus, endpoint(server))["grade:judge"]).all()
    assert len(server.requests) == 17 + 2 + 23


def test_nothing_paid_for_is_lost_in_a_kill(server, corpus, tmp_path):
    server.answer = lambda _, number: "1" if number <= 9 else None
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import reweightviz as rv
        texts = {TEXTS!r}
        corpus = rv.Corpus({{"text": texts, "domain": ["x"] * len(texts)}})
        judge = rv.graders.Endpoint({server.url!r}, "org/judge", prompt="Grade: {{text}}", at_once=1)
        rv.grade(corpus, judge)
        """)
    )
    env = os.environ | {"PYTHONPATH": str(Path(rv.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, str(script)], env=env)
    try:
        for _ in range(600):
            if len(server.requests) == 10 or process.poll() is not None:
                break
            server.release.wait(0.1)
    finally:
        process.kill()
        process.wait()
    assert len(server.requests) == 10
    server.release.set()
    server.answer = lambda *_: "1"
    graded = rv.grade(corpus, endpoint(server))
    assert np.isfinite(graded["grade:judge"]).all()
    assert len(server.requests) == 10 + 31


def test_half_a_line_costs_one_answer(server, corpus, tmp_path):
    rv.grade(corpus, endpoint(server), documents=5)
    (kept,) = (tmp_path / "cache").glob("grades-*.jsonl")
    kept.write_bytes(kept.read_bytes()[:-20] + b"")
    graded = rv.grade(corpus, endpoint(server), documents=5)
    assert np.isfinite(graded["grade:judge"]).sum() == 5
    assert len(server.requests) == 6
    kept.write_bytes(b'[1]\n{"text": 3}\nnot JSON\n\xff\n' + kept.read_bytes())
    rv.grade(corpus, endpoint(server), documents=5)
    assert len(server.requests) == 6


def test_a_budget_of_tokens_is_never_passed(server, corpus):
    for at_once in (1, 4):
        judge = endpoint(server, at_once=at_once, prompt=f"{at_once}: {{text}}")
        with pytest.warns(
            rv.ReweightvizWarning, match=r"budget of 105 tokens, of which 100 are spent"
        ):
            graded = rv.grade(corpus, judge, budget=105)
        assert np.isfinite(graded["grade:judge"]).sum() == 10
        assert graded.recipes["grade:judge"]["tokens"] == 100
    server.usage = None
    silent = endpoint(server, prompt="silent {text}", at_once=1)
    with pytest.warns(rv.ReweightvizWarning, match="budget of 1,000 tokens"):
        graded = rv.grade(corpus, silent, budget=1000)
    assert 0 < graded.recipes["grade:judge"]["tokens"] <= 1000


def test_so_many_requests_are_made_and_no_more(server, corpus):
    with pytest.warns(rv.ReweightvizWarning, match="12 of 40 .*: the 12 requests are made"):
        rv.grade(corpus, endpoint(server), requests=12)
    assert len(server.requests) == 12
    server.answer = lambda *_: (429, {}, {})
    with pytest.raises(rv.ReweightvizError, match="no grade of 40 documents: no further request"):
        rv.grade(corpus, endpoint(server, prompt="b {text}", at_once=1), requests=3)
    assert len(server.requests) == 15


def test_a_text_that_is_refused_has_no_grade_and_the_others_have(server, corpus):
    def answer(text, number):
        if text.endswith((" 7", " 20")):
            return 400, {"error": {"message": "too long"}}, {}
        return "3"

    server.answer = answer
    with pytest.warns(rv.ReweightvizWarning, match="2 of 40 documents have no grade: .*too long"):
        graded = rv.grade(corpus, endpoint(server))
    assert np.flatnonzero(np.isnan(graded["grade:judge"])).tolist() == [7, 20]
    server.answer = lambda *_: (422, {}, {})
    with pytest.raises(rv.ReweightvizError, match="422 .*, 3 times in a row"):
        rv.grade(corpus, endpoint(server, prompt="b {text}", at_once=1))


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((401, {"error": f"bad key {KEY}"}, {}), r"says 401 .*bad key \(the key\)"),
        ((404, b"no such model", {}), "says 404 Not Found: no such model"),
        ((200, b"<html></html>", {}), "something else than a chat completion"),
        ((200, {"choices": []}, {}), "something else than a chat completion"),
        ((200, [1], {}), "something else than a chat completion"),
    ],
)
def test_a_server_that_refuses_all_is_asked_once(server, corpus, reply, words, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    server.answer = lambda *_: reply
    with pytest.raises(rv.ReweightvizError, match=words) as error:
        rv.grade(corpus, endpoint(server, at_once=1, key="JUDGE_KEY"))
    assert len(server.requests) == 1
    assert KEY not in str(error.value)


def test_nobody_listens(server, corpus):
    judge = Endpoint("http://127.0.0.1:9/v1", "m", prompt="{text}", tries=1)
    with pytest.raises(rv.ReweightvizError, match=r"127\.0\.0\.1:9 cannot be reached"):
        rv.grade(corpus, judge)


# ---- the key


def test_the_key_is_in_the_request_alone(server, corpus, monkeypatch, tmp_path):
    monkeypatch.setenv("JUDGE_KEY", f"{KEY}\n")
    judge = endpoint(server, key="JUDGE_KEY")
    graded = rv.grade(corpus, judge)
    assert server.requests[0][2]["Authorization"] == f"Bearer {KEY}"
    written = [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    graded.save(tmp_path / "corpus")
    written += [path.read_bytes() for path in (tmp_path / "corpus").rglob("*") if path.is_file()]
    assert any(b"answer" in data for data in written)
    everything = b"".join(written) + repr((judge, graded.meta)).encode()
    assert KEY.encode() not in everything
    assert b"JUDGE_KEY" not in everything


def test_a_key_that_was_given_for_its_name_is_not_shown(server, corpus):
    with pytest.raises(rv.ReweightvizError, match="key=, the name of an environment") as error:
        rv.grade(corpus, endpoint(server, key=KEY))
    assert KEY not in str(error.value)
    assert KEY not in repr(endpoint(server, key=KEY))
    assert not server.requests


def test_no_redirect_takes_the_key_along(server, corpus, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    elsewhere = f"http://localhost:{server.server_address[1]}/stolen"
    server.answer = lambda *_: (302, {}, {"Location": elsewhere})
    with pytest.raises(rv.ReweightvizError, match="says 302 Found"):
        rv.grade(corpus, endpoint(server, key="JUDGE_KEY", at_once=1))
    assert [path for path, _, _ in server.requests] == ["/v1/chat/completions"]


def test_a_url_holds_no_secret():
    with pytest.raises(rv.ReweightvizError, match="without a password") as error:
        Endpoint("https://me:secret@host/v1", "m", prompt="{text}")
    assert "secret" not in str(error.value)
    judge = Endpoint("https://host/v1?api-version=2&k=secret", "m", prompt="{text}")
    assert judge.address == "https://host/v1/chat/completions?api-version=2&k=secret"
    assert "secret" not in judge.digest
    whole = Endpoint("https://host/v1/chat/completions/", "m", prompt="{text}")
    assert whole.address == "https://host/v1/chat/completions"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"url": "file:///etc/passwd"}, "the url of a server"),
        ({"url": "ftp://host/x"}, "the url of a server"),
        ({"url": "127.0.0.1:8000"}, "the url of a server"),
        ({"url": "http://host:port"}, "the url of a server"),
        ({"url": None}, "the url of a server"),
        ({"prompt": "grade it"}, r"text with \{text\} for the document"),
        ({"answers": ("yes", "no")}, "numbers as text"),
        ({"at_once": 0}, "at_once must be a whole number of at least 1"),
        ({"timeout": -1}, "timeout must be seconds"),
        ({"wait": "1"}, "wait must be seconds"),
    ],
)
def test_an_endpoint_is_checked_when_it_is_made(given, words):
    fine = {"url": "http://127.0.0.1:1/v1", "model": "m", "prompt": "{text}"}
    with pytest.raises(rv.ReweightvizError, match=words):
        Endpoint(**(fine | given))


# ---- what is sent, and what comes


def test_a_prompt_may_hold_braces_and_a_text_anything(server):
    texts = ["{prompt} {0} %s", "a\ud800b", 'quote " \\ \n', "x" * 50]
    corpus = rv.Corpus({"text": texts[:1] + texts[2:], "domain": ["x"] * 3})
    judge = endpoint(server, prompt='Answer {"grade": n} of: {text}', characters=10, at_once=1)
    server.answer = lambda *_: '{"grade": 4}'
    assert rv.grade(corpus, judge)["grade:judge"].tolist() == [4, 4, 4]
    sent = sorted(body["messages"][0]["content"] for _, body, _ in server.requests)
    assert 'Answer {"grade": n} of: {prompt} {' in sent
    assert f'Answer {{"grade": n}} of: {"x" * 10}' in sent
    assert judge.ask(texts[1], stop=threading.Event()).answer == '{"grade": 4}'


def test_options_are_sent_and_none_leaves_one_out(server, corpus):
    judge = endpoint(server, options={"temperature": None, "max_completion_tokens": 5})
    rv.grade(corpus, judge, documents=1)
    body = server.requests[0][1]
    assert "temperature" not in body
    assert body["max_completion_tokens"] == 5


@pytest.mark.golden("Select2Reason", "log probabilities of a server: .832018 and 0")
def test_answers_are_weighed_by_their_probabilities(server, corpus):
    def answer(text, number):
        told = {"0": -0.1, "No": -3.0}
        if text.endswith(" 3"):
            told = {"1": -0.2, "0": -1.8}
        top = [{"token": token, "logprob": value} for token, value in told.items()]
        choice = {"message": {"content": "0"}, "logprobs": {"content": [{"top_logprobs": top}]}}
        return 200, {"choices": [choice], "usage": {"total_tokens": 7}}, {}

    server.answer = answer
    judge = endpoint(server, answers=("0", "1"))
    graded = rv.grade(corpus, judge)["grade:judge"]
    assert graded[3] == pytest.approx(0.832018, abs=1e-6)
    assert np.delete(graded, 3).tolist() == [0.0] * 39
    body = server.requests[0][1]
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 20, 1)
    np.testing.assert_array_equal(rv.grade(corpus, judge)["grade:judge"], graded)
    assert len(server.requests) == 40
    server.answer = lambda *_: "1"
    with pytest.raises(rv.ReweightvizError, match="tells no log probabilities"):
        rv.grade(corpus, endpoint(server, answers=("0", "2")))


def test_answers_without_a_grade_are_counted_and_not_paid_for_twice(server, corpus):
    def answer(text, number):
        return "I cannot say." if text.endswith(" 5") else "9" if text.endswith(" 6") else "3"

    server.answer = answer
    for _ in range(2):
        with pytest.warns(rv.ReweightvizWarning, match="^2 of 40 documents have no grade: the"):
            graded = rv.grade(corpus, endpoint(server), within=(0, 5))
        assert np.flatnonzero(np.isnan(graded["grade:judge"])).tolist() == [5, 6]
    assert len(server.requests) == 40
    assert rv.grade(corpus.take([6]), endpoint(server))["grade:judge"].tolist() == [9]


@pytest.mark.parametrize(
    ("answer", "grade"),
    [
        ("4", 4),
        (" 3.5 \n", 3.5),
        ("-1", -1),
        ("4/5", 4),
        ("Score: 4 out of 5", 4),
        ("I give this 2.", 2),
        ("**Grade**: 3", 3),
        ('{"grade": 2, "why": "3 reasons"}', 2),
        ('```json\n{"score": "5"}\n```', 5),
        ('So {"quality": 1}.', 1),
        ("First 1, then 2. Score: 3", 3),
        ("score: 1 ... final score is 4", 4),
        ("<think>maybe 1, or 5</think> 2", 2),
        ("2 and again 2", 2),
        (True, 1),
        (np.float32(0.5), 0.5),
        ("2 or 3", np.nan),
        ("80%", np.nan),
        ("four", np.nan),
        ("", np.nan),
        ("NaN", np.nan),
        ("Infinity", np.nan),
        ('{"grade": null}', np.nan),
        ('{"a": 1, "b": 2}', np.nan),
        ("[1, 2]", np.nan),
        ("{" * 200_000, np.nan),
        ("[" * 99_999, np.nan),
        ("1" * 99_999 + "a", np.nan),
        (None, np.nan),
        (np.inf, np.nan),
        ([3], np.nan),
    ],
)
def test_the_grade_in_an_answer(answer, grade):
    assert read_grade(answer) == pytest.approx(grade, nan_ok=True)
