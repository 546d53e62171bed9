# SPDX-License-Identifier: GPL-2.0-or-later
"""What every system test needs: `from lib import *` gives the cluster, jobs, the product's traces and the test program's frame."""

import unittest

from lib.cluster import cluster, memory_is_limited
from lib.jobs import Job, array_element, attempt_submit, end, requeue, slurm_version, submit, wait_all
from lib.product import (application_lines, assert_clean, clear_policy, complaints, generations, product_lines, set_policy, wait_restored)
from lib.suite import SystemTest, main
from lib.waiting import wait_for

__all__ = ["Job", "SystemTest", "array_element", "attempt_submit", "application_lines", "assert_clean", "clear_policy", "cluster", "complaints", "end", "generations",
           "main", "memory_is_limited", "product_lines", "requeue", "set_policy", "slurm_version", "submit", "unittest", "wait_all", "wait_for", "wait_restored"]
