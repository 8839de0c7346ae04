"""Everything but chat: embeddings, completions, models, other clients, other models."""

import math

import openai
import pytest
from openai import AzureOpenAI, OpenAI

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}])
def test_embeddings(client, gateway, options):
    raw = client.embeddings.with_raw_response.create(
        model="embed", input=["one", "two"], dimensions=64, **options
    )
    answer = raw.parse()
    assert [item.index for item in answer.data] == [0, 1]
    for item in answer.data:
        assert len(item.embedding) == 64
        assert math.isclose(math.hypot(*item.embedding), 1, rel_tol=1e-3)
    assert answer.model == "embed"
    record = gateway.records.of(raw.headers["x-request-id"])
    assert (record["surface"], record["usage"]["prompt"]) == (
        "embeddings",
        answer.usage.prompt_tokens,
    )


def test_embeddings_are_the_same_in_both_forms(client):
    packed = client.embeddings.create(model="embed", input="one")
    plain = client.embeddings.create(model="embed", input="one", encoding_format="float")
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding)


def test_completions(client):
    answer = client.completions.create(model="plain", prompt="Say hello")
    assert answer.choices[0].text.startswith("Hello!")
    assert answer.model == "plain"
    stream = client.completions.create(model="plain", prompt="Say hello", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == answer.choices[0].text


def test_models(client):
    listed = {model.id for model in client.models.list()}
    assert {"plain", "weather", "embed"} <= listed
    assert "gpt-4o" not in listed, "another name of a route is not a second model"
    assert client.models.retrieve("plain").id == "plain"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-nobody")


def test_models_of_a_token_with_one_route(gateway):
    with OpenAI(base_url=gateway.url, api_key="sdk-limited") as client:
        assert [model.id for model in client.models.list()] == ["plain"]
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("weather")


def test_an_unknown_model_goes_to_the_default_route(gateway):
    with OpenAI(base_url=gateway.url, api_key="sdk-default") as client:
        raw = client.chat.completions.with_raw_response.create(
            model="gpt-of-next-year", messages=HELLO
        )
    assert raw.parse().model == "gpt-of-next-year"
    assert raw.headers["x-pillion-target"] == "north/plain"


def test_a_call_that_is_not_known_passes_through(gateway):
    with OpenAI(base_url=gateway.url, api_key="sdk-default") as client:
        sent = client.files.create(file=("a.jsonl", b"{}\n" * 1000), purpose="batch")
    assert (sent.model_extra["method"], sent.model_extra["path"]) == ("POST", "/v1/files")
    assert sent.bytes > 3000
