"""A request that comes twice is one call, as the SDK makes it come twice."""

import openai
import pytest


def ask(client, content, stream=False, **more):
    """The answer's text, and the id of the request that was answered."""
    messages = [{"role": "user", "content": content}]
    answer = client.chat.completions.with_raw_response.create(
        model="late", messages=messages, stream=stream, **more
    )
    parsed = answer.parse()
    if stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in parsed if chunk.choices)
    else:
        text = parsed.choices[0].message.content
    return text, answer


def attempts(records):
    return [attempt["class"] for record in records for attempt in record["attempts"]]


@pytest.mark.parametrize("stream", [False, True])
def test_an_sdk_that_times_out_is_answered_by_its_retry(client, gateway, stream):
    before = len(gateway.records.of_route("late"))
    impatient = client.with_options(timeout=1.0, max_retries=3)
    text, answer = ask(impatient, "Hello", stream)
    assert text
    assert answer.retries_taken > 0, "it did time out"
    assert answer.headers["x-pillion-joined"] == "true"
    answered = gateway.records.of(answer.headers["x-request-id"])
    assert (answered["outcome"], answered["usage"]) == ("ok", None)
    # That of the call itself may be written behind that of the one who joined it.
    tries = gateway.records.of_route("late", before + answer.retries_taken + 1)[before:]
    assert len(tries) == answer.retries_taken + 1
    assert attempts(tries) == ["ok"], "the provider was asked once"
    assert [record["status"] for record in tries].count(504) == answer.retries_taken


def test_a_key_makes_two_requests_one(client):
    key = {"extra_headers": {"Idempotency-Key": "order-1"}}
    first, paid = ask(client, "Order", **key)
    again, replayed = ask(client, "Order", **key)
    assert again == first
    assert replayed.headers["x-pillion-joined"] == "true"
    assert "x-pillion-joined" not in paid.headers
    with pytest.raises(openai.ConflictError) as caught:
        ask(client, "Another order", **key)
    assert caught.value.code == "idempotency_conflict"
    assert caught.value.response.headers["x-should-retry"] == "false"
