"""Evaluation of a network: its answers, figures of merit, report and plots."""
