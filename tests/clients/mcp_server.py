"""An MCP server on the official SDK, the present one or the one before: says where it listens, then serves until ended.
With the argument `json` it answers in JSON, without it in streams."""

import asyncio
import socket
import sys

import uvicorn

try:
    from mcp.server.mcpserver import MCPServer as Server
except ImportError:
    from mcp.server.fastmcp import FastMCP as Server

from told import tell

server = Server("desk")


@server.tool()
def greet(name: str) -> str:
    """Greets somebody."""
    return f"hello {name}"


@server.tool()
def fire(name: str) -> str:
    """Lets somebody go."""
    return f"{name} is gone"


listener = socket.create_server(("127.0.0.1", 0))
tell(port=listener.getsockname()[1])
in_json = "json" in sys.argv
try:
    served = server.streamable_http_app(json_response=in_json)
except TypeError:
    server.settings.json_response = in_json
    served = server.streamable_http_app()
app = uvicorn.Server(uvicorn.Config(served, log_level="warning"))
asyncio.run(app.serve(sockets=[listener]))
