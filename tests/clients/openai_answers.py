"""The official OpenAI client for Python, unmodified: takes answers that hold tool calls, by each of its ways, and tells
what it made of them."""

import openai

from told import plan, refusal, tell

CHAT_TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("refund", "delete_order")
]
RESPONSE_TOOLS = [{"type": "function", **tool["function"], "strict": False} for tool in CHAT_TOOLS]


def of_message(choice):
    calls = choice.message.tool_calls or []
    return {
        "text": choice.message.content,
        "calls": [[call.id, call.function.name, call.function.arguments] for call in calls],
        "end": choice.finish_reason,
    }


def of_response(response):
    calls = [item for item in response.output if item.type == "function_call"]
    return {
        "text": response.output_text,
        "items": [item.type for item in response.output],
        "calls": [[call.call_id, call.name, call.arguments] for call in calls],
        "end": response.status,
        # What a next request would send back has to be what the API takes.
        "again": [item.to_dict(mode="json", exclude_none=True)["type"] for item in response.output],
    }


def take(client, case):
    chat = {"model": "small", "messages": [{"role": "user", "content": "?"}], "tools": CHAT_TOOLS}
    response = {"model": "small", "input": "?", "tools": RESPONSE_TOOLS}
    match case["way"]:
        case "chat whole":
            return of_message(client.chat.completions.create(**chat).choices[0])
        case "chat helper":
            done = []
            with client.chat.completions.stream(**chat) as stream:
                for event in stream:
                    if event.type == "tool_calls.function.arguments.done":
                        done.append([event.name, event.arguments])
                return {**of_message(stream.get_final_completion().choices[0]), "done": done}
        case "responses whole":
            return of_response(client.responses.create(**response))
        case "responses stream":
            numbers, end = [], None
            for event in client.responses.create(**response, stream=True):
                numbers.append(event.sequence_number)
                end = getattr(event, "response", end)
            return {**of_response(end), "gaps": numbers != list(range(len(numbers)))}
        case "responses helper":
            done = []
            with client.responses.stream(**response) as stream:
                for event in stream:
                    if event.type == "response.output_text.done":
                        done.append(event.text)
                return {**of_response(stream.get_final_response()), "done": done}


def main():
    client = openai.OpenAI(timeout=30, max_retries=0)
    for case in plan()["cases"]:
        try:
            told = take(client, case)
        except openai.OpenAIError as error:
            told = refusal(error)
        tell(case=case["way"], **told)


main()
