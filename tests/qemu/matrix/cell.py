# SPDX-License-Identifier: BSD-2-Clause
"""cell.py ROW CELL: builds one row of the matrix (tools/run/matrix.py) and boots one of its cells."""
import sys

import matrix
from common import Stop
from guest import GuestError
from tap import Tap

tap = Tap()
row, cell = matrix.Row(sys.argv[1]), sys.argv[2]
built = False
try:
    row.build()
    built = True
    tap.ok(True, "%s builds" % row.name)
    matrix.run_cell(row, cell)
    tap.ok(True, "%s boots on %s and serves its page" % (row.name, cell))
except (GuestError, Stop, OSError) as error:
    tap.ok(False, "%s boots on %s" % (row.name, cell) if built else "%s builds" % row.name, str(error))
sys.exit(tap.done())
