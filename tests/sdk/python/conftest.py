import signal

import pytest
from openai import OpenAI

from pillion import TOKEN, Pillion

# Told to end, the runner ends as at Ctrl-C: its fixtures end what they started.
signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    gateway = Pillion("gateway.yaml", tmp_path_factory.mktemp("gateway"))
    try:
        yield gateway
    finally:
        code = gateway.end()
    assert code == 0, f"told to end, it exited with {code}"


@pytest.fixture(scope="session")
def client(gateway):
    """As an application makes it: nothing but an address and a token."""
    with OpenAI(base_url=gateway.url, api_key=TOKEN) as client:
        yield client
