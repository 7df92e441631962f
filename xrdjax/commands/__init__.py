"""What the commands do, once their flags are read.

The commands themselves, such as `xrdjax.simulate`, import these modules when they need
them, so that `--help` and a mistyped flag do not wait for JAX.
"""
