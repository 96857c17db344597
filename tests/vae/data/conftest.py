"""A cache of their own for the tests of data sets."""

import pytest


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(shared_cache, monkeypatch):
    """The cache folder, shared by all tests: what is cast once is enough."""
    monkeypatch.setenv("GANWALK_CACHE", str(shared_cache))
    monkeypatch.setenv("NO_PROXY", "*")
    return shared_cache


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache folder for one test."""
    monkeypatch.setenv("GANWALK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"
