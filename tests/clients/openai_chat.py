"""The official OpenAI client for Python, unmodified: runs each case of its plan and tells what came of it."""

import openai

from told import plan, refusal, tell


def complete(client, case):
    asked = {
        "model": case["model"],
        "messages": [{"role": "user", "content": case["say"] * case.get("repeat", 1)}],
        "extra_body": case.get("extra_body"),
    }
    if "max_tokens" in case:
        asked["max_tokens"] = case["max_tokens"]
    completions = client.chat.completions.with_raw_response
    if not case.get("stream"):
        raw = completions.create(**asked)
        answer = raw.parse()
        return {
            "text": answer.choices[0].message.content,
            "model": answer.model,
            "total_tokens": answer.usage.total_tokens,
            "retries": raw.retries_taken,
        }
    raw = completions.create(**asked, stream=True, stream_options={"include_usage": True})
    pieces, total_tokens = [], None
    for chunk in raw.parse():
        pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        total_tokens = chunk.usage.total_tokens if chunk.usage else total_tokens
    return {
        "text": "".join(pieces),
        "pieces": len(pieces),
        "total_tokens": total_tokens,
        "retries": raw.retries_taken,
    }


def main():
    given = plan()
    client = openai.OpenAI(timeout=30)
    for case in given["cases"]:
        for _ in range(case.get("times", 1)):
            try:
                told = complete(client.with_options(max_retries=case.get("max_retries", 2)), case)
            except openai.OpenAIError as error:
                told = refusal(error)
            tell(case=case["name"], **told)
    tell(case="models", ids=[model.id for model in client.models.list()])


main()
