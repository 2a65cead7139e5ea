"""The official Anthropic client for Python, unmodified: lets a model call tools, and goes on from what it said."""

import anthropic
from anthropic.types import Message
from anthropic.types.beta import BetaMessage

from told import plan, refusal, tell

TOOLS = [
    {"name": name, "description": "A tool.", "input_schema": {"type": "object", "properties": {}}}
    for name in ("look", "refund")
]


def say(client, case, messages):
    """The final message, and the events that led to it."""
    asked = {"model": case["model"], "max_tokens": 64, "tools": TOOLS, "messages": messages}
    betas = case.get("betas")
    calls = client.beta.messages if betas else client.messages
    if betas:
        asked["betas"] = betas
    if not case.get("stream"):
        return calls.create(**asked), []
    with calls.stream(**asked) as stream:
        events = [event.type for event in stream]
        return stream.get_final_message(), events


def converse(client, case):
    messages = [{"role": "user", "content": "Look into order A-7731."}]
    final, events = say(client, case, messages)
    # As strictly as the types say, not as leniently as the client reads.
    (BetaMessage if case.get("betas") else Message).model_validate(final.to_dict())
    calls = [block for block in final.content if block.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "done"} for call in calls]
    messages.append({"role": "assistant", "content": final.content})
    messages.append({"role": "user", "content": results or "Go on."})
    say(client, case, messages)
    return {
        "content": [block.to_dict() for block in final.content],
        "stop_reason": final.stop_reason,
        "output_tokens": final.usage.output_tokens,
        "events": events,
    }


def main():
    given = plan()
    client = anthropic.Anthropic(timeout=30)
    for case in given["cases"]:
        try:
            told = converse(client, case)
        except anthropic.AnthropicError as error:
            told = refusal(error)
        tell(case=case["name"], **told)


main()
