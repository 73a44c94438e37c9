"""The golden model leaves the threads of NumPy's BLAS as it found them."""

import pytest

from spikeloom.sim import _blas


def test_one_thread_inside_nested_or_not_and_the_former_number_after():
    controls = _blas._controls()
    if controls is None:
        pytest.skip("NumPy's BLAS is no OpenBLAS that this system lets us find")
    get, put = controls
    before = get()
    try:
        put(2)
        with _blas.single_threaded() as found:
            assert found and get() == 1
            with _blas.single_threaded():
                assert get() == 1
            assert get() == 1
        assert get() == 2
        with pytest.raises(KeyError), _blas.single_threaded():
            raise KeyError
        assert get() == 2
    finally:
        put(before)


def test_a_blas_that_is_not_found_is_left_alone(monkeypatch):
    monkeypatch.setattr(_blas, "_controls", lambda: None)
    with _blas.single_threaded() as found:
        assert not found
