"""Reads {text, patterns, samples} as JSON from standard input. Writes the document as each loader of PyYAML reads it and,
for each pattern, which samples it matches. Exits with 3 if PyYAML is not installed."""
import json
import re
import sys
import warnings

try:
    import yaml
except ImportError:
    sys.exit(3)

warnings.simplefilter("error")  # such as "possible nested set"
request = json.load(sys.stdin)
loaders = [yaml.SafeLoader] + [getattr(yaml, name) for name in ("CSafeLoader",) if hasattr(yaml, name)]
json.dump(
    {
        "documents": {each.__name__: yaml.load(request["text"], each) for each in loaders},
        "matches": [[bool(re.search(pattern, text)) for text in request["samples"]] for pattern in request["patterns"]],
    },
    sys.stdout,
)
