"""AWS's client for Python, unmodified: runs each case of its plan against Bedrock and tells what came of it.

Its credentials come from the environment: a key pair, with which it signs, or a bearer token."""

import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from told import plan, tell

TOOLS = {
    "tools": [
        {"toolSpec": {"name": name, "inputSchema": {"json": {"type": "object"}}}}
        for name in ("get_order", "refund")
    ]
}


def gathered(events):
    """The message of a stream, put together as its reader would."""
    blocks, arguments, stopped, tokens = {}, {}, None, None
    for event in events:
        if "contentBlockStart" in event:
            start = event["contentBlockStart"]
            blocks[start["contentBlockIndex"]] = {"call": start["start"]["toolUse"]["name"]}
        elif "contentBlockDelta" in event:
            index, delta = event["contentBlockDelta"]["contentBlockIndex"], event["contentBlockDelta"]["delta"]
            if "text" in delta:
                block = blocks.setdefault(index, {"text": ""})
                block["text"] += delta["text"]
            else:
                arguments[index] = arguments.get(index, "") + delta["toolUse"]["input"]
        elif "contentBlockStop" in event:
            index = event["contentBlockStop"]["contentBlockIndex"]
            if index in arguments:
                blocks[index]["args"] = json.loads(arguments[index])
        elif "messageStop" in event:
            stopped = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            tokens = event["metadata"]["usage"]["totalTokens"]
    return {"parts": [blocks[index] for index in sorted(blocks)], "finish": stopped, "tokens": tokens}


def said(block):
    if "toolUse" in block:
        return {"call": block["toolUse"]["name"], "args": block["toolUse"]["input"]}
    return {"text": block["text"]} if "text" in block else {"other": sorted(block)}


def converse(client, case):
    asked = {
        "modelId": case["model"],
        "messages": [{"role": "user", "content": [{"text": case["say"]}]}],
        "inferenceConfig": {"maxTokens": case["max_tokens"]},
    }
    if case.get("tools"):
        asked["toolConfig"] = TOOLS
    if case.get("stream"):
        return gathered(client.converse_stream(**asked)["stream"])
    answer = client.converse(**asked)
    return {
        "parts": [said(block) for block in answer["output"]["message"]["content"]],
        "finish": answer["stopReason"],
        "tokens": answer["usage"]["totalTokens"],
    }


def main():
    given = plan()
    config = Config(retries={"total_max_attempts": 3}, read_timeout=30)
    client = boto3.client("bedrock-runtime", "us-east-1", endpoint_url=given["url"], config=config)
    for case in given["cases"]:
        try:
            told = converse(client, case)
        except (ClientError, EventStreamError) as error:
            about = error.response.get("ResponseMetadata", {})
            told = {
                "error": type(error).__name__,
                "code": error.response["Error"]["Code"],
                "message": error.response["Error"]["Message"],
                "status": about.get("HTTPStatusCode"),
                "retries": about.get("RetryAttempts"),
            }
        tell(case=case["name"], **told)


main()
