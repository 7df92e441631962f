"""One function of chunks, in this process and in others."""

import os

import pytest

from xrdjax.ops.workers import map_in_processes


def _map(items, **options):
    # a function that other processes have without importing the package or the tests
    return map_in_processes(list, items, chunk=3, serial_below=2, **options)


def test_results_have_the_order_of_the_items_in_one_process_and_in_several():
    items = list(range(8))
    assert _map(items, processes=1) == _map(items, processes=2) == items
    assert _map([], processes=2) == []


def test_few_items_and_single_chunks_start_no_processes(monkeypatch):
    def fail(*_):
        raise AssertionError("a pool was made")

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor", fail)
    assert _map([1]) == [1]  # fewer than serial_below
    assert _map([1, 2, 3], processes=4) == [1, 2, 3]  # one chunk
    with pytest.raises(AssertionError, match="a pool was made"):
        _map([1, 2, 3, 4], processes=4)


def test_by_default_large_collections_are_worked_on_by_all_cores(monkeypatch):
    asked = []

    def note(processes, _):
        asked.append(processes)
        raise InterruptedError

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor", note)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    with pytest.raises(InterruptedError):
        _map(list(range(30)))
    assert asked == [3]


def test_a_bar_counts_the_items_when_asked_for(capsys):
    _map([1, 2, 3, 4], processes=1)
    assert capsys.readouterr().err == ""
    _map([1, 2, 3, 4], processes=1, progress=True, unit="file")
    assert "4/4" in capsys.readouterr().err


def test_an_error_of_the_function_is_raised():
    def fail(chunk):
        raise RuntimeError(f"no result for {chunk}")

    with pytest.raises(RuntimeError, match=r"no result for \[1\]"):
        map_in_processes(fail, [1], chunk=1, serial_below=9)
