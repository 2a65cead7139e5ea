"""What every Python client here shares: the plan it is given, the lines it tells, and an end to waiting."""

import faulthandler
import json
import sys


def plan():
    """The plan, as JSON in the first argument. A client that hangs shows where, and ends."""
    faulthandler.dump_traceback_later(60, exit=True)
    return json.loads(sys.argv[1])


def tell(**what):
    """One JSON line of what happened."""
    print(json.dumps(what), flush=True)


def refusal(error):
    """What an SDK of the OpenAI family lets its caller see of an error."""
    response = getattr(error, "response", None)
    headers = {} if response is None else response.headers
    request = {} if response is None else response.request.headers
    return {
        "error": type(error).__name__,
        "message": str(error),
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "type": getattr(error, "type", None),
        "retries": int(request.get("x-stainless-retry-count", 0)),
        "retry_after": headers.get("retry-after"),
        "should_retry": headers.get("x-should-retry"),
        "decision": headers.get("pactgate-decision"),
    }
