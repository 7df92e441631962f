"""The devices that share a run: those of one machine, or of many processes.

Every process runs the same program on its own devices. One mesh with one axis,
"devices", holds all of them, process after process; a device is identified by its
position there. Only process 0 writes files, to a folder that all processes can read.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree, Shaped

from xrdjax.errors import InputError

AXIS = "devices"
DISTRIBUTED = ("off", "auto")


def start(
    distributed: str = "off",
    coordinator_address: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    cpu_devices: int = 1,
) -> None:
    """Sets up the devices of this process and, if there are others, connects to them.

    To be called before anything is computed.

    Args:
        distributed: "off" for one process; "auto" takes the rest from the cluster
            (SLURM, Open MPI, TPU pods, ...).
        coordinator_address: host:port of process 0; with the next two it makes this
            process one of many, whatever `distributed` is.
        num_processes: number of processes that share the run.
        process_id: number of this process, from 0.
        cpu_devices: number of devices that JAX splits the CPU into.

    Raises:
        InputError: the values contradict one another, or there is no cluster.
    """
    if cpu_devices > 1:
        jax.config.update("jax_num_cpu_devices", cpu_devices)
    if coordinator_address and num_processes is not None and process_id is not None:
        return _join_process_0(coordinator_address, num_processes, process_id)
    flags = {
        "coordinator_address": coordinator_address,
        "num_processes": num_processes,
        "process_id": process_id,
    }
    missing = [name for name, value in flags.items() if value in (None, "")]
    if len(missing) < len(flags):
        raise InputError(
            f"{missing[0]} is missing: processes that find one another by flags need "
            f"all of {', '.join(flags)}"
        )
    if distributed == "auto":
        _initialize(
            "distributed is 'auto', but no cluster was found: start the command "
            "with srun or mpirun or on a TPU pod, or give coordinator_address, "
            "num_processes and process_id"
        )


def _join_process_0(address: str, processes: int, process: int) -> None:
    """Makes this process one of several that know the address of process 0.

    Raises:
        InputError: a value is out of range, or process 0 cannot be reached.
    """
    if not 0 <= process < processes:
        raise InputError(
            f"process_id is {process}, expected a number from 0 to num_processes "
            f"- 1, which is {processes - 1}"
        )
    if not address.rpartition(":")[2].isdecimal():
        raise InputError(
            f"coordinator_address is {address!r}, expected host:port of process 0, "
            "such as node1:7000"
        )
    _initialize(
        f"process {process} could not join process 0 at {address}: start all "
        "processes at about the same time, with an address that all can reach",
        # no cluster is asked, so that a process keeps all devices of its machine
        cluster_detection_method="deactivate",
        coordinator_address=address,
        num_processes=processes,
        process_id=process,
    )


def _initialize(failure: str, **arguments: Any) -> None:
    try:
        jax.distributed.initialize(**arguments)
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{failure} ({error})") from error


def _mesh_of(devices: list[jax.Device]) -> Mesh:
    # in this order; jax.make_mesh would order TPUs by the links between them
    auto = (jax.sharding.AxisType.Auto,)
    return Mesh(np.array(devices), (AXIS,), axis_types=auto)


def global_mesh() -> Mesh:
    """All devices of all processes."""
    return _mesh_of(jax.devices())


def local_mesh(count: int | None = None) -> Mesh:
    """The devices of this process, or the first `count` of them."""
    return _mesh_of(jax.local_devices()[:count])


def replicate(tree: PyTree, mesh: Mesh) -> PyTree:
    """Arrays copied to every device of a mesh; all processes give the same ones."""
    everywhere = NamedSharding(mesh, PartitionSpec())

    def copy(leaf):
        whole = np.asarray(leaf)
        return jax.make_array_from_callback(
            whole.shape, everywhere, lambda index: whole[index]
        )

    return jax.tree.map(copy, tree)


def per_device(function: Callable, mesh: Mesh, in_specs: Any, out_specs: Any):
    """A function that each device of a mesh runs on its own share.

    Without the check of varying axes: loops in sources start from constants, which
    are the same on all devices and would have to be cast to varying one by one.
    """
    return jax.shard_map(
        function, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False
    )


def is_first() -> bool:
    """Whether this is process 0, which writes and prints for all."""
    return jax.process_index() == 0


def barrier(name: str) -> None:
    """Waits until all processes have reached this call."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def on_first(function: Callable[[], None]) -> None:
    """Runs a function in process 0 while the others wait.

    Raises:
        InputError: what the function raised; then the other processes raise one too.
    """
    if jax.process_count() == 1:
        return function()
    failure: InputError | None = None
    if is_first():
        try:
            function()
        except InputError as error:
            failure = error
    failed = multihost_utils.broadcast_one_to_all(np.int32(failure is not None))
    if failure is not None:
        raise failure
    if failed:
        raise InputError("process 0 stopped: see its message")


def any_process(flag: bool) -> bool:
    """Whether a flag is set in any process; all get the same answer."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.int32(flag))))


def share_of_process(count: int, unit: int = 1) -> range:
    """The rows of a total of `count` that this process works on.

    Args:
        count: rows of all processes together.
        unit: number of rows that must stay together, counted from row 0.
    """
    most = _largest_share(count, unit)
    first = jax.process_index() * most
    return range(min(first, count), min(first + most, count))


def _largest_share(count: int, unit: int) -> int:
    return unit * -(-count // (unit * jax.process_count()))


def gather_shares(
    rows: Shaped[np.ndarray, "n ..."], count: int, unit: int = 1
) -> Shaped[np.ndarray, "count ..."]:
    """The rows of all processes in order, each of which gives those of its share.

    Args:
        rows: [n, ...] rows of `share_of_process(count, unit)`.
        count: rows of all processes together.
        unit: as for `share_of_process`.
    """
    if jax.process_count() == 1:
        return rows
    missing = _largest_share(count, unit) - len(rows)
    padded = np.pad(rows, [(0, missing)] + [(0, 0)] * (rows.ndim - 1))
    # only the shares at the end are short, so that padding is last
    return np.asarray(multihost_utils.process_allgather(padded, tiled=True))[:count]
