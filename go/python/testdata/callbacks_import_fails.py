"""Cannot be imported, once it has called Go."""

import no_such_module
from host_import import seven

seven()
no_such_module.use()
