"""How good a network is: answers, figures of merit, report, plots."""
