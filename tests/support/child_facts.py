"""A module that prints how it was started, as JSON: for tests of `infra.child_start`."""

import gc
import json
import os
import sys

if __name__ == "__main__":
    facts = {"program": sys.argv[0], "arguments": sys.argv[1:], "collects_after": gc.get_threshold()[0]}
    print(json.dumps({**facts, "plugins": os.environ["PYDANTIC_DISABLE_PLUGINS"]}))
