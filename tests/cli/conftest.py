import pytest


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """No data, no results, and no RxRx1 on the machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RXRX1", str(tmp_path / "nowhere"))
    return tmp_path
