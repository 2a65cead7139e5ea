"""The OpenAI Agents SDK, unmodified: runs an agent with local tools and those of an MCP server through each case."""

import asyncio

import agents
from agents import Agent, ModelSettings, Runner, function_tool
from agents.mcp import MCPServerStreamableHttp

from told import plan, tell


@function_tool
def weigh(order: str) -> str:
    """Weighs what an order holds."""
    tell(ran="weigh", order=order)
    return f"order {order} weighs 3 kg"


@function_tool
def pay(payee: str, amount: int) -> str:
    """Pays somebody."""
    tell(ran="pay", payee=payee, amount=amount)
    return f"{payee} has {amount}"


@function_tool
def wipe(disk: str) -> str:
    """Wipes a disk."""
    tell(ran="wipe", disk=disk)
    return f"{disk} is empty"


async def run(agent, case):
    if not case.get("stream"):
        result = await Runner.run(agent, case["say"])
        return result, {}
    result = Runner.run_streamed(agent, case["say"])
    pieces, seen = [], []
    async for event in result.stream_events():
        match event.type:
            case "raw_response_event" if event.data.type == "response.output_text.delta":
                pieces.append(event.data.delta)
            case "run_item_stream_event":
                seen.append(event.name)
    return result, {"pieces": len(pieces), "streamed": "".join(pieces), "seen": seen}


async def main():
    given = plan()
    agents.set_tracing_disabled(True)
    agents.set_default_openai_api(given["api"])
    params = {"url": given["mcp"], "headers": {"Authorization": f"Bearer {given['key']}"}, "timeout": 30}
    async with MCPServerStreamableHttp(params, name="shop", client_session_timeout_seconds=30) as shop:
        agent = Agent(
            name="clerk",
            model=given["model"],
            model_settings=ModelSettings(parallel_tool_calls=True, include_usage=True),
            tools=[weigh, pay, wipe],
            mcp_servers=[shop],
        )
        for case in given["cases"]:
            try:
                result, more = await run(agent, case)
                told = {"final": result.final_output, "items": [item.type for item in result.new_items], **more}
            except Exception as error:
                told = {"error": type(error).__name__, "message": str(error)}
            tell(case=case["name"], **told)


asyncio.run(main())
