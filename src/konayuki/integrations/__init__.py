"""konayuki under the names of other libraries: thin adapters, one module a library."""
