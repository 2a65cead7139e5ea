"""The MCP client for Python of the revision before, unmodified: takes each step of its plan and tells what came of it."""

import asyncio
from datetime import timedelta

from mcp import ClientSession, McpError
from mcp.client.streamable_http import streamablehttp_client

from told import plan, tell


async def take(session, step):
    match step["do"]:
        case "list":
            return {"names": [tool.name for tool in (await session.list_tools()).tools]}
        case "call":
            result = await session.call_tool(step["name"], step.get("arguments", {}))
            text = "".join(part.text for part in result.content if part.type == "text")
            return {"is_error": bool(result.isError), "text": text, "structured": result.structuredContent}
        case "read":
            return {"text": (await session.read_resource(step["name"])).contents[0].text}
        case "prompt":
            result = await session.get_prompt(step["name"], step.get("arguments", {}))
            return {"text": result.messages[0].content.text}


async def main():
    given = plan()
    headers = {"Authorization": f"Bearer {given['key']}"} if "key" in given else {}
    async with streamablehttp_client(given["url"], headers=headers) as (read, write, _):
        async with ClientSession(read, write, read_timeout_seconds=timedelta(seconds=30)) as session:
            begun = await session.initialize()
            tell(step="connect", revision=begun.protocolVersion)
            for step in given["steps"]:
                try:
                    told = await take(session, step)
                except McpError as error:
                    told = {"error": type(error).__name__, "code": error.error.code, "message": str(error)}
                tell(step=step["do"], name=step.get("name"), **told)


asyncio.run(main())
