"""Limits of what an index takes in, the same for Python, the command line, HTTP and MCP.

They are far above ordinary use. Each keeps one document or question from making everything else
slow, or from being stored in a form that cannot be given back.
"""

MAX_ID_BYTES = 8_192  # a path of the longest kind and a place in the file
MAX_TITLE_CHARACTERS = 65_536  # heading, too
MAX_TEXT_CHARACTERS = 32_000_000
MAX_METADATA_CHARACTERS = 4_000_000  # as JSON
# Python's JSON and that of web frameworks nest calls as deep as the value: 250 is where they stop.
MAX_METADATA_DEPTH = 100
MAX_QUERY_CHARACTERS = 100_000
MAX_FILTER_VALUES = 100_000  # of all keys together
# U+FDFA alone becomes 18 characters in NFKC. Ordinary text, squared words (㍿) included, stays
# below four; what is short may be anything.
MAX_EXPANSION = 4
FREE_EXPANSION = 10_000
