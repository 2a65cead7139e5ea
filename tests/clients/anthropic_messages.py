"""The official Anthropic client for Python, unmodified: runs each case of its plan and tells what came of it."""

import anthropic

from told import plan, refusal, tell


def complete(client, case):
    asked = {
        "model": case["model"],
        "max_tokens": case.get("max_tokens", 64),
        "messages": [{"role": "user", "content": case["say"] * case.get("repeat", 1)}],
        "extra_body": case.get("extra_body"),
    }
    if not case.get("stream"):
        raw = client.messages.with_raw_response.create(**asked)
        answer = raw.parse()
        return {
            "text": answer.content[0].text,
            "model": answer.model,
            "output_tokens": answer.usage.output_tokens,
            "retries": raw.retries_taken,
        }
    with client.messages.stream(**asked) as stream:
        pieces = list(stream.text_stream)
        answer = stream.get_final_message()
    return {
        "text": "".join(pieces),
        "pieces": len(pieces),
        "stop_reason": answer.stop_reason,
        "output_tokens": answer.usage.output_tokens,
    }


def main():
    given = plan()
    client = anthropic.Anthropic(timeout=30)
    for case in given["cases"]:
        for _ in range(case.get("times", 1)):
            try:
                told = complete(client.with_options(max_retries=case.get("max_retries", 2)), case)
            except anthropic.AnthropicError as error:
                told = refusal(error)
            tell(case=case["name"], **told)


main()
