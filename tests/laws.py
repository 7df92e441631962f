"""A law of many cases as one test, which names the cases that break it.

A test for each of 230 groups is 230 tests to collect, set up and report; as a loop, it
is one. All cases run, whichever fail.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from xrdjax.symmetry.space_groups import SPACE_GROUPS


def for_each(
    arguments: str | tuple[str, ...],
    cases: Iterable[Any],
    name: Callable[[Any], object] = repr,
) -> Callable[[Callable], Callable]:
    """Makes one test of a check of one case; its other arguments are fixtures.

    Args:
        arguments: of the check, which take the case: one, or several that share it.
        cases: all that the law is about.
        name: what to call a case in the message.
    """
    cases = list(cases)

    def of_case(case: Any) -> dict[str, Any]:
        if isinstance(arguments, str):
            return {arguments: case}
        return dict(zip(arguments, case, strict=True))

    def decorate(check: Callable) -> Callable:
        def test(**fixtures: Any) -> None:
            broken: dict[str, AssertionError] = {}
            for case in cases:
                try:
                    check(**fixtures, **of_case(case))
                except AssertionError as error:
                    broken.setdefault(str(name(case)), error)
                except Exception as error:
                    error.add_note(f"The case is {name(case)}.")
                    raise
            if broken:
                (first, error), *_ = broken.items()
                raise AssertionError(
                    f"{len(broken)} of {len(cases)} cases break the law: "
                    f"{', '.join(broken)}; the first of them, {first}: {error}"
                ) from error

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        test.__module__, test.__qualname__ = check.__module__, check.__qualname__
        parameters = inspect.signature(check).parameters.values()
        taken = (arguments,) if isinstance(arguments, str) else arguments
        test.__signature__ = inspect.Signature(  # what pytest looks for fixtures in
            [p for p in parameters if p.name not in taken]
        )
        return test

    return decorate


in_every_group = for_each("group", SPACE_GROUPS, lambda group: f"group {group.number}")
"""Makes one test of a check of one `group`."""
