"""Failures, as the SDK raises them."""

from datetime import datetime

import openai
import pytest
from openai import OpenAI

from pillion import TOKEN

HELLO = [{"role": "user", "content": "Hello"}]


def ask(client, model, stream):
    answer = client.chat.completions.create(model=model, messages=HELLO, stream=stream)
    return list(answer) if stream else answer


def raised(call):
    with pytest.raises(openai.APIStatusError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize(
    ("route", "status", "code"),
    [
        ("overloaded", 502, "upstream_failed"),
        ("server-error", 502, "upstream_failed"),
        ("broken", 502, "upstream_failed"),
        ("empty", 502, "upstream_failed"),
        ("gone", 502, "upstream_failed"),
        ("missing", 502, "upstream_model_not_found"),
        ("refused", 502, "upstream_authentication_error"),
        ("spent", 503, "upstream_quota_exhausted"),
        ("keyless", 503, "no_eligible_target"),
        ("hung", 504, "deadline_exceeded"),
    ],
)
def test_a_providers_failure_is_not_retried_by_the_sdk(client, gateway, route, status, code):
    """Whoever asks twice is answered: an error at all shows that the SDK asked once."""
    error = raised(lambda: ask(client, route, stream=False))
    assert isinstance(error, openai.InternalServerError)
    assert (error.status_code, error.code) == (status, code)
    assert error.response.headers["x-should-retry"] == "false"
    record = gateway.records.of(error.request_id)
    assert (record["outcome"], record["status"]) == ("error", status)
    assert gateway.records.of_route(route) == [record], "one request, whatever the SDK may do"
    # A connection that is refused is tried again at once, by the gateway: nothing was sent.
    attempts = {"gone": 2, "keyless": 0}.get(route, 1)
    assert len(record["attempts"] or []) == attempts
    assert all(a["class"] != "ok" and a["reason"] for a in record["attempts"] or [])


@pytest.mark.parametrize(
    ("route", "status", "code", "param"),
    [
        ("invalid", 400, "unsupported_value", "temperature"),
        ("long", 400, "context_length_exceeded", "messages"),
        ("policy", 400, "content_policy_violation", None),
    ],
)
def test_a_request_at_fault_is_told_in_the_providers_words(
    client, gateway, route, status, code, param
):
    error = raised(lambda: ask(client, route, stream=True))
    assert isinstance(error, openai.BadRequestError)
    assert (error.status_code, error.code, error.param) == (status, code, param)
    assert error.response.headers["x-should-retry"] == "false"
    assert len(gateway.records.of(error.request_id)["attempts"]) == 1


@pytest.mark.parametrize("token", ["wrong", "sdk-expired"])
def test_a_token_that_is_not_good_here(gateway, token):
    with OpenAI(base_url=gateway.url, api_key=token) as client:
        error = raised(lambda: ask(client, "plain", stream=False))
    assert isinstance(error, openai.AuthenticationError)
    assert error.code == "invalid_api_key"


def test_a_route_that_is_not_allowed(gateway):
    with OpenAI(base_url=gateway.url, api_key="sdk-limited") as client:
        assert ask(client, "plain", stream=False).choices
        error = raised(lambda: ask(client, "weather", stream=True))
    assert isinstance(error, openai.PermissionDeniedError)
    assert error.code == "route_not_allowed"


def test_a_model_that_no_route_bears(client):
    error = raised(lambda: ask(client, "gpt-nobody", stream=False))
    assert isinstance(error, openai.NotFoundError)
    assert (error.code, error.param) == ("model_not_found", "model")


@pytest.mark.parametrize("stream", [False, True])
def test_a_body_that_is_not_a_request(client, stream):
    for body in ({"messages": []}, {"messages": "Hello"}, {}):
        request = {"model": "plain", "stream": stream, **body}
        error = raised(lambda: client.post("/chat/completions", cast_to=object, body=request))
        assert isinstance(error, openai.BadRequestError), body
        assert error.response.headers["x-should-retry"] == "false"


def test_a_body_that_is_too_large(client):
    long = [{"role": "user", "content": "x" * (2 << 20)}]
    error = raised(lambda: client.chat.completions.create(model="plain", messages=long))
    assert error.status_code == 413
    assert error.response.headers["x-should-retry"] == "false"
    assert ask(client, "plain", stream=False).choices, "the next request is served"


def test_a_rate_limit_is_raised(client):
    once = client.with_options(max_retries=0)
    error = raised(lambda: ask(once, "limited-plain", stream=False))
    assert isinstance(error, openai.RateLimitError)
    assert error.code == "rate_limit_exceeded"
    assert error.response.headers["x-should-retry"] == "true"
    assert 0 < int(error.response.headers["retry-after-ms"]) <= 2000


def test_a_rate_limit_is_waited_out_by_the_sdk(client, gateway):
    stream = client.chat.completions.create(model="limited", messages=HELLO, stream=True)
    assert list(stream)
    answered = gateway.records.of(stream.response.headers["x-request-id"])
    refused, again = gateway.records.of_route("limited")
    assert (refused["status"], again) == (429, answered)
    waited = datetime.fromisoformat(again["time"]) - datetime.fromisoformat(refused["time"])
    assert 1.9 <= waited.total_seconds() < 10, "as long as the provider said, and no less"


@pytest.mark.parametrize("helper", [False, True])
def test_a_stream_that_breaks_never_ends_in_silence(client, gateway, helper):
    text, stream = "", None
    with pytest.raises(openai.APIError) as caught:
        if helper:
            with client.chat.completions.stream(model="cut", messages=HELLO) as stream:
                for event in stream:
                    text += event.delta if event.type == "content.delta" else ""
        else:
            stream = client.chat.completions.create(model="cut", messages=HELLO, stream=True)
            for chunk in stream:
                text += chunk.choices[0].delta.content or ""
    assert caught.value.code == "stream_broken"
    assert not isinstance(caught.value, openai.APIConnectionError)
    assert text.startswith("Hello!"), "what came before the break was passed on"
    record = gateway.records.of(response_of(stream).headers["x-request-id"])
    assert record["outcome"] == "stream_broken"
    assert len(record["attempts"]) == 1, "nothing is sent again once the caller has text"


def response_of(stream):
    return getattr(stream, "response", None) or stream._response


@pytest.mark.parametrize("stream", [False, True])
def test_a_patient_client_hears_of_it_before_its_own_timeout(client, stream):
    impatient = client.with_options(timeout=1.0)
    error = raised(lambda: ask(impatient, "patient", stream))
    assert (error.status_code, error.code) == (504, "deadline_exceeded")
