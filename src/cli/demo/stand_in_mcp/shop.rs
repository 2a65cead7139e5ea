//! The shop itself: three orders, four tools, one resource, one prompt.

use serde_json::{Value, json};

use crate::cli::demo::stand_in_mcp::rpc::{self, RpcError};
use crate::domain::Decimal;

const POLICY_URI: &str = "shop://returns-policy";
const POLICY: &str = "Orders can be returned within 30 days. Refunds over 100 need a person's approval.";

struct Order {
    id: &'static str,
    customer: &'static str,
    status: &'static str,
    total: i64,
    currency: &'static str,
}

const ORDERS: [Order; 3] = [
    Order { id: "7", customer: "ada", status: "delivered", total: 80, currency: "EUR" },
    Order { id: "8", customer: "ada", status: "delivered", total: 1_200, currency: "EUR" },
    Order { id: "9", customer: "grace", status: "shipped", total: 45, currency: "USD" },
];

impl Order {
    fn json(&self) -> Value {
        json!({
            "order": self.id, "customer": self.customer, "status": self.status,
            "total": self.total, "currency": self.currency,
        })
    }
}

pub(super) fn server_info() -> Value {
    json!({"name": "shop", "version": env!("CARGO_PKG_VERSION")})
}

pub(super) fn capabilities() -> Value {
    json!({"tools": {}, "resources": {}, "prompts": {}})
}

/// Answers the methods that all revisions share.
pub(super) fn perform(method: &str, params: &Value) -> Result<Value, RpcError> {
    match method {
        "tools/list" => Ok(json!({"tools": tools()})),
        "tools/call" => call(params),
        "resources/list" => Ok(
            json!({"resources": [{"uri": POLICY_URI, "name": "returns-policy", "mimeType": "text/plain"}]}),
        ),
        "resources/templates/list" => Ok(json!({"resourceTemplates": []})),
        "resources/read" => read(params),
        "prompts/list" => {
            let arguments = json!([{"name": "customer", "required": true}]);
            let description = "An apology for a late order";
            Ok(json!({"prompts": [{"name": "apology", "description": description, "arguments": arguments}]}))
        }
        "prompts/get" => prompt(params),
        _ => Err(RpcError::new(rpc::METHOD_NOT_FOUND, format!("there is no method `{method}`"))),
    }
}

/// The header in which revision 2026-07-28 wants an argument of this call repeated, with the argument's value.
pub(super) fn mirrored_argument(params: &Value) -> Option<(&'static str, Option<&str>)> {
    let customer = params.pointer("/arguments/customer").and_then(Value::as_str);
    (params.get("name").and_then(Value::as_str) == Some("search_orders"))
        .then_some(("Mcp-Param-Customer", customer))
}

fn tools() -> Value {
    let tool = |name: &str, description: &str, properties: Value, required: &[&str], reads: bool| {
        json!({
            "name": name, "description": description,
            "inputSchema": {"type": "object", "properties": properties, "required": required},
            "annotations": {"readOnlyHint": reads, "destructiveHint": name == "delete_order"},
        })
    };
    let text = json!({"type": "string"});
    json!([
        tool(
            "search_orders",
            "Finds orders, of one customer if named",
            json!({"customer": {"type": "string", "x-mcp-header": "Customer"}}),
            &[],
            true
        ),
        tool("get_order", "Tells one order", json!({"order": text}), &["order"], true),
        tool(
            "refund",
            "Refunds part or all of an order",
            json!({"order": text, "amount": {"type": "number"}, "currency": text}),
            &["order", "amount", "currency"],
            false
        ),
        tool("delete_order", "Deletes an order for good", json!({"order": text}), &["order"], false),
    ])
}

fn call(params: &Value) -> Result<Value, RpcError> {
    let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
    let argument = |name: &str| params.get("arguments").and_then(|arguments| arguments.get(name));
    let order = || {
        let id = argument("order").and_then(Value::as_str).ok_or("`order` is missing")?;
        ORDERS.iter().find(|order| order.id == id).ok_or("there is no such order")
    };
    let outcome = match name {
        "search_orders" => {
            let customer = argument("customer").and_then(Value::as_str);
            let found = ORDERS.iter().filter(|order| customer.is_none_or(|name| name == order.customer));
            Ok(json!({"orders": found.map(Order::json).collect::<Vec<_>>()}))
        }
        "get_order" => order().map(Order::json),
        "refund" => order().and_then(|order| refund(order, argument("amount"), argument("currency"))),
        "delete_order" => order().map(|order| json!({"deleted": order.id})),
        _ => return Err(RpcError::new(rpc::INVALID_PARAMS, format!("there is no tool `{name}`"))),
    };
    Ok(match outcome {
        Ok(structured) => json!({
            "content": [{"type": "text", "text": structured.to_string()}],
            "structuredContent": structured,
            "isError": false,
        }),
        Err(why) => json!({"content": [{"type": "text", "text": why}], "isError": true}),
    })
}

fn refund(order: &Order, amount: Option<&Value>, currency: Option<&Value>) -> Result<Value, &'static str> {
    let amount = match amount {
        Some(Value::Number(amount)) => amount,
        _ => return Err("`amount` is missing or is no number"),
    };
    let exact = Decimal::parse(&amount.to_string()).ok_or("`amount` is out of range")?;
    if exact <= Decimal::from(0) || exact > Decimal::from(order.total) {
        return Err("`amount` is not between zero and the order's total");
    }
    if currency.and_then(Value::as_str) != Some(order.currency) {
        return Err("`currency` is not the order's");
    }
    Ok(json!({"refund": format!("refund-{}", order.id), "amount": amount, "currency": order.currency}))
}

fn read(params: &Value) -> Result<Value, RpcError> {
    match params.get("uri").and_then(Value::as_str) {
        Some(POLICY_URI) => {
            Ok(json!({"contents": [{"uri": POLICY_URI, "mimeType": "text/plain", "text": POLICY}]}))
        }
        _ => Err(RpcError::new(rpc::INVALID_PARAMS, "there is no such resource")),
    }
}

fn prompt(params: &Value) -> Result<Value, RpcError> {
    let customer = params.pointer("/arguments/customer").and_then(Value::as_str);
    match (params.get("name").and_then(Value::as_str), customer) {
        (Some("apology"), Some(customer)) => {
            let text = format!("Write a short apology to {customer}, whose order is late.");
            Ok(json!({"messages": [{"role": "user", "content": {"type": "text", "text": text}}]}))
        }
        _ => Err(RpcError::new(rpc::INVALID_PARAMS, "there is no such prompt, or its argument is missing")),
    }
}
