"""Compiler options of programs whose results are compared with those of an oracle.

All other programs of the suite are compiled quickly; see conftest.py.
"""

import jax

# For `jax.jit(compiler_options=...)`: the compiler's own defaults.
AS_FOR_USERS: dict[str, int | bool] = {"xla_backend_optimization_level": 3}
if jax.__version_info__[:2] == (0, 10):
    AS_FOR_USERS["xla_cpu_use_fusion_emitters"] = True
