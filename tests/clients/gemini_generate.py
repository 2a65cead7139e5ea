"""The official Gemini client for Python, unmodified: runs each case of its plan and tells what came of it."""

from google import genai
from google.genai import errors, types

from told import plan, tell

TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(name=name, parameters_json_schema={"type": "object"})
            for name in ("get_order", "refund")
        ]
    )
]


def said(part):
    """What a part is to its reader."""
    if part.function_call:
        return {"call": part.function_call.name, "args": part.function_call.args}
    if part.text is not None and not part.thought:
        return {"text": part.text}
    return {"other": sorted(part.model_dump(exclude_none=True))}


def generate(client, case):
    config = types.GenerateContentConfig(
        max_output_tokens=case["max_tokens"],
        tools=TOOLS,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    asked = {"model": case["model"], "contents": case["say"], "config": config}
    if case.get("stream"):
        answers = list(client.models.generate_content_stream(**asked))
    else:
        answers = [client.models.generate_content(**asked)]
    last = answers[-1]
    return {
        "parts": [said(part) for answer in answers for part in answer.candidates[0].content.parts or []],
        "finish": last.candidates[0].finish_reason,
        "tokens": last.usage_metadata.total_token_count,
        "model": last.model_version,
    }


def main():
    given = plan()
    options = types.HttpOptions(base_url=given["url"], timeout=30_000)
    client = genai.Client(api_key=given["key"], http_options=options)
    for case in given["cases"]:
        try:
            told = generate(client, case)
        except errors.APIError as error:
            told = {
                "error": type(error).__name__,
                "status": error.code,
                "reason": error.status,
                "message": error.message,
            }
        tell(case=case["name"], **told)


main()
