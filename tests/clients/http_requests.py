"""The HTTP client `requests`, unmodified: sends each call of its plan and tells what came of it."""

import requests

from told import plan, tell

for call in plan()["calls"]:
    answer = requests.request(call["method"], call["url"], json=call.get("json"), timeout=30)
    tell(status=answer.status_code, kind=answer.headers["content-type"], body=answer.json())
