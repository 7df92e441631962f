"""Work on many items in several processes, in order, with a progress bar."""

import concurrent.futures
import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_processes(
    function: Callable[[Sequence[Item]], list[Result]],
    items: Sequence[Item],
    *,
    chunk: int,
    serial_below: int,
    processes: int | None = None,
    progress: bool = False,
    unit: str = "item",
) -> list[Result]:
    """Results of a function for each item, in the order of the items.

    A script must call this below `if __name__ == "__main__":`, as always where Python
    starts processes.

    Args:
        function: from a chunk of items to as many results; defined at the top of a
            module, since it is pickled.
        items: to work on.
        chunk: items sent to a process at once.
        serial_below: with fewer items, starting processes takes longer than the work.
        processes: how many to use; by default one below `serial_below`, else all cores.
        progress: shows a bar.
        unit: what the bar counts.
    """
    chunks = [items[i : i + chunk] for i in range(0, len(items), chunk)]
    if processes is None:
        processes = 1 if len(items) < serial_below else os.cpu_count() or 1
    processes = min(processes, len(chunks))
    results: list[Result] = []
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(
            tqdm.tqdm(total=len(items), unit=unit, disable=not progress)
        )
        parts: Iterator[list[Result]] = map(function, chunks)
        if processes > 1:
            # spawn: a process with threads, which JAX starts, must not be forked
            pool = concurrent.futures.ProcessPoolExecutor(
                processes, multiprocessing.get_context("spawn")
            )
            parts = stack.enter_context(pool).map(function, chunks)
        for part in parts:
            results.extend(part)
            bar.update(len(part))
    return results
