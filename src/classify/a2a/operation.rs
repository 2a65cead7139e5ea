//! The operations of Agent2Agent, by the names and paths that its bindings give them.

use http::Method;

use crate::classify::a2a::version::Version;

/// What a client asks of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::classify) enum Operation {
    SendMessage,
    SendStreamingMessage,
    GetTask,
    ListTasks,
    CancelTask,
    SubscribeToTask,
    CreatePushConfig,
    GetPushConfig,
    ListPushConfigs,
    DeletePushConfig,
    GetExtendedCard,
    GetCard,
}

impl Operation {
    /// Its name in version 1.0, whatever version asks for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::SendMessage => "SendMessage",
            Self::SendStreamingMessage => "SendStreamingMessage",
            Self::GetTask => "GetTask",
            Self::ListTasks => "ListTasks",
            Self::CancelTask => "CancelTask",
            Self::SubscribeToTask => "SubscribeToTask",
            Self::CreatePushConfig => "CreateTaskPushNotificationConfig",
            Self::GetPushConfig => "GetTaskPushNotificationConfig",
            Self::ListPushConfigs => "ListTaskPushNotificationConfigs",
            Self::DeletePushConfig => "DeleteTaskPushNotificationConfig",
            Self::GetExtendedCard => "GetExtendedAgentCard",
            Self::GetCard => "GetAgentCard",
        }
    }

    /// The operation of a JSON-RPC method, and the version whose name that is.
    pub(super) fn of_method(method: &str) -> Option<(Self, Version)> {
        let present = match method {
            "SendMessage" => Self::SendMessage,
            "SendStreamingMessage" => Self::SendStreamingMessage,
            "GetTask" => Self::GetTask,
            "ListTasks" => Self::ListTasks,
            "CancelTask" => Self::CancelTask,
            "SubscribeToTask" => Self::SubscribeToTask,
            "CreateTaskPushNotificationConfig" => Self::CreatePushConfig,
            "GetTaskPushNotificationConfig" => Self::GetPushConfig,
            "ListTaskPushNotificationConfigs" => Self::ListPushConfigs,
            "DeleteTaskPushNotificationConfig" => Self::DeletePushConfig,
            "GetExtendedAgentCard" => Self::GetExtendedCard,
            _ => return Self::of_former_method(method).map(|operation| (operation, Version::V0_3)),
        };
        Some((present, Version::V1_0))
    }

    fn of_former_method(method: &str) -> Option<Self> {
        Some(match method {
            "message/send" => Self::SendMessage,
            "message/stream" => Self::SendStreamingMessage,
            "tasks/get" => Self::GetTask,
            "tasks/list" => Self::ListTasks,
            "tasks/cancel" => Self::CancelTask,
            "tasks/resubscribe" => Self::SubscribeToTask,
            "tasks/pushNotificationConfig/set" => Self::CreatePushConfig,
            "tasks/pushNotificationConfig/get" => Self::GetPushConfig,
            "tasks/pushNotificationConfig/list" => Self::ListPushConfigs,
            "tasks/pushNotificationConfig/delete" => Self::DeletePushConfig,
            "agent/getAuthenticatedExtendedCard" => Self::GetExtendedCard,
            _ => return None,
        })
    }

    /// Whether it hands the agent a message to act on.
    pub(super) const fn sends(self) -> bool {
        matches!(self, Self::SendMessage | Self::SendStreamingMessage)
    }

    /// Whether its answer is a stream.
    pub(super) const fn streams(self) -> bool {
        matches!(self, Self::SendStreamingMessage | Self::SubscribeToTask)
    }

    /// Whether its answer is an agent card.
    pub(super) const fn asks_for_card(self) -> bool {
        matches!(self, Self::GetCard | Self::GetExtendedCard)
    }
}

/// What lies at a method and path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::classify) enum Endpoint<'p> {
    /// JSON-RPC.
    Rpc,
    /// An operation of the REST binding.
    Rest {
        operation: Operation,
        /// The tenant that the path names.
        tenant: Option<&'p str>,
    },
}

/// Where agents take JSON-RPC. An agent may have other paths, and what they do does not stand in a message.
const RPC: [&str; 8] = ["/", "/a2a", "/a2a/", "/a2a/v1", "/a2a/jsonrpc", "/a2a/jsonrpc/", "/jsonrpc", "/rpc"];

/// What may stand before the paths of the REST binding; 0.3 demands `/v1`.
const BASES: [&str; 6] = ["/a2a/rest/v1", "/a2a/rest", "/a2a/v1", "/a2a", "/v1", ""];

/// The endpoint of that method and normalized path.
pub(in crate::classify) fn recognizes<'p>(method: &Method, path: &'p str) -> Option<Endpoint<'p>> {
    let rest = |operation, tenant| Some(Endpoint::Rest { operation, tenant });
    if *method == Method::POST && RPC.contains(&path) {
        return Some(Endpoint::Rpc);
    }
    if *method == Method::GET && matches!(path, "/.well-known/agent-card.json" | "/.well-known/agent.json") {
        return rest(Operation::GetCard, None);
    }
    BASES.into_iter().find_map(|base| {
        let inner = path.strip_prefix(base)?.strip_prefix('/')?;
        if *method == Method::GET && inner == "card" && base.ends_with("/v1") {
            return rest(Operation::GetExtendedCard, None);
        }
        if let Some(operation) = of_path(method, inner) {
            return rest(operation, None);
        }
        let (tenant, inner) = inner.split_once('/')?;
        rest(of_path(method, inner)?, Some(tenant))
    })
}

/// The operation of a path below its base.
fn of_path(method: &Method, path: &str) -> Option<Operation> {
    let mut segments = path.split('/');
    let found = [segments.next(), segments.next(), segments.next(), segments.next(), segments.next()];
    let (get, post) = (*method == Method::GET, *method == Method::POST);
    Some(match found {
        [Some("message:send"), None, ..] if post => Operation::SendMessage,
        [Some("message:stream"), None, ..] if post => Operation::SendStreamingMessage,
        [Some("extendedAgentCard"), None, ..] if get => Operation::GetExtendedCard,
        [Some("tasks"), None, ..] if get => Operation::ListTasks,
        [Some("tasks"), Some(task), None, ..] => return of_task(task, get, post),
        [Some("tasks"), Some(_), Some("pushNotificationConfigs"), None, _] if get => {
            Operation::ListPushConfigs
        }
        [Some("tasks"), Some(_), Some("pushNotificationConfigs"), None, _] if post => {
            Operation::CreatePushConfig
        }
        [Some("tasks"), Some(_), Some("pushNotificationConfigs"), Some(_), None] if get => {
            Operation::GetPushConfig
        }
        [Some("tasks"), Some(_), Some("pushNotificationConfigs"), Some(_), None]
            if *method == Method::DELETE =>
        {
            Operation::DeletePushConfig
        }
        _ => return None,
    })
}

/// The operation of `{id}`, `{id}:cancel`, `{id}:subscribe`.
fn of_task(task: &str, get: bool, post: bool) -> Option<Operation> {
    match task.rsplit_once(':') {
        Some((_, "cancel")) => post.then_some(Operation::CancelTask),
        Some((_, "subscribe")) => (get || post).then_some(Operation::SubscribeToTask),
        _ => (get && !task.is_empty()).then_some(Operation::GetTask),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(&str, Option<&str>)>) {
        let (method, path) = line.split_once(' ').unwrap();
        let found = recognizes(&method.parse().unwrap(), path).map(|endpoint| match endpoint {
            Endpoint::Rpc => ("JSON-RPC", None),
            Endpoint::Rest { operation, tenant } => (operation.name(), tenant),
        });
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn paths_of_both_bindings_are_known() {
        check("POST /", Some(("JSON-RPC", None)));
        check("POST /a2a/jsonrpc", Some(("JSON-RPC", None)));
        check("POST /message:send", Some(("SendMessage", None)));
        check("POST /v1/message:stream", Some(("SendStreamingMessage", None)));
        check("POST /acme/message:send", Some(("SendMessage", Some("acme"))));
        check("POST /a2a/rest/v1/acme/message:send", Some(("SendMessage", Some("acme"))));
        check("GET /tasks", Some(("ListTasks", None)));
        check("GET /acme/tasks", Some(("ListTasks", Some("acme"))));
        check("GET /tasks/t1", Some(("GetTask", None)));
        check("POST /tasks/t1:cancel", Some(("CancelTask", None)));
        check("GET /tasks/t1:subscribe", Some(("SubscribeToTask", None)));
        check("POST /acme/tasks/t1:subscribe", Some(("SubscribeToTask", Some("acme"))));
        check("POST /tasks/t1/pushNotificationConfigs", Some(("CreateTaskPushNotificationConfig", None)));
        check("GET /tasks/t1/pushNotificationConfigs", Some(("ListTaskPushNotificationConfigs", None)));
        check("GET /tasks/t1/pushNotificationConfigs/p", Some(("GetTaskPushNotificationConfig", None)));
        check("DELETE /tasks/t1/pushNotificationConfigs/p", Some(("DeleteTaskPushNotificationConfig", None)));
        check("GET /extendedAgentCard", Some(("GetExtendedAgentCard", None)));
        check("GET /v1/card", Some(("GetExtendedAgentCard", None)));
        check("GET /.well-known/agent-card.json", Some(("GetAgentCard", None)));
        check("GET /.well-known/agent.json", Some(("GetAgentCard", None)));
    }

    #[test]
    fn other_paths_are_not() {
        for line in [
            "GET /",
            "POST /admin",
            "POST /message:send/",
            "POST /message:delete",
            "GET /message:send",
            "POST /a/b/message:send",
            "POST /tasks/t1",
            "POST /tasks/t1:start",
            "GET /tasks/",
            "DELETE /tasks/t1",
            "PUT /tasks/t1/pushNotificationConfigs/p",
            "GET /tasks/t1/pushNotificationConfigs/p/q",
            "GET /card",
            "POST /.well-known/agent-card.json",
            "POST /lf.a2a.v1.A2AService/SendMessage",
        ] {
            check(line, None);
        }
    }
}
