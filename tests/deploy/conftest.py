import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The process under test is started as for the SDKs.
sys.path.insert(0, str(ROOT / "tests/sdk/python"))


@pytest.fixture(scope="session")
def deploy():
    return ROOT / "deploy"
