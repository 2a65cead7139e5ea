"""The official A2A client, unmodified: finds the agent by its card, and tells what comes of each step of its plan."""

import asyncio
from uuid import uuid4

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers import new_data_part, new_text_part, new_url_part
from a2a.types import (
    GetExtendedAgentCardRequest,
    GetTaskRequest,
    Message,
    Role,
    SendMessageRequest,
    TaskPushNotificationConfig,
)

from told import plan, tell


def addresses(card):
    return [[each.url, each.protocol_binding, each.protocol_version] for each in card.supported_interfaces]


def message(step):
    parts = [new_data_part(data) for data in step.get("data", [])]
    parts += [new_text_part(text) for text in step.get("texts", [])]
    parts += [new_url_part(url) for url in step.get("urls", [])]
    metadata = {"skillId": step["skill"]} if "skill" in step else None
    return Message(message_id=str(uuid4()), role=Role.ROLE_USER, parts=parts, metadata=metadata)


async def send(client, step, known):
    events, texts = [], []
    async for event in client.send_message(SendMessageRequest(message=message(step))):
        events.append(event.WhichOneof("payload"))
        if event.HasField("task"):
            known["task"] = event.task.id
        artifacts = [event.artifact_update.artifact] if event.HasField("artifact_update") else event.task.artifacts
        texts += [part.text for artifact in artifacts for part in artifact.parts]
    tell(events=events, texts=texts)


async def take(client, step, known):
    match step["do"]:
        case "send":
            await send(client, step, known)
        case "get":
            task = await client.get_task(GetTaskRequest(id=known.get("task", "none")))
            tell(artifacts=len(task.artifacts))
        case "card":
            card = await client.get_extended_agent_card(GetExtendedAgentCardRequest())
            tell(addresses=addresses(card), signatures=len(card.signatures))
        case "push":
            config = TaskPushNotificationConfig(task_id=known.get("task", "none"), id="p", url=step["url"])
            answer = await client.create_task_push_notification_config(config)
            tell(url=answer.url)


async def main(told):
    headers = {"Authorization": f"Bearer {told['key']}"}
    async with httpx.AsyncClient(headers=headers, timeout=30) as web:
        card = await A2ACardResolver(web, told["url"]).get_agent_card()
        tell(addresses=addresses(card), signatures=len(card.signatures), provider=card.provider.url)
        fitting = [
            each
            for each in card.supported_interfaces
            if each.protocol_binding == told["binding"]
            and each.protocol_version == told["version"]
            and not each.url.startswith("http://127.0.0.1:9/")
        ]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(fitting)
        config = ClientConfig(
            streaming=told["streaming"], httpx_client=web, supported_protocol_bindings=[told["binding"]]
        )
        client = ClientFactory(config).create(card)
        known = {}
        for step in told["steps"]:
            try:
                await take(client, step, known)
            except Exception as error:
                tell(error=type(error).__name__, message=str(error))


asyncio.run(main(plan()))
