"""What commands free is kept by their process, unless the environment says otherwise."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone is told")

# Pages that the kernel hands out while blocks of 16 MiB come and go, beside one that stays.
_SCRIPT = """
import ctypes, resource
from ganwalk.compute.allocation import keep_freed_memory

kept = keep_freed_memory() if {asked} else None
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]

def round_of():
    blocks = [library.malloc(size * 2**20) for size in (40, 16, 40)]
    for block in blocks:
        ctypes.memset(block, 1, 40 * 2**20 if block != blocks[1] else 16 * 2**20)
    for block in blocks:
        library.free(block)

round_of()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    round_of()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(asked, **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    script = _SCRIPT.format(asked=asked)
    told, count = subprocess.run(
        [sys.executable, "-c", script], env={**inherited, **environment}, capture_output=True, text=True, check=True
    ).stdout.split()
    return told, int(count)


def test_what_is_freed_is_not_asked_of_the_kernel_again():
    told, count = pages(True)
    if told == "False":
        pytest.skip("this C library is not glibc")
    # Five rounds of 96 MiB are 122,880 pages of 4 KiB.
    assert count < 500


def test_without_it_every_block_comes_from_the_kernel():
    always = "[always]"
    with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
        if always in file.read():
            pytest.skip("pages are of 2 MiB")
    assert pages(False)[1] > 50_000


@pytest.mark.parametrize(
    "told", [{"MALLOC_TRIM_THRESHOLD_": "100000"}, {"GLIBC_TUNABLES": "glibc.malloc.top_pad=4096"}]
)
def test_what_the_environment_says_of_malloc_stays(told):
    assert pages(True, **told)[0] == "False"
