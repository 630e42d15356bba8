"""Schema migrations; applied by ``SqlStore.migrate`` only, one transaction for all of them."""
