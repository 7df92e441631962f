"""How a command ends on bad input and on Ctrl-C."""

import pytest

from xrdjax.errors import InputError, exit_on_input_error


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (InputError("no such file"), 2, "error: no such file\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_a_command_ends_with_one_line_and_its_status(raised, status, line, capsys):
    with pytest.raises(SystemExit) as exit_, exit_on_input_error():
        raise raised
    assert exit_.value.code == status
    assert capsys.readouterr() == ("", line)
