"""The present MCP client for Python, unmodified: takes each step of its plan and tells what came of it."""

import asyncio

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from told import plan, tell


async def take(client, step):
    match step["do"]:
        case "list":
            return {"names": [tool.name for tool in (await client.list_tools()).tools]}
        case "call":
            result = await client.call_tool(step["name"], step.get("arguments", {}))
            text = "".join(part.text for part in result.content if part.type == "text")
            return {"is_error": bool(result.is_error), "text": text, "structured": result.structured_content}
        case "read":
            return {"text": (await client.read_resource(step["name"])).contents[0].text}
        case "prompt":
            result = await client.get_prompt(step["name"], step.get("arguments", {}))
            return {"text": result.messages[0].content.text}


async def main():
    given = plan()
    headers = {"Authorization": f"Bearer {given['key']}"} if "key" in given else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(given["url"], http_client=http)
        async with Client(transport, mode=given["mode"], read_timeout_seconds=30) as client:
            tell(step="connect", revision=client.protocol_version)
            for step in given["steps"]:
                try:
                    told = await take(client, step)
                except MCPError as error:
                    told = {"error": type(error).__name__, "code": error.code, "message": str(error)}
                tell(step=step["do"], name=step.get("name"), **told)


asyncio.run(main())
