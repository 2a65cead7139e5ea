"""An agent on the official A2A SDK: says where it listens, then answers over JSON-RPC and REST until ended.

Its card also names places that are none of its own, as a card may.
"""

import asyncio
import socket

import uvicorn
from a2a.helpers import get_data_parts, get_text_parts, new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryPushNotificationConfigStore, InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentCardSignature, AgentInterface, AgentProvider, AgentSkill
from starlette.applications import Starlette

from told import tell

listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
here = f"http://127.0.0.1:{port}"


def interface(url, binding, version="1.0"):
    return AgentInterface(url=url, protocol_binding=binding, protocol_version=version)


card = AgentCard(
    name="billing",
    description="Settles what is owed.",
    version="1.0.0",
    provider=AgentProvider(organization="Example", url="https://provider.example"),
    supported_interfaces=[
        interface("http://127.0.0.1:9/a2a", "JSONRPC"),
        interface(f"127.0.0.1:{port}", "GRPC"),
        interface(f"{here}/a2a/jsonrpc", "JSONRPC"),
        interface(f"{here}/a2a/rest", "HTTP+JSON"),
        interface(f"{here}/a2a/jsonrpc", "JSONRPC", "0.3"),
        interface(f"{here}/a2a/rest", "HTTP+JSON", "0.3"),
    ],
    capabilities=AgentCapabilities(streaming=True, push_notifications=True, extended_agent_card=True),
    default_input_modes=["text/plain", "application/json"],
    default_output_modes=["text/plain"],
    skills=[AgentSkill(id="refund", name="Refund", description="Gives money back.", tags=["money"])],
    signatures=[AgentCardSignature(protected="eyJhbGciOiJFUzI1NiJ9", signature="c2lnbmVk")],
)


class Billing(AgentExecutor):
    """Says what it was told, which number that was, and with which key it was reached."""

    count = 0

    async def execute(self, context, event_queue):
        Billing.count += 1
        message = context.message
        task = context.current_task or new_task_from_user_message(message)
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        key = context.call_context.state["headers"].get("x-billing-key")
        amount = [data.get("amount") for data in get_data_parts(message.parts)]
        said = f"number {Billing.count}, amounts {amount}, texts {get_text_parts(message.parts)}, key {key}"
        await updater.add_artifact([new_text_part(said)])
        await updater.complete()

    async def cancel(self, context, event_queue):
        raise NotImplementedError


handler = DefaultRequestHandler(
    agent_executor=Billing(),
    task_store=InMemoryTaskStore(),
    agent_card=card,
    push_config_store=InMemoryPushNotificationConfigStore(),
    extended_agent_card=card,
)
routes = [
    *create_agent_card_routes(card),
    *create_jsonrpc_routes(handler, "/a2a/jsonrpc", enable_v0_3_compat=True),
    *create_rest_routes(handler, enable_v0_3_compat=True, path_prefix="/a2a/rest"),
]
tell(port=port)
server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_level="warning"))
asyncio.run(server.serve(sockets=[listener]))
