"""What Python makes of openapi.yaml: reads {text, patterns, samples} and writes the document as PyYAML's loaders have it, and for
each pattern which of the samples it finds. Ends with 3 where PyYAML is missing."""
import json
import re
import sys
import warnings

try:
    import yaml
except ImportError:
    sys.exit(3)

warnings.simplefilter("error")  # "possible nested set" and the like
given = json.load(sys.stdin)
loaders = [yaml.SafeLoader] + [getattr(yaml, name) for name in ("CSafeLoader",) if hasattr(yaml, name)]
json.dump(
    {
        "documents": {each.__name__: yaml.load(given["text"], each) for each in loaders},
        "found": [[bool(re.search(pattern, text)) for text in given["samples"]] for pattern in given["patterns"]],
    },
    sys.stdout,
)
