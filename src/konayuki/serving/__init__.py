"""Numbers to people: an HTTP service, a search page and an MCP server (extra `serve`)."""
